import { assertEquals } from "@std/assert";
import { Fields, NEVER_ABORTED } from "../../http/mod.ts";
import { encode } from "../../rpc/mod.ts";
import { ModernFake, type ModernFakeOptions } from "../../testing/bridge.ts";
import { settled, type SourceReader, sourceReader } from "../../testing/relay.ts";
import { messagesIn, type SharedClient, textOf } from "../../testing/share.ts";
import type { SessionBridge } from "../mod.ts";

type Client = SharedClient<SessionBridge>;

const LISTS = { promptsListChanged: true, resourcesListChanged: true, toolsListChanged: true };
const UPDATED = "notifications/resources/updated";
const CHANGED = "notifications/prompts/list_changed";
const TOOLS_CHANGED = "notifications/tools/list_changed";
/** What is told behind a gap: see `missed_changes_test.ts`. */
const MISSED = [TOOLS_CHANGED, CHANGED, "notifications/resources/list_changed"];

async function joined(options: ModernFakeOptions = {}) {
  const fake = new ModernFake(options);
  return { fake, client: await fake.join() };
}

async function subscribe(client: Client, uri: string, id = 7) {
  return await client.request("resources/subscribe", { uri }, id);
}

/** What a reader has been told: the URI, number or method of each. */
async function told(reader: SourceReader): Promise<unknown[]> {
  await reader.readAll();
  return messagesIn(reader).map(({ method, params }) => params?.["uri"] ?? params?.["n"] ?? method);
}

/** Reads what has come so far without waiting for more. */
async function toldNow(client: Client): Promise<unknown[]> {
  const reader = await client.listen();
  return await told(reader);
}

Deno.test("ERAS GET opens one subscriptions/listen for all lists, and passes what comes without its id", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  assertEquals(fake.subscriptions.map(({ filter }) => filter), [LISTS]);
  assertEquals(
    fake.of("subscriptions/listen")[0]!.call.headers.get("mcp-method"),
    "subscriptions/listen",
  );
  fake.tell(TOOLS_CHANGED);
  fake.tell(CHANGED, { n: 1 });
  await reader.readAll();
  assertEquals(messagesIn(reader), [
    { jsonrpc: "2.0", method: TOOLS_CHANGED, params: {} },
    { jsonrpc: "2.0", method: CHANGED, params: { n: 1 } },
  ]);
  assertEquals(fake.bridge.stats().listening, 1);
  await fake.bridge.close();
  await reader.readAll();
  assertEquals([reader.ending, fake.subscription.filled.aborted], [null, true]);
  assertEquals(fake.clock.timers, 0);
});

Deno.test("a server that offers nothing of its own accord has no GET stream: 405", async () => {
  const { fake, client } = await joined({ offers: { tools: {}, resources: {} } });
  const answer = await fake.bridge.listen(client.call());
  assertEquals([answer.status, fake.subscriptions.length], [405, 0]);
  await fake.bridge.close();
});

Deno.test("a server that has no subscriptions/listen after all: 405, and no such method to subscribe", async () => {
  const { fake, client } = await joined();
  fake.answers["subscriptions/listen"] = ({ message: { id } }) =>
    fake.server.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }, 404);
  assertEquals((await fake.bridge.listen(client.call())).status, 405);
  assertEquals((await subscribe(client, "a:")).error!.code, -32601);
  assertEquals(fake.of("subscriptions/listen").length, 1);
  assertEquals(fake.doubts, 0);
  await fake.bridge.close();
});

Deno.test("Last-Event-ID of a stream that was the bridge's cannot be gone on behind", async () => {
  const { fake, client } = await joined();
  const answer = await fake.bridge.listen(client.call({ lastEventId: "4" }));
  assertEquals(answer.status, 400);
  await fake.bridge.close();
});

Deno.test("resources/subscribe is answered once the server has acknowledged it, and unsubscribe takes it back", async () => {
  const { fake, client } = await joined();
  fake.acknowledges = false;
  let isAnswered = false;
  const subscribing = subscribe(client, "a:").finally(() => isAnswered = true);
  await settled();
  assertEquals([isAnswered, fake.subscription.filter], [false, {
    ...LISTS,
    resourceSubscriptions: ["a:"],
  }]);
  await fake.acknowledge();
  assertEquals((await subscribing).result, {});
  fake.acknowledges = true;
  assertEquals((await subscribe(client, "a:")).result, {});
  assertEquals(fake.subscriptions.length, 1);
  assertEquals((await subscribe(client, "b:")).result, {});
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["a:", "b:"]);
  const unsubscribe = (uri: unknown) => client.request("resources/unsubscribe", { uri });
  assertEquals((await unsubscribe("a:")).result, {});
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["b:"]);
  const before = fake.subscriptions.length;
  assertEquals((await unsubscribe("a:")).result, {});
  assertEquals((await unsubscribe(1)).error!.code, -32602);
  assertEquals(fake.subscriptions.length, before);
  assertEquals((await unsubscribe("b:")).result, {});
  await settled();
  assertEquals([
    fake.bridge.stats().listening,
    fake.subscriptions.every(({ filled }) => filled.aborted),
  ], [0, true]);
  await fake.bridge.close();
});

