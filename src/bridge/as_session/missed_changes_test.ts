/**
 * Changes that nobody was told of while a session had no subscription at the server.
 *
 * Source: 2025-11-25 server/tools, server/prompts, server/resources ("List Changed Notification",
 * "Subscriptions"): whoever is not told keeps what it has. 2026-07-28 basic/patterns/subscriptions: a listen
 * stream is not replayed.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ModernFake, type ModernFakeOptions } from "../../testing/bridge.ts";
import { settled, type SourceReader } from "../../testing/relay.ts";
import { messagesIn } from "../../testing/share.ts";

const LISTS = [
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
];

async function joined(options: ModernFakeOptions = {}) {
  const fake = new ModernFake(options);
  const client = await fake.join();
  const subscribe = (uri: string) => client.request("resources/subscribe", { uri });
  /** The subscription breaks and is opened again. */
  const renew = async () => {
    fake.subscription.filled.body.finish();
    await settled();
    fake.clock.advance(20);
    await settled();
  };
  return { fake, client, subscribe, renew };
}

/** What a reader has been told: the URI or method of each. */
async function told(reader: SourceReader): Promise<unknown[]> {
  await reader.readAll();
  return messagesIn(reader).map(({ method, params }) => params?.["uri"] ?? method);
}

Deno.test("behind a gap all that may have changed is told once, and on the first opening nothing is", async () => {
  const { fake, client, subscribe, renew } = await joined();
  const reader = await client.listen();
  await subscribe("a:");
  await subscribe("b:");
  fake.clock.advance(250);
  assertEquals(await told(reader), []);
  await renew();
  assertEquals(await told(reader), [...LISTS, "a:", "b:"]);
  assertEquals(messagesIn(reader).at(-1), {
    jsonrpc: "2.0",
    method: "notifications/resources/updated",
    params: { uri: "b:" },
  });
  fake.clock.advance(1_000);
  await settled();
  assertEquals((await told(reader)).length, 5);
  await renew();
  assertEquals((await told(reader)).length, 10);
  await fake.bridge.close();
});

Deno.test("behind a gap the lists are told whose changes the server tells", async () => {
  const { fake, client, renew } = await joined({
    offers: { tools: {}, prompts: { listChanged: true }, resources: { listChanged: false } },
  });
  const reader = await client.listen();
  await renew();
  assertEquals(await told(reader), ["notifications/prompts/list_changed"]);
  await fake.bridge.close();
});

Deno.test("what is told behind a gap waits for a client without a GET stream", async () => {
  const { fake, client, subscribe, renew } = await joined();
  await subscribe("a:");
  await renew();
  assertEquals(await told(await client.listen()), [...LISTS, "a:"]);
  await fake.bridge.close();
});

Deno.test("of a gap while something else is subscribed to, what is first subscribed to then is not told", async () => {
  const { fake, client, subscribe } = await joined();
  const reader = await client.listen();
  await subscribe("a:");
  await subscribe("b:");
  fake.clock.advance(250);
  fake.subscription.filled.body.finish();
  await settled();
  await subscribe("c:");
  assertEquals(await told(reader), [...LISTS, "a:", "b:"]);
  await fake.bridge.close();
});

Deno.test("a GET stream whose subscription could not be had at first is told what it may have missed", async () => {
  const { fake, client } = await joined();
  fake.answers["subscriptions/listen"] = () => fake.server.json("no", 503);
  const reader = await client.listen();
  assertEquals(await told(reader), []);
  delete fake.answers["subscriptions/listen"];
  fake.clock.advance(10);
  await settled();
  assertEquals(await told(reader), LISTS);
  await fake.bridge.close();
});

Deno.test("who gives all up and listens anew has missed nothing that was promised", async () => {
  const { fake, client, subscribe } = await joined();
  await subscribe("a:");
  fake.subscription.filled.body.finish();
  await settled();
  await client.request("resources/unsubscribe", { uri: "a:" });
  assertEquals(await told(await client.listen()), []);
  await fake.bridge.close();
});

Deno.test("caching: behind a gap the header parameters of tools are asked for again", async () => {
  const { fake, client, renew } = await joined();
  await client.listen();
  fake.answers["tools/list"] = () => ({ tools: [{ name: "t" }], ttlMs: 1_000_000 });
  await client.request("tools/call", { name: "t" });
  await client.request("tools/call", { name: "t" });
  assertEquals(fake.of("tools/list").length, 1);
  await renew();
  await client.request("tools/call", { name: "t" });
  assertEquals(fake.of("tools/list").length, 2);
  await fake.bridge.close();
});
