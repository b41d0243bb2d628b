import { assertEquals } from "@std/assert";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import { Drops, EventBody, Flow, readBody } from "../rpc/mod.ts";
import * as testing from "../testing/channel.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { Calls } from "./calls.ts";
import { HeldChannel } from "./held_channel.ts";

const { CHANNEL_LIMITS, FakeChannel } = testing;

const CALL = {
  headers: new Fields(),
  sessionId: "s",
  principal: "p",
  query: "",
  lastEventId: null,
  signal: NEVER_ABORTED,
};

function callsOf() {
  const clock = new ManualClock();
  const channel = new HeldChannel();
  const server = new FakeChannel({ message: () => {}, over: () => {} });
  channel.use(server);
  const flow = new Flow({
    clock,
    patienceMs: 1_000,
    othersWait: () => false,
    pause: () => {},
    resume: () => {},
  });
  const openBody = () => new EventBody({ clock, streamIdleMs: 1_000, flow }, () => {});
  const limits = CHANNEL_LIMITS;
  return { server, calls: new Calls({ clock, limits, drops: new Drops(), channel, openBody }) };
}

const bodyOf = (value: unknown) => readBody(JSON.stringify(value))!;
const ask = (id: unknown) => ({ jsonrpc: "2.0", id, method: "tools/call" });
const result = (id: unknown, value: unknown) =>
  bodyOf({ jsonrpc: "2.0", id, result: value }).messages[0]!;

Deno.test("Calls: a cancellation in a batch with a request settles the one that it names, once it is sent", async () => {
  const { server, calls } = callsOf();
  const cancelled = calls.begin(CALL, bodyOf(ask(1)), 1_000);
  const params = { requestId: 1 };
  const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params };
  const other = calls.begin(CALL, bodyOf([cancel, ask(2)]), 1_000);
  assertEquals(server.sent.length, 2);
  const { body } = await cancelled.answer;
  const error = JSON.parse(new TextDecoder().decode((await body.bytesWithin(1_000))!));
  assertEquals([error.id, error.error.message], [1, "The request was cancelled."]);
  assertEquals(calls.requests.size, 1);
  calls.respond(result(2, {}));
  assertEquals((await other.answer).status, 200);
});

Deno.test("Calls: the revision is that of the first result, whatever later ones have", async () => {
  const { calls } = callsOf();
  assertEquals([calls.isAccepted, calls.revision], [false, undefined]);
  for (const [id, protocolVersion] of [[1, "2025-06-18"], [2, "2024-11-05"]] as const) {
    const exchange = calls.begin(CALL, bodyOf(ask(id)), 1_000);
    assertEquals(calls.respond(result(id, { protocolVersion })), true);
    await exchange.answer;
    assertEquals([calls.isAccepted, calls.revision], [true, "2025-06-18"]);
  }
  assertEquals(calls.respond(result(2, {})), false);
});