Deno.test("a resource that the server does not acknowledge is an error, and is not asked for again", async () => {
  const { fake, client } = await joined();
  fake.acknowledges = false;
  const subscribing = subscribe(client, "a:");
  await settled();
  await fake.acknowledge(fake.subscription, LISTS);
  assertEquals((await subscribing).error!.code, -32602);
  fake.acknowledges = true;
  await subscribe(client, "b:");
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["b:"]);
  assertEquals((await client.request("resources/subscribe", {})).error!.code, -32602);
  await fake.bridge.close();
});

Deno.test("the newer subscription is acknowledged before the older is closed, and nothing comes twice or is lost", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  const older = fake.subscription;
  fake.acknowledges = false;
  const subscribing = subscribe(client, "a:");
  await settled();
  const newer = fake.subscription;
  // Ahead of the newer one, on the older alone.
  fake.tell(CHANGED, { n: "1" }, older);
  // On both, the older first.
  fake.tell(CHANGED, { n: "2" }, older);
  await settled();
  assertEquals(older.filled.aborted, false);
  await fake.acknowledge(newer);
  fake.tell(CHANGED, { n: "2" }, newer);
  // On both, the newer first, and twice.
  for (const one of [newer, newer, older, older]) fake.tell(CHANGED, { n: "3" }, one);
  // What was still on its way on the older.
  fake.tell(CHANGED, { n: "4" }, older);
  assertEquals((await subscribing).result, {});
  assertEquals(await told(reader), ["1", "2", "3", "3", "4"]);
  assertEquals(older.filled.aborted, false);
  fake.clock.advance(250);
  await settled();
  assertEquals([older.filled.aborted, newer.filled.aborted], [true, false]);
  fake.tell(CHANGED, { n: "3" }, newer);
  assertEquals(await told(reader), ["1", "2", "3", "3", "4", "3"]);
  await fake.bridge.close();
});

Deno.test("what was given back does not come any more, what is beside it does", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  await subscribe(client, "a:");
  await subscribe(client, "b:");
  fake.clock.advance(250);
  const older = fake.subscription;
  await client.request("resources/unsubscribe", { uri: "a:" });
  fake.tell(UPDATED, { uri: "a:" }, older);
  fake.tell(UPDATED, { uri: "b:" }, older);
  fake.tell(UPDATED, { uri: "a:/part" }, older);
  fake.tell(UPDATED, { uri: "b:/part" }, older);
  assertEquals(await told(reader), ["b:", "b:/part"]);
  await fake.bridge.close();
});

Deno.test("subscriptions that come together are one change", async () => {
  const { fake, client } = await joined();
  fake.acknowledges = false;
  const all = ["a:", "b:", "c:"].map((uri, at) => subscribe(client, uri, at));
  await settled();
  assertEquals(fake.subscriptions.length, 1);
  fake.acknowledges = true;
  await fake.acknowledge();
  for (const { result } of await Promise.all(all)) assertEquals(result, {});
  assertEquals(fake.subscriptions.length, 2);
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["a:", "b:", "c:"]);
  await fake.bridge.close();
});

Deno.test("a change that the server refuses leaves what there was", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  const first = fake.subscription;
  fake.answers["subscriptions/listen"] = ({ message: { id } }) =>
    fake.server.json({ jsonrpc: "2.0", id, error: { code: -32603, message: "limit" } });
  assertEquals((await subscribe(client, "a:")).error!.code, -31502);
  fake.tell(CHANGED, { n: "1" }, first);
  assertEquals(await told(reader), ["1"]);
  assertEquals(first.filled.aborted, false);
  delete fake.answers["subscriptions/listen"];
  assertEquals((await subscribe(client, "b:")).result, {});
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["b:"]);
  await fake.bridge.close();
  assertEquals(fake.clock.timers, 0);
});

