import { assertEquals } from "@std/assert";
import type { SessionRecord } from "./record.ts";
import { Session } from "./session.ts";

const RECORD: SessionRecord = {
  key: "1",
  route: "/mcp",
  principal: "anonymous",
  state: "open",
  upstreamId: "an id of the upstream",
  generation: 0,
  createdMs: 0,
  lastUsedMs: 0,
  subscriptions: [],
};

Deno.test("the names of a session follow its renewal, whichever id the upstream gives (R77)", () => {
  const session = new Session("token", RECORD, 0);
  const told = (upstreamId: string) => {
    session.record = { ...RECORD, upstreamId };
    return session.names?.upstream;
  };
  assertEquals(session.names?.upstream, "an id of the upstream");
  // Messages are not searched for a few characters, nor for an id that is no longer there.
  assertEquals(told("x".repeat(15)), undefined);
  assertEquals(told("x".repeat(16)), "x".repeat(16));
  assertEquals(told("short"), undefined);
  assertEquals(told("short"), undefined);
  assertEquals(told("another id of the upstream"), "another id of the upstream");
});
