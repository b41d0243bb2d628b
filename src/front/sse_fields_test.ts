import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { withRevision } from "./sse_fields.ts";

const SENT = new Fields([
  ...["mcp-protocol-version", "2026-07-28", "mcp-method", "tools/call", "mcp-session-id", "x"],
  ...["content-type", "application/json; charset=utf-8", "last-event-id", "7", "x-team", "a"],
]);

Deno.test("R33 withRevision() passes nothing on that a client of 2024-11-05 says of Streamable HTTP", () => {
  const plain = ["content-type", "application/json", "x-team", "a"];
  assertEquals(withRevision(SENT, undefined).list, plain);
  assertEquals(withRevision(SENT, "2024-11-05").list, plain);
  assertEquals(withRevision(SENT, "2025-03-26").list, plain);
});

Deno.test("withRevision() names the settled revision from 2025-06-18 on", () => {
  assertEquals(withRevision(SENT, "2025-06-18").get("mcp-protocol-version"), "2025-06-18");
  assertEquals(withRevision(SENT, "2025-11-25").get("mcp-protocol-version"), "2025-11-25");
});