Deno.test("an acknowledgment that does not come in time is an error, and the request is closed", async () => {
  const { fake, client } = await joined();
  fake.acknowledges = false;
  const subscribing = client.exchange({
    jsonrpc: "2.0",
    id: 7,
    method: "resources/subscribe",
    params: { uri: "a:" },
  });
  await settled();
  fake.clock.advance(10_000);
  const answer = await subscribing;
  assertEquals(JSON.parse(await textOf(answer.body)).error.code, -31504);
  await settled();
  assertEquals(fake.subscription.filled.aborted, true);
  await fake.bridge.close();
});

Deno.test("GET does not wait for the acknowledgment for long, and what comes ahead of it is none", async () => {
  const { fake, client } = await joined();
  fake.acknowledges = false;
  const listening = client.listen();
  await settled();
  fake.tell(TOOLS_CHANGED);
  fake.clock.advance(2_000);
  const reader = await listening;
  await fake.acknowledge();
  fake.tell(CHANGED, { n: "1" });
  assertEquals(await told(reader), ["1"]);
  await fake.bridge.close();
});

Deno.test("R69 a subscription that breaks is opened again after a wait, for the same", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  await subscribe(client, "a:");
  fake.clock.advance(250);
  fake.subscription.filled.body.finish();
  await settled();
  assertEquals([fake.subscriptions.length, fake.bridge.stats().listening], [2, 0]);
  fake.clock.advance(10);
  await settled();
  assertEquals(fake.subscriptions.length, 3);
  assertEquals(fake.subscription.filter["resourceSubscriptions"], ["a:"]);
  fake.tell(UPDATED, { uri: "a:" });
  assertEquals(await told(reader), [...MISSED, "a:", "a:"]);
  await fake.bridge.close();
});

// 2025-11-25 basic/authorization, "Token Requirements": the client sends its token with every request of a session.
Deno.test("a subscription that breaks is opened again with the newest credentials that the server has taken", async () => {
  const { fake, client } = await joined();
  const ask = async (token: string) => {
    const headers = new Fields(["authorization", token]);
    const body = encode('{"jsonrpc":"2.0","id":7,"method":"tools/list"}');
    (await fake.bridge.exchange(client.call({ headers }), body)).body.discard();
  };
  await ask("Bearer 1");
  await client.listen();
  await ask("Bearer 2");
  fake.answers["tools/list"] = () => fake.server.json({}, 401);
  await ask("Bearer bad");
  fake.subscription.filled.body.finish();
  await settled();
  fake.clock.advance(10);
  await settled();
  const sent = fake.of("subscriptions/listen").map(({ call }) => call.headers.get("authorization"));
  assertEquals(sent, ["Bearer 1", "Bearer 2"]);
  await fake.bridge.close();
});

Deno.test("R69 one that cannot be opened at first is tried again, without the client's doing", async () => {
  const { fake, client } = await joined();
  fake.answers["subscriptions/listen"] = () => fake.server.json("no", 503);
  const reader = await client.listen();
  delete fake.answers["subscriptions/listen"];
  fake.clock.advance(10);
  await settled();
  fake.tell(CHANGED, { n: "1" });
  assertEquals(await told(reader), [...MISSED, "1"]);
  await fake.bridge.close();
});

Deno.test("R69 one that breaks behind a message is opened again as often as that happens", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  for (let times = 0; times < 5; times++) {
    fake.tell(CHANGED, { n: `${times}` });
    fake.subscription.filled.body.finish();
    await settled();
    fake.clock.advance(20);
    await settled();
  }
  const said = (await told(reader)).filter((one) => !MISSED.includes(one as string));
  assertEquals(said, ["0", "1", "2", "3", "4"]);
  assertEquals([fake.subscriptions.length, fake.bridge.stats().listening], [6, 1]);
  await fake.bridge.close();
});

Deno.test("R69 one that was open for long and had nothing to say has not failed", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  for (let times = 0; times < 5; times++) {
    fake.clock.advance(100);
    fake.subscription.filled.body.finish();
    await settled();
    fake.clock.advance(20);
    await settled();
  }
  assertEquals([fake.subscriptions.length, reader.ending], [6, undefined]);
  await fake.bridge.close();
});

Deno.test("a change while a broken subscription waits takes the place of the next try", async () => {
  const { fake, client } = await joined();
  await client.listen();
  fake.subscription.filled.body.finish();
  await settled();
  await subscribe(client, "a:");
  assertEquals(fake.subscriptions.length, 2);
  fake.clock.advance(100);
  await settled();
  assertEquals(fake.subscriptions.length, 2);
  await fake.bridge.close();
});

