import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { FakeServer, messagesIn, SharedClient, sharedOptions } = share;

async function setup(clients: number, bounds = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock, bounds));
  const joined = [];
  for (let at = 0; at < clients; at++) joined.push(await SharedClient.join(shared));
  const [a, b, c] = joined;
  return { server, shared, clients: joined, a: a!, b: b!, c: c! };
}

const subscribe = (client: share.SharedClient, uri: string, id: string | number = 1) =>
  client.request("resources/subscribe", { uri }, id);
const unsubscribe = (client: share.SharedClient, uri: string) =>
  client.request("resources/unsubscribe", { uri });
const setLevel = (client: share.SharedClient, level: string) =>
  client.request("logging/setLevel", { level });

/** What went up: method and URI or level. */
function changes(server: share.FakeServer) {
  return server.calls.flatMap(({ message: { method, params } }) =>
    /subscribe$|setLevel$/.test(method ?? "")
      ? [`${method!.split("/")[1]} ${params!.uri ?? params!.level}`]
      : []
  );
}

Deno.test("subscriptions go up once for all members, and are taken back with the last", async () => {
  const { server, a, b } = await setup(2);
  assertEquals(await subscribe(a, "u:1", "x"), { jsonrpc: "2.0", id: "x", result: {} });
  assertEquals(await subscribe(b, "u:1", 9), { jsonrpc: "2.0", id: 9, result: {} });
  await subscribe(a, "u:1");
  await unsubscribe(a, "u:1");
  assertEquals(changes(server), ["subscribe u:1"]);
  await unsubscribe(b, "u:1");
  await unsubscribe(b, "u:1");
  await subscribe(a, "u:1");
  assertEquals(changes(server), [
    "subscribe u:1",
    "unsubscribe u:1",
    // The server answers for what nobody has.
    "unsubscribe u:1",
    "subscribe u:1",
  ]);
});

Deno.test("a subscription counts once the server has said yes, and its refusal is the member's answer", async () => {
  const { server, a, b } = await setup(2);
  const error = { code: -32002, message: "no such resource" };
  server.script = ({ message: { id, method } }) =>
    method === "resources/subscribe" ? server.json({ jsonrpc: "2.0", id, error }) : undefined;
  assertEquals(await subscribe(a, "u:1", "mine"), { jsonrpc: "2.0", id: "mine", error });
  assertEquals((await subscribe(b, "u:1")).error, error);
  server.script = ({ message: { method } }) =>
    method === "resources/subscribe" ? server.json({ jsonrpc: "2.0", error }, 400) : undefined;
  assertEquals((await subscribe(a, "u:1", 5)).id, 5);
  server.script = () => undefined;
  await subscribe(a, "u:1");
  assertEquals(changes(server).length, 4);
});

Deno.test("the server may answer with a stream, which is closed behind the response", async () => {
  const { server, a, b } = await setup(2);
  const listening = await b.listen();
  const { answer, filled } = server.events();
  server.script = ({ message: { id, method } }) => {
    if (method !== "resources/subscribe") return undefined;
    filled.send(share.eventOf({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }));
    filled.send(share.eventOf({ jsonrpc: "2.0", id, result: {} }));
    return answer;
  };
  assertEquals((await subscribe(a, "u:1")).result, {});
  await listening.readAll();
  assertEquals([filled.aborted, messagesIn(listening).length], [true, 1]);
  server.script = () => {
    const { answer, filled } = server.events();
    filled.body.finish();
    return answer;
  };
  await assertRejects(() => subscribe(a, "u:2"), ProxyError, "without a response");
  server.script = () => server.json("no", 500);
  await assertRejects(() => subscribe(a, "u:2"), ProxyError, "HTTP status 500");
  server.script = () => {
    const { answer, filled } = server.events();
    filled.send("x".repeat(1_048_577));
    return answer;
  };
  await assertRejects(() => subscribe(a, "u:2"), ProxyError, "larger than");
});

Deno.test("changes of one URI wait for each other: the last word is the server's too", async () => {
  const { server, a, b } = await setup(2);
  await subscribe(a, "u:1");
  const slow = Promise.withResolvers<void>();
  const order: string[] = [];
  server.script = ({ message: { id, method } }) =>
    (async () => {
      if (method === "resources/unsubscribe") await slow.promise;
      order.push(method!);
      return server.json({ jsonrpc: "2.0", id, result: {} });
    })();
  const taking = unsubscribe(a, "u:1");
  const giving = subscribe(b, "u:1");
  const other = await subscribe(b, "u:2");
  assertEquals(other.result, {});
  slow.resolve();
  await Promise.all([taking, giving]);
  assertEquals(order, ["resources/subscribe", "resources/unsubscribe", "resources/subscribe"]);
});

