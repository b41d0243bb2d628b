import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { withDashes } from "../upstream/mod.ts";
import { credentialsIn } from "./credentials.ts";

const FIELDS = ["x-user", "u", "authorization", "Bearer a", "user-agent", "x", "x_proxy_key", "k"];

Deno.test("credentialsIn() gives what may say who calls, in one order (R72, R98)", () => {
  const all = "authorization: Bearer a\nx-user: u\nx_proxy_key: k";
  assertEquals(credentialsIn(new Fields(FIELDS)), all);
  const turned = Array.from({ length: 4 }, (_, at) => FIELDS.slice(6 - 2 * at, 8 - 2 * at)).flat();
  assertEquals(credentialsIn(new Fields(turned)), all);
});

Deno.test("credentialsIn() leaves out what is for the proxy, however it is written, and nothing else", () => {
  for (const name of ["x-proxy-key", "x_proxy_key"]) {
    const withheld = withDashes(["authorization", name]);
    assertEquals(credentialsIn(new Fields(FIELDS), withheld), "x-user: u");
  }
});
