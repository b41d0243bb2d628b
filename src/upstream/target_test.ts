import { assertEquals } from "@std/assert";
import { parseTarget } from "./target.ts";

const TLS = { caCerts: [], cert: undefined, key: undefined };

Deno.test("parseTarget() takes http, https and unix addresses apart", () => {
  assertEquals(parseTarget("http://Example.com/mcp?a=1", TLS), {
    target: { kind: "tcp", hostname: "example.com", port: 80, host: "example.com" },
    path: "/mcp",
    query: "?a=1",
  });
  assertEquals(parseTarget("https://[::1]:8443/", TLS), {
    target: { kind: "tcp", hostname: "::1", port: 8443, host: "[::1]:8443", tls: TLS },
    path: "/",
    query: "",
  });
  assertEquals(parseTarget("unix:/run/mcp.sock", TLS), {
    target: { kind: "unix", path: "/run/mcp.sock", host: "localhost" },
    path: "/mcp",
    query: "",
  });
  assertEquals(parseTarget("unix:/run/mcp.sock:/a/b?c", TLS), {
    target: { kind: "unix", path: "/run/mcp.sock", host: "localhost" },
    path: "/a/b",
    query: "?c",
  });
});

Deno.test("parseTarget() refuses what it could not reach, or would have to leave out", () => {
  const wrong = [
    "",
    "localhost:3000",
    "/mcp",
    "ftp://x",
    "http://",
    "http://u@x/",
    "http://u:p@x/",
    "http://x/#f",
    "unix:relative.sock",
    "unix:/",
    "unix:/dir/",
    "unix:/a.sock:relative",
    "unix:/a.sock:/x#f",
    "unix:/a.sock:/x y",
  ];
  for (const address of wrong) assertEquals(parseTarget(address, TLS), undefined, address);
});
