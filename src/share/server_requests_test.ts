import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions } = share;

function setup(bounds = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock, bounds));
  const join = (capabilities = {}) => SharedClient.join(shared, { capabilities });
  /** What the server has been answered: id, and result or code. */
  const answered = async () => {
    await relay.settled();
    return server.calls.filter(({ kind, message }) =>
      kind === "notify" && message.method === undefined
    ).map(({ message: { id, result, error } }) => [id, result ?? error!.code]);
  };
  return { clock, server, shared, join, answered };
}

const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: {} };
const sampling = (id: unknown, params = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "sampling/createMessage",
  params,
});

/** A call of a client whose answer is a stream that the test fills. */
async function calling(server: share.FakeServer, client: share.SharedClient) {
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await client.streamed(call);
  server.script = () => undefined;
  const say = async (message: unknown) => {
    filled.send(eventOf(message));
    await stream.readAll();
  };
  return { stream, say, filled };
}

Deno.test("a request on the stream of a call goes to the caller, its answer back under the server's id", async () => {
  const { server, join, answered } = setup();
  const a = await join({ sampling: {} });
  const { stream, say } = await calling(server, a);
  await say(sampling(0));
  await say(sampling("zero"));
  const [first, second] = messagesIn(stream);
  assertEquals([typeof first!.id, typeof second!.id], ["number", "string"]);
  await a.notify(`{"jsonrpc":"2.0", "result" : {"n":1.0},"id":${first!.id}}`);
  await a.notify({ jsonrpc: "2.0", id: second!.id, error: { code: -1, message: "no" } });
  assertEquals(await answered(), [[0, { n: 1 }], ["zero", -1]]);
  assertEquals(server.calls.at(-2)!.text, '{"jsonrpc":"2.0", "result" : {"n":1.0},"id":0}');
});

Deno.test("R72 only whom the server asked may answer, and only once", async () => {
  const { server, shared, join, answered } = setup();
  const [a, b] = [await join({ sampling: {} }), await join({ sampling: {} })];
  const { stream, say } = await calling(server, a);
  await say(sampling(4));
  const { id } = messagesIn(stream)[0]!;
  const answer = { jsonrpc: "2.0", id, result: "mine" };
  assertEquals((await b.notify(answer)).status, 202);
  assertEquals((await a.notify({ ...answer, id: 4 })).status, 202);
  await a.notify(answer);
  await a.notify(answer);
  assertEquals(await answered(), [[4, "mine"]]);
  assertEquals(shared.stats().dropped, { "(response of a client)": 3 });
});

Deno.test("a request that the caller cannot take goes to who listens longest and can, or to nobody", async () => {
  const { server, join, answered } = setup();
  const a = await join();
  const { stream, say } = await calling(server, a);
  await say(sampling(1));
  assertEquals(await answered(), [[1, -32601]]);
  const [deaf, first, second] = [
    await join({ sampling: {} }),
    await join({ sampling: {} }),
    await join({ sampling: {} }),
  ];
  await (await join({ roots: {} })).listen();
  const listening = [await first.listen(), await second.listen()];
  await say(sampling(2));
  await listening[0]!.readAll();
  const [asked] = messagesIn(listening[0]!);
  await deaf.notify({ jsonrpc: "2.0", id: asked!.id, result: "deaf" });
  await first.notify({ jsonrpc: "2.0", id: asked!.id, result: "first" });
  assertEquals(await answered(), [[1, -32601], [2, "first"]]);
  assertEquals([messagesIn(stream), messagesIn(listening[1]!)], [[], []]);
});