Deno.test("DELETE closes the subscription, also without a GET stream", async () => {
  const { fake, client } = await joined();
  await subscribe(client, "a:");
  await client.terminate();
  await settled();
  assertEquals([fake.subscription.filled.aborted, fake.clock.timers], [true, 0]);
});

Deno.test("the server's graceful end is one too, and is not passed on", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  const { id, filled } = fake.subscription;
  filled.send(
    `data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { resultType: "complete" } })}\n\n`,
  );
  await settled();
  fake.clock.advance(10);
  await settled();
  assertEquals([fake.subscriptions.length, await told(reader)], [2, MISSED]);
  await fake.bridge.close();
});

Deno.test("R69 one that breaks again and again ends the GET stream, and whoever comes back has it tried again", async () => {
  const { fake, client } = await joined();
  const reader = await client.listen();
  for (let times = 0; times < 3; times++) {
    fake.subscription.filled.body.finish();
    await settled();
    fake.clock.advance(20);
    await settled();
  }
  assertEquals(fake.subscriptions.length, 3);
  await reader.readAll();
  assertEquals(reader.ending, null);
  await client.listen();
  assertEquals(fake.subscriptions.length, 4);
  await fake.bridge.close();
});

Deno.test("what comes while no GET stream is open waits, within bounds, the oldest goes first", async () => {
  const { fake, client } = await joined({ limits: { maxWaitingMessages: 2 } });
  await subscribe(client, "a:");
  for (const n of ["1", "2", "3"]) fake.tell(CHANGED, { n });
  await settled();
  const { waiting, dropped } = fake.bridge.stats();
  assertEquals([waiting, dropped], [2, { [CHANGED]: 1 }]);
  assertEquals(await toldNow(client), ["2", "3"]);
  assertEquals(fake.bridge.stats().waiting, 0);
  await fake.bridge.close();
});

Deno.test("R49 what comes while the GET stream is not read waits within the same bounds", async () => {
  const { fake, client } = await joined({ limits: { maxWaitingMessages: 2 } });
  const { body } = await fake.bridge.listen(client.call());
  const text = "x".repeat(40_000);
  for (const n of ["1", "2", "3", "4", "5"]) fake.tell(CHANGED, { n, text });
  await settled();
  assertEquals([fake.bridge.stats().waiting, fake.bridge.stats().dropped], [2, { [CHANGED]: 1 }]);
  assertEquals(await told(sourceReader(body)), ["1", "2", "4", "5"]);
  body.discard();
  await fake.bridge.close();
});

Deno.test("2025-11-25 Multiple Connections: each message comes on one GET stream; their number is bounded", async () => {
  const { fake, client } = await joined({ limits: { maxStreams: 2 } });
  const one = await client.listen();
  const two = await client.listen();
  assertEquals((await fake.bridge.listen(client.call())).status, 409);
  fake.tell(CHANGED, { n: "1" });
  assertEquals([await told(one), await told(two)], [[], ["1"]]);
  await fake.bridge.close();
});

Deno.test("the last GET stream that is given up closes the subscription", async () => {
  const { fake, client } = await joined();
  const { body } = await fake.bridge.listen(client.call({ signal: NEVER_ABORTED }));
  body.discard();
  await settled();
  assertEquals([fake.subscription.filled.aborted, fake.bridge.stats().listening], [true, 0]);
  fake.clock.advance(99_999);
  assertEquals(fake.bridge.stats().sessions, 1);
  await fake.bridge.close();
});

Deno.test("R82 subscriptions of one session are capped", async () => {
  const { fake, client } = await joined({ limits: { maxSubscriptions: 1 } });
  await subscribe(client, "a:");
  assertEquals((await subscribe(client, "b:")).error!.code, -31429);
  assertEquals((await subscribe(client, "a:")).result, {});
  await fake.bridge.close();
});

Deno.test("caching: a change of the tools has their header parameters asked for again", async () => {
  const { fake, client } = await joined();
  await client.listen();
  fake.answers["tools/list"] = () => ({ tools: [{ name: "t" }], ttlMs: 1_000_000 });
  await client.request("tools/call", { name: "t" });
  await client.request("tools/call", { name: "t" });
  assertEquals(fake.of("tools/list").length, 1);
  fake.tell(TOOLS_CHANGED);
  await settled();
  await client.request("tools/call", { name: "t" });
  assertEquals(fake.of("tools/list").length, 2);
  await fake.bridge.close();
});
