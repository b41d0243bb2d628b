import { assertEquals } from "@std/assert";
import { ModernFake } from "../../testing/bridge.ts";
import { settled } from "../../testing/relay.ts";
import { eventOf, messagesIn } from "../../testing/share.ts";

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";
const CANCELLED = "notifications/cancelled";
const TOOLS_CHANGED = "notifications/tools/list_changed";
const PROMPTS_CHANGED = "notifications/prompts/list_changed";
const UPDATED = "notifications/resources/updated";

const OFFERS = { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true } };

Deno.test("2026-07-28 basic/patterns/subscriptions: what was not asked for does not reach the client", async () => {
  const fake = new ModernFake({ offers: OFFERS });
  const client = await fake.join();
  const reader = await client.listen();
  await client.request("resources/subscribe", { uri: "a:/x" });
  fake.clock.advance(250);
  fake.tell(ACKNOWLEDGED, { notifications: {} });
  fake.tell(PROMPTS_CHANGED);
  for (const uri of ["b:", "a:/xy", "a:/", 7, undefined]) fake.tell(UPDATED, { uri });
  fake.tell("notifications/message", { level: "error", data: "d" });
  fake.tell(CANCELLED, { requestId: "another" });
  const { filled } = fake.subscription;
  filled.send(eventOf({ jsonrpc: "2.0", id: 1, method: TOOLS_CHANGED }));
  filled.send(eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" }));
  for (const uri of ["a:/x", "a:/x/part"]) fake.tell(UPDATED, { uri });
  fake.tell(TOOLS_CHANGED);
  await reader.readAll();
  assertEquals(messagesIn(reader), [
    { jsonrpc: "2.0", method: UPDATED, params: { uri: "a:/x" } },
    { jsonrpc: "2.0", method: UPDATED, params: { uri: "a:/x/part" } },
    { jsonrpc: "2.0", method: TOOLS_CHANGED, params: {} },
  ]);
  assertEquals(fake.subscriptions.length, 2);
  assertEquals(fake.bridge.stats().dropped, {
    [ACKNOWLEDGED]: 1,
    [PROMPTS_CHANGED]: 1,
    [UPDATED]: 5,
    "notifications/message": 1,
    [CANCELLED]: 1,
    "(request on a modern stream)": 2,
  });
  await fake.bridge.close();
});

Deno.test("2026-07-28 basic/patterns/cancellation: a subscription that the server cancels is over, and opened again as after a break", async () => {
  const fake = new ModernFake({ offers: OFFERS });
  const client = await fake.join();
  const reader = await client.listen();
  const { id, filled } = fake.subscription;
  fake.tell(CANCELLED, { requestId: id, reason: "shutting down" });
  fake.tell(TOOLS_CHANGED);
  await settled();
  assertEquals([filled.aborted, fake.bridge.stats().listening], [true, 0]);
  fake.clock.advance(10);
  await settled();
  assertEquals([fake.subscriptions.length, fake.bridge.stats().listening], [2, 1]);
  await reader.readAll();
  // What may have changed behind the gap: all lists of the server, and no other message.
  assertEquals(messagesIn(reader).filter(({ params }) => params !== undefined), []);
  await fake.bridge.close();
});

Deno.test("R69 a server that cancels each subscription is asked no more often than one that breaks each off", async () => {
  const fake = new ModernFake({ offers: OFFERS });
  const client = await fake.join();
  const reader = await client.listen();
  for (let times = 0; times < 3; times++) {
    fake.tell(CANCELLED, { requestId: fake.subscription.id });
    await settled();
    fake.clock.advance(20);
    await settled();
  }
  assertEquals(fake.subscriptions.length, 3);
  await reader.readAll();
  assertEquals(reader.ending, null);
  await fake.bridge.close();
});

Deno.test("a subscription that the server cancels ahead of its acknowledgment is refused", async () => {
  const fake = new ModernFake({ offers: OFFERS });
  fake.acknowledges = false;
  const client = await fake.join();
  const subscribing = client.request("resources/subscribe", { uri: "a:" });
  await settled();
  fake.tell(CANCELLED, { requestId: fake.subscription.id });
  assertEquals((await subscribing).error!.code, -31502);
  await fake.bridge.close();
});