Deno.test("what a client needs for a request: sampling with tools, forms and URLs, roots", async () => {
  const { server, join, answered } = setup();
  const elicit = (mode?: string) => ({ method: "elicitation/create", params: { mode } });
  const roots = { method: "roots/list" };
  const withTools = sampling(0, { tools: [] });
  const cases: [capabilities: object, request: object, taken: boolean][] = [
    [{ sampling: {} }, withTools, false],
    [{ sampling: { tools: {} } }, withTools, true],
    [{}, elicit(), false],
    [{ elicitation: {} }, elicit(), true],
    [{ elicitation: {} }, elicit("form"), true],
    [{ elicitation: {} }, elicit("url"), false],
    [{ elicitation: { url: {} } }, elicit("url"), true],
    [{ elicitation: { url: {} } }, elicit("form"), false],
    [{ elicitation: { form: {}, url: {} } }, elicit("form"), true],
    [{ roots: {} }, roots, true],
    [{ roots: true }, roots, false],
    // Of what nobody knows the caller may know more.
    [{}, { method: "vendor/ask" }, true],
  ];
  let refused = 0;
  for (const [capabilities, request, taken] of cases) {
    const client = await join(capabilities);
    const { stream, say } = await calling(server, client);
    await say({ jsonrpc: "2.0", id: refused, ...request });
    assertEquals(messagesIn(stream).length, taken ? 1 : 0, JSON.stringify([capabilities, request]));
    if (!taken) refused++;
    assertEquals((await answered()).length, refused);
    await client.terminate();
    server.calls.length = 0;
    refused = 0;
  }
});

Deno.test("ping is answered by the hub, on any stream", async () => {
  const { server, join, answered } = setup();
  const a = await join();
  const { stream, say } = await calling(server, a);
  const listening = await a.listen();
  await say({ jsonrpc: "2.0", id: "p", method: "ping" });
  server.say({ jsonrpc: "2.0", id: 1.0, method: "ping" });
  assertEquals(await answered(), [["p", {}], [1, {}]]);
  assertEquals([messagesIn(stream), messagesIn(listening)], [[], []]);
});

Deno.test("a request that the server withdraws is withdrawn where it was put, under the id there", async () => {
  const { server, join, shared, answered } = setup();
  const [a, b] = [await join(), await join({ sampling: {} })];
  const { stream, say } = await calling(server, a);
  const listening = await b.listen();
  await say(sampling(5));
  const withdrawal = (requestId: unknown) => ({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId },
  });
  await say(withdrawal(5));
  await say(withdrawal(6));
  await listening.readAll();
  const [asked, cancelled] = messagesIn(listening);
  assertEquals(cancelled!.params, { requestId: asked!.id });
  assertEquals(messagesIn(stream), []);
  await b.notify({ jsonrpc: "2.0", id: asked!.id, result: {} });
  assertEquals(await answered(), []);
  assertEquals(shared.stats().dropped, {
    "notifications/cancelled": 1,
    "(response of a client)": 1,
  });
});

Deno.test("progress of a client on what it was asked passes, other progress does not", async () => {
  const { server, join, shared } = setup();
  const [a, b] = [await join({ sampling: {} }), await join()];
  const { say } = await calling(server, a);
  await say(sampling(1, { _meta: { progressToken: "up" } }));
  const progress = (progressToken: string) => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken, progress: 1 },
  });
  await a.notify(progress("up"));
  await a.notify(progress("other"));
  await b.notify(progress("up"));
  assertEquals(server.of("notifications/progress").map(({ text }) => text), [
    JSON.stringify(progress("up")),
  ]);
  assertEquals(shared.stats().dropped, { "notifications/progress of a client": 2 });
});

Deno.test("R86 requests that one client has to answer are capped, and the server is told", async () => {
  const { server, join, answered } = setup({ maxServerRequests: 2 });
  const a = await join({ sampling: {} });
  const { stream, say } = await calling(server, a);
  for (let id = 0; id < 3; id++) await say(sampling(id));
  assertEquals(messagesIn(stream).length, 2);
  assertEquals(await answered(), [[2, -31503]]);
  // One that the server sends again is the same one.
  await say(sampling(0));
  const ids = messagesIn(stream).map(({ id }) => id);
  assertEquals(ids[2], ids[0]);
});

Deno.test("a question that comes again for who listens no more is answered with an error", async () => {
  const { server, join, shared, answered } = setup();
  const [a, b] = [await join(), await join({ sampling: {} })];
  const { say } = await calling(server, a);
  const { body } = await shared.listen(b.call());
  await say(sampling(1));
  body.discard();
  await say(sampling(1));
  assertEquals(await answered(), [[1, -32601]]);
});

