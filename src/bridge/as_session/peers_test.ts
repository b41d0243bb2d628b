import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { ModernFake } from "../../testing/bridge.ts";
import { PeerNet } from "../../testing/peer_net.ts";
import { settled } from "../../testing/relay.ts";
import { messagesIn, SharedClient } from "../../testing/share.ts";
import type { SessionBridge } from "../mod.ts";

const CAN = { elicitation: { form: {} } };
const FORM = {
  method: "elicitation/create",
  params: { mode: "form", message: "Name?", requestedSchema: { type: "object", properties: {} } },
};
const CALL = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "t" } };

/** One instance, whose server asks once and then answers. */
function instance(net: PeerNet, name: string) {
  const member = net.join(name);
  const fake = new ModernFake({ peers: member.service });
  fake.answers["tools/list"] = () => ({ tools: [] });
  fake.answers["tools/call"] = ({ message: { params } }) =>
    params!["inputResponses"] === undefined
      ? { resultType: "input_required", inputRequests: { who: FORM } }
      : { resultType: "complete", content: ["done"] };
  return { member, fake };
}

/** Two instances, and a client with a session that the first has begun, at both. */
async function instances() {
  const net = new PeerNet();
  const [a, b] = [instance(net, "a"), instance(net, "b")];
  const here = await a.fake.join({ capabilities: CAN });
  const there = new SharedClient<SessionBridge>(b.fake.bridge, here.options);
  there.sessionId = here.sessionId;
  return {
    net,
    a,
    b,
    here,
    there,
    async close() {
      await a.fake.bridge.close();
      await b.fake.bridge.close();
      await settled();
      await net.close();
    },
  };
}

Deno.test("the answer to a question may come to another instance than the one that asks (ERAS)", async () => {
  const { a, b, here, there, close } = await instances();
  const reader = await here.streamed(CALL);
  await reader.readAll();
  const { id } = messagesIn(reader).at(-1)!;
  const told = await there.notify({ jsonrpc: "2.0", id, result: { action: "accept" } });
  assertEquals(told.status, 202);
  await reader.readAll();
  assertEquals(messagesIn(reader).at(-1)!.result, { content: ["done"] });
  assertEquals(a.fake.of("tools/call").length, 2);
  assertEquals(b.fake.server.calls.length, 0);
  await close();
});

Deno.test("a request that came to another instance is asked about there, and answered wherever", async () => {
  const { a, b, here, there, close } = await instances();
  const reader = await there.streamed(CALL);
  await reader.readAll();
  const { id } = messagesIn(reader).at(-1)!;
  await here.notify({ jsonrpc: "2.0", id, result: { action: "accept" } });
  await settled();
  await reader.readAll();
  assertEquals(messagesIn(reader).at(-1)!.result, { content: ["done"] });
  assertEquals(reader.ending, null);
  assertEquals(a.fake.of("tools/call").length, 2);
  assertEquals(b.fake.server.calls.length, 0);
  await close();
});

Deno.test("notifications/cancelled reaches the request, wherever either came (basic/utilities/cancellation)", async () => {
  const { a, here, there, close } = await instances();
  const filled = a.fake.server.events();
  a.fake.answers["tools/call"] = () => filled.answer;
  const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };
  const asked = there.exchange(CALL);
  asked.catch(() => {});
  await settled();
  assertEquals(a.fake.bridge.stats().inFlight, 1);
  assertEquals((await there.notify(cancelled)).status, 202);
  await settled();
  assertEquals(a.fake.bridge.stats().inFlight, 0);
  assert(a.fake.of("tools/call")[0]!.call.signal.aborted);
  const other = here.exchange({ ...CALL, id: 8 });
  other.catch(() => {});
  await settled();
  await there.notify({ ...cancelled, params: { requestId: 8 } });
  await settled();
  assertEquals(a.fake.bridge.stats().inFlight, 0);
  await close();
});

Deno.test("what a client sets, listens to and ends is the same session at every instance", async () => {
  const { a, b, here, there, close } = await instances();
  await there.request("logging/setLevel", { level: "error" });
  await there.request("resources/subscribe", { uri: "a:b" }, 8);
  const stream = await there.listen();
  await stream.read();
  a.fake.tell("notifications/resources/updated", { uri: "a:b" });
  await stream.readAll();
  assertEquals(messagesIn(stream).map(({ method }) => method), ["notifications/resources/updated"]);
  await here.request("prompts/list", {}, 9);
  const meta = a.fake.of("prompts/list")[0]!.message.params!._meta!;
  assertEquals(meta["io.modelcontextprotocol/logLevel"], "error");
  assertEquals((await there.terminate()).status, 200);
  await stream.readAll();
  assertEquals(stream.ending, null);
  assertEquals((await here.exchange(CALL)).status, 404);
  assertEquals((await there.exchange({ ...CALL, id: 8 })).status, 404);
  assertEquals(b.fake.server.calls.length, 0);
  await close();
});

Deno.test("a session is nobody's but its principal's, at every instance (R72)", async () => {
  const { there, close } = await instances();
  const thief = new SharedClient<SessionBridge>(there.shared, { principal: "other" });
  thief.sessionId = there.sessionId;
  assertEquals((await thief.exchange(CALL)).status, 404);
  assertEquals((await thief.notify({ jsonrpc: "2.0", method: "x" })).status, 404);
  await close();
});

Deno.test("a session whose instance has gone is a 404, so that it is made anew where its client is (R64)", async () => {
  const { net, a, there, close } = await instances();
  a.member.runs = false;
  const answer = await there.exchange(CALL);
  assertEquals(answer.status, 404);
  assertEquals((await there.notify({ jsonrpc: "2.0", method: "x" })).status, 404);
  there.sessionId = undefined;
  const anew = await there.initialize();
  assertEquals(anew.status, 200);
  assertEquals((await there.request("prompts/list")).id, 7);
  assertEquals(net.said("head"), 0, "the new one is served where it began");
  await close();
});

Deno.test("an instance that dies while it asks is an error for the client in bounded time", async () => {
  const { net, a, there, close } = await instances();
  const reader = await there.streamed(CALL);
  await reader.readAll();
  a.member.runs = false;
  net.clock.advance(5_000);
  await reader.readAll();
  assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
  assertEquals(net.said("open"), 1);
  await close();
});

Deno.test("an instance that runs and is not heard of is no reason to make a session anew", async () => {
  const { net, a, there, close } = await instances();
  a.member.hears = false;
  const asked = assertRejects(() => there.exchange(CALL), ProxyError);
  for (let passed = 0; passed <= 8_000; passed += 250) {
    await settled();
    net.clock.advance(250);
  }
  assertEquals((await asked).kind, "upstream_unreachable");
  await close();
});

Deno.test("a late answer to a question of a session that was lost answers none of the one made anew", async () => {
  const { a, here, close } = await instances();
  const first = await here.streamed(CALL);
  await first.readAll();
  const { id } = messagesIn(first).at(-1)!;
  await here.terminate();
  here.sessionId = undefined;
  await here.initialize();
  const second = await here.streamed(CALL);
  await second.readAll();
  await here.notify({ jsonrpc: "2.0", id, result: { action: "accept" } });
  await settled();
  assertEquals(a.fake.bridge.stats().questions, 1);
  await close();
});
