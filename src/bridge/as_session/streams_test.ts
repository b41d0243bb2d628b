import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { ModernFake } from "../../testing/bridge.ts";
import { settled, sourceReader } from "../../testing/relay.ts";
import { eventOf, messagesIn, textOf } from "../../testing/share.ts";

Deno.test("a stream passes from its first event on, without what belongs to the modern era", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["tools/call"] = () => answer;
  fake.answers["tools/list"] = () => ({ tools: [] });
  const asking = client.streamed({
    jsonrpc: "2.0",
    id: "a",
    method: "tools/call",
    params: { name: "t" },
  });
  await settled();
  const params = {
    progressToken: 1,
    progress: 1,
    _meta: { "io.modelcontextprotocol/subscriptionId": 1 },
  };
  filled.send(eventOf({ jsonrpc: "2.0", method: "notifications/progress", params }));
  filled.send(eventOf({ jsonrpc: "2.0", id: 4, method: "roots/list" }));
  const reader = await asking;
  await reader.readAll();
  assertEquals(messagesIn(reader), [
    { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 1 } },
  ]);
  filled.send(
    eventOf('{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete","content":[1.0]}}'),
  );
  await reader.readAll();
  assertEquals(reader.events.at(-1)!.data, '{"jsonrpc":"2.0","id":"a","result":{"content":[1.0]}}');
  assertEquals(reader.ending, null);
  // The server has a moment to end its stream by itself; then its connection goes.
  assertEquals(filled.aborted, false);
  fake.clock.advance(1_000);
  assertEquals(filled.aborted, true);
  assertEquals(fake.bridge.stats().dropped, { "(request on a modern stream)": 1 });
  assertEquals(fake.bridge.stats().inFlight, 0);
  await fake.bridge.close();
});

Deno.test("a stream of the server is one to the client before anything comes on it", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const { kind, body } = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  filled.send(eventOf({ jsonrpc: "2.0", id: 7, result: { a: 1 } }));
  filled.body.finish();
  const reader = sourceReader(body);
  await reader.readAll();
  assertEquals([kind, messagesIn(reader)], ["sse", [{ jsonrpc: "2.0", id: 7, result: { a: 1 } }]]);
  await fake.bridge.close();
});

Deno.test("R58 a stream that ends without the response is an error, and so is what is no JSON-RPC", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: {} };
  fake.answers["x/y"] = () => fake.stream(progress);
  const reader = await client.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await reader.readAll();
  assertEquals(messagesIn(reader)[1]!.error!.code, -31502);
  assertEquals(reader.ending, null);
  fake.answers["x/y"] = () => fake.stream("nonsense");
  const broken = await client.streamed({ jsonrpc: "2.0", id: 8, method: "x/y" });
  await broken.readAll();
  assertEquals(messagesIn(broken)[0]!.error!.code, -31502);
  fake.answers["x/y"] = () => fake.server.json('[{"jsonrpc":"2.0","id":9,"result":{}}]');
  assertEquals((await client.exchange({ jsonrpc: "2.0", id: 9, method: "x/y" })).status, 502);
  await fake.bridge.close();
});

Deno.test("R42 a message over the limit is an error, as JSON and as an event", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const large = { a: "x".repeat(100_001) };
  fake.answers["x/y"] = () => large;
  assertEquals((await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" })).status, 502);
  fake.answers["x/y"] = () => fake.stream(large);
  const reader = await client.streamed({ jsonrpc: "2.0", id: 8, method: "x/y" });
  await reader.readAll();
  assertEquals(messagesIn(reader)[0]!.error!.code, -31502);
  await fake.bridge.close();
});

Deno.test("R42 what comes whole ahead of an event over the limit passes", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: {} };
  filled.send(eventOf(progress) + eventOf({ a: "x".repeat(100_001) }));
  fake.answers["x/y"] = () => answer;
  const reader = await client.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await reader.readAll();
  const [first, second] = messagesIn(reader);
  assertEquals([first, second!.error!.code, filled.aborted], [progress, -31502, true]);
  await fake.bridge.close();
});

Deno.test("a failure of the server keeps its kind, and another kind of result is none", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["x/y"] = () => {
    throw new ProxyError("upstream_unreachable", "It is not there.");
  };
  const answer = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  assertEquals(answer.status, 502);
  assertEquals(JSON.parse(await textOf(answer.body)).error, {
    code: -31502,
    message: "It is not there.",
  });
  fake.answers["x/y"] = () => ({ resultType: "task" });
  assertEquals((await client.request("x/y")).error!.code, -31502);
  fake.answers["x/y"] = () => ({ resultType: "input_required", requestState: "s" });
  assertEquals((await client.request("x/y")).error!.code, -31502);
  await fake.bridge.close();
});

Deno.test("2025-11-25 cancellation: it closes the upstream request, and the client's POST ends without a response", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const asking = client.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await settled();
  const cancel = (requestId: unknown) =>
    client.notify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
  assertEquals((await cancel("7")).status, 202);
  await settled();
  assertEquals(filled.aborted, false);
  await cancel(7);
  const reader = await asking;
  await reader.readAll();
  assertEquals([messagesIn(reader), reader.ending], [[], null]);
  assertEquals([filled.aborted, fake.of("x/y")[0]!.call.signal.aborted], [true, true]);
  // In the middle of a stream too.
  const second = fake.server.events();
  fake.answers["x/y"] = () => second.answer;
  second.filled.send(eventOf({ jsonrpc: "2.0", method: "notifications/progress" }));
  const open = await client.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await cancel(7);
  await open.readAll();
  assertEquals([messagesIn(open).length, open.ending, second.filled.aborted], [1, null, true]);
  assertEquals(fake.bridge.stats().inFlight, 0);
  await fake.bridge.close();
});