Deno.test("what the hub tells the server by itself is capped", async () => {
  const { server, join, shared } = setup({ maxOwnMessages: 3 });
  const a = await join();
  const { say } = await calling(server, a);
  const hold = Promise.withResolvers<ReturnType<typeof server.json>>();
  server.script = () => hold.promise;
  for (let id = 0; id < 5; id++) await say({ jsonrpc: "2.0", id, method: "ping" });
  assertEquals(server.calls.filter(({ message }) => message.result !== undefined).length, 3);
  assertEquals(shared.stats().dropped, { "(answer to the server)": 2 });
  hold.resolve(server.json(undefined, 202));
  await relay.settled();
  await say({ jsonrpc: "2.0", id: 9, method: "ping" });
  assertEquals(server.calls.at(-1)!.message.id, 9);
});

Deno.test("what a client that leaves was asked is answered with an error", async () => {
  const { server, join, answered } = setup();
  const a = await join({ sampling: {} });
  const { say } = await calling(server, a);
  await say(sampling(1));
  await a.terminate();
  assertEquals(await answered(), [[1, -32601]]);
});

Deno.test("the end of an elicitation is told to whom it was put, also by an error", async () => {
  const { server, join, shared } = setup();
  const [a, b] = [await join({ elicitation: { url: {} } }), await join()];
  const listening = [await a.listen(), await b.listen()];
  const { say } = await calling(server, a);
  const elicitation = { mode: "url", elicitationId: "e1", url: "https://x", message: "" };
  await say({ jsonrpc: "2.0", id: 1, method: "elicitation/create", params: elicitation });
  server.script = ({ message: { id } }) =>
    server.json({
      jsonrpc: "2.0",
      id,
      error: {
        code: -32042,
        message: "first",
        data: { elicitations: [{ elicitationId: "e2" }, { x: 1 }] },
      },
    });
  assertEquals((await b.request("tools/call")).error!.code, -32042);
  for (const elicitationId of ["e1", "e2", "e3"]) {
    server.say({
      jsonrpc: "2.0",
      method: "notifications/elicitation/complete",
      params: { elicitationId },
    });
  }
  for (const each of listening) await each.readAll();
  await b.terminate();
  server.say({
    jsonrpc: "2.0",
    method: "notifications/elicitation/complete",
    params: { elicitationId: "e2" },
  });
  await relay.settled();
  const told = listening.map((each) => messagesIn(each).map(({ params }) => params!.elicitationId));
  assertEquals(told, [["e1"], ["e2"]]);
  assertEquals(shared.stats().dropped, { "notifications/elicitation/complete": 2 });
});

Deno.test("R82 elicitations whose end is to be told are capped: the oldest are forgotten", async () => {
  const { server, join, shared } = setup();
  const a = await join();
  const listening = await a.listen();
  const elicitations = Array.from({ length: 1_001 }, (_, n) => ({ elicitationId: `e${n}` }));
  server.script = ({ message: { id } }) =>
    server.json({
      jsonrpc: "2.0",
      id,
      error: { code: -32042, message: "", data: { elicitations } },
    });
  await a.request("tools/call");
  for (const elicitationId of ["e0", "e1"]) {
    server.say({
      jsonrpc: "2.0",
      method: "notifications/elicitation/complete",
      params: { elicitationId },
    });
  }
  await listening.readAll();
  assertEquals(messagesIn(listening).map(({ params }) => params!.elicitationId), ["e1"]);
  assertEquals(shared.stats().dropped, { "notifications/elicitation/complete": 1 });
});

Deno.test("roots/list_changed passes from who has roots", async () => {
  const { server, join } = setup();
  const changed = { jsonrpc: "2.0", method: "notifications/roots/list_changed" };
  await (await join()).notify(changed);
  assertEquals(server.of("notifications/roots/list_changed").length, 0);
  await (await join({ roots: { listChanged: true } })).notify(changed);
  assertEquals(server.of("notifications/roots/list_changed").length, 1);
});