Deno.test("updates go to who subscribed, to the resource or to what it is a part of", async () => {
  const { server, clients, a, b, c } = await setup(4);
  const streams = await Promise.all(clients.map((client) => client.listen()));
  await subscribe(a, "file:///a");
  await subscribe(b, "file:///a/b");
  await subscribe(c, "file:///");
  for (const uri of ["file:///a", "file:///a/b", "file:///a/b/c", "file:///ab"]) {
    server.say({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } });
  }
  await relay.settled();
  for (const stream of streams) await stream.readAll();
  const got = streams.map((each) => messagesIn(each).map(({ params }) => params!.uri));
  assertEquals(got, [
    ["file:///a", "file:///a/b", "file:///a/b/c"],
    ["file:///a/b", "file:///a/b/c"],
    ["file:///a", "file:///a/b", "file:///a/b/c", "file:///ab"],
    [],
  ]);
});

Deno.test("a member that leaves gives its subscriptions back", async () => {
  const { server, a, b } = await setup(2);
  await subscribe(a, "u:1");
  await subscribe(a, "u:2");
  await subscribe(b, "u:2");
  await a.terminate();
  await relay.settled();
  assertEquals(changes(server).slice(2), ["unsubscribe u:1"]);
  // One that left while the server thought about it has none.
  const late = Promise.withResolvers<void>();
  server.script = ({ message: { id, method } }) =>
    method !== "resources/subscribe"
      ? undefined
      : late.promise.then(() => server.json({ jsonrpc: "2.0", id, result: {} }));
  const asking = subscribe(b, "u:3");
  await relay.settled();
  await b.terminate();
  late.resolve();
  await asking;
  await relay.settled();
  assertEquals(changes(server).slice(3).toSorted(), [
    "subscribe u:3",
    "unsubscribe u:2",
    "unsubscribe u:3",
  ]);
});

Deno.test("R82 subscriptions of one member are capped, and one without a URI is the server's to refuse", async () => {
  const { server, a } = await setup(1, { maxMemberSubscriptions: 2 });
  await subscribe(a, "u:1");
  await subscribe(a, "u:2");
  assertEquals((await subscribe(a, "u:3")).error!.code, -31429);
  const error = { code: -32602, message: "uri" };
  server.script = ({ message: { id } }) => server.json({ jsonrpc: "2.0", id, error });
  const params = { _meta: { progressToken: 1 } };
  assertEquals((await a.request("resources/subscribe", params)).error, error);
  // The token of a member's might be that of somebody else's request.
  const sent = server.calls.at(-1)!.message.params!._meta!.progressToken;
  assertEquals([typeof sent, sent === 1], ["number", false]);
});

Deno.test("the server is told the most verbose level of all, only when that changes", async () => {
  const { server, a, b, c } = await setup(3);
  assertEquals((await setLevel(a, "error")).result, {});
  assertEquals((await setLevel(b, "info")).result, {});
  assertEquals((await setLevel(a, "warning")).result, {});
  await setLevel(c, "debug");
  await setLevel(c, "alert");
  assertEquals(changes(server), [
    "setLevel error",
    "setLevel info",
    "setLevel debug",
    "setLevel info",
  ]);
  await b.terminate();
  await relay.settled();
  assertEquals(changes(server).at(-1), "setLevel warning");
  await a.terminate();
  await c.terminate();
  await relay.settled();
  assertEquals(changes(server).at(-1), "setLevel alert");
});

Deno.test("a level that the server refuses changes nothing", async () => {
  const { server, a, b } = await setup(2);
  const error = { code: -32601, message: "no logging" };
  server.script = ({ message: { id, method } }) =>
    method === "logging/setLevel" ? server.json({ jsonrpc: "2.0", id, error }) : undefined;
  assertEquals((await setLevel(a, "error")).error, error);
  assertEquals((await setLevel(b, "loud")).error, error);
  server.script = () => undefined;
  await setLevel(b, "error");
  assertEquals(changes(server), ["setLevel error", "setLevel loud", "setLevel error"]);
});

Deno.test("log lines go to each member by its own level, those of a call to the caller", async () => {
  const { server, clients, a, b } = await setup(3);
  const streams = await Promise.all(clients.map((client) => client.listen()));
  await setLevel(a, "error");
  await setLevel(b, "debug");
  const line = (level: string) => ({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level, data: "" },
  });
  for (const level of ["debug", "error", "emergency", "odd"]) server.say(line(level));
  await relay.settled();
  for (const stream of streams) await stream.readAll();
  assertEquals(streams.map((each) => messagesIn(each).map(({ params }) => params!.level)), [
    ["error", "emergency", "odd"],
    ["debug", "error", "emergency", "odd"],
    ["debug", "error", "emergency", "odd"],
  ]);
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const call = await a.streamed({ jsonrpc: "2.0", id: 1, method: "tools/call" });
  filled.send(share.eventOf(line("info")) + share.eventOf(line("error")));
  await call.readAll();
  assertEquals(messagesIn(call).map(({ params }) => params!.level), ["error"]);
});