Deno.test("what the front aborts or gives up is closed upstream; who only has left is not", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const first = fake.server.events();
  fake.answers["x/y"] = () => ({ ...first.answer, kind: "json" });
  const control = new AbortController();
  const asking = client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" }, control.signal);
  await settled();
  control.abort();
  const error = await assertRejects(() => asking, ProxyError);
  assertEquals([error.kind, first.filled.aborted], ["client_closed", true]);
  const second = fake.server.events();
  second.filled.send(eventOf({ jsonrpc: "2.0", method: "notifications/progress" }));
  fake.answers["x/y"] = () => second.answer;
  const { body } = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  assertEquals(second.filled.aborted, false);
  body.discard();
  await settled();
  assertEquals([second.filled.aborted, fake.bridge.stats().inFlight], [true, 0]);
  await fake.bridge.close();
});

Deno.test("R49 who does not read stops the upstream stream", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const note = {
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { data: "x".repeat(40_000) },
  };
  filled.send(eventOf(note));
  const { body } = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  for (let times = 0; times < 6; times++) {
    filled.send(eventOf(note));
    await settled();
  }
  assert(filled.paused);
  const reader = sourceReader(body);
  await reader.readAll();
  assertEquals([messagesIn(reader).length, filled.paused], [7, false]);
  body.discard();
  await fake.bridge.close();
});

Deno.test("an answer that does not begin in time is given up", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => ({ ...answer, kind: "json" });
  const asking = client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await settled();
  fake.clock.advance(10_000);
  assertEquals((await asking).status, 504);
  assertEquals([filled.aborted, fake.bridge.stats().inFlight], [true, 0]);
  await fake.bridge.close();
});

Deno.test("R85 requests of a session are capped, and an id in flight is refused", async () => {
  const fake = new ModernFake({ limits: { maxRequests: 1 } });
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const asking = client.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await settled();
  const error = await assertRejects(() => client.request("ping", {}, 8), ProxyError);
  assertEquals(error.kind, "upstream_saturated");
  assertEquals((await client.request("ping", {}, 7)).error!.code, -32600);
  filled.send(eventOf({ jsonrpc: "2.0", id: 7, result: {} }));
  await (await asking).readAll();
  assertEquals((await client.request("ping", {}, 8)).result, {});
  await fake.bridge.close();
});

Deno.test("requests of two sessions with one id never meet", async () => {
  const fake = new ModernFake();
  const one = await fake.join();
  const two = await fake.join();
  fake.answers["x/y"] = ({ message: { params } }) => ({ who: params!["who"] });
  const answers = await Promise.all([
    one.request("x/y", { who: 1 }),
    two.request("x/y", { who: 2 }),
  ]);
  assertEquals(answers.map(({ result }) => result), [{ who: 1 }, { who: 2 }]);
  // A cancellation by the one leaves the other's alone.
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const asking = one.streamed({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await settled();
  await two.notify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } });
  assertEquals(filled.aborted, false);
  filled.send(eventOf({ jsonrpc: "2.0", id: 7, result: {} }));
  await asking;
  await fake.bridge.close();
});

Deno.test("2025-03-26 a batch goes up in single POSTs, and is answered as an array", async () => {
  const fake = new ModernFake();
  const client = await fake.join({ revision: "2025-03-26" });
  fake.answers["x/y"] = ({ message: { params } }) => ({ n: params!["n"] });
  fake.answers["x/z"] = ({ message: { id } }) =>
    fake.server.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }, 404);
  const answer = await client.exchange([
    { jsonrpc: "2.0", id: 1, method: "x/y", params: { n: 1 } },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: "1", method: "x/z" },
    { jsonrpc: "2.0", id: 2, method: "ping" },
    { jsonrpc: "2.0", id: 2, method: "ping" },
  ]);
  assertEquals(answer.status, 200);
  const told = JSON.parse(await textOf(answer.body)) as { id: unknown; error?: { code: number } }[];
  assertEquals(told.length, 4);
  assertEquals(told.filter(({ error }) => error).map(({ id, error }) => [id, error!.code]), [[
    2,
    -32600,
  ], ["1", -32601]]);
  assertEquals(fake.server.calls.slice(1).map(({ message }) => message.method), ["x/y", "x/z"]);
  await fake.bridge.close();
});

Deno.test("2025-03-26 a batch of which one request fails or is refused has the others' answers", async () => {
  const fake = new ModernFake();
  const client = await fake.join({ revision: "2025-03-26" });
  fake.answers["x/y"] = () => {
    throw new ProxyError("upstream_unreachable", "It is not there.");
  };
  fake.answers["x/z"] = () => fake.server.json({ error: "no" }, 403);
  const answer = await client.exchange([
    { jsonrpc: "2.0", id: 1, method: "x/y" },
    { jsonrpc: "2.0", id: 2, method: "x/z" },
    { jsonrpc: "2.0", id: 3, method: "tools/list" },
  ]);
  const told = JSON.parse(await textOf(answer.body)) as { id: unknown; error?: { code: number } }[];
  assertEquals(told.map(({ id, error }) => [id, error?.code]).toSorted(), [
    [1, -31502],
    [2, -31502],
    [3, undefined],
  ]);
  await fake.bridge.close();
});

Deno.test("a session that ends has its requests answered and its upstream streams closed", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["x/y"] = () => ({ ...answer, kind: "json" });
  const asking = client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await settled();
  await client.terminate();
  assertEquals([(await asking).status, filled.aborted], [502, true]);
  assertEquals(fake.clock.timers, 0);
});
