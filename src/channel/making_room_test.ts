/**
 * R82: at the cap of an upstream on channels the longest idle one makes room, whichever era it is for.
 *
 * Source: 2026-07-28 basic/transports/stdio: a request needs nothing of an earlier one, so that its caller may
 * have a process of its own again at any time.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import * as testing from "../testing/channel.ts";
import * as modernChannel from "../testing/modern_channel.ts";

const { Modern, readerOf, settled } = modernChannel;

/** A caller of 2026-07-28 that has been answered. */
async function used(modern: modernChannel.Modern, principal: string): Promise<testing.FakeChannel> {
  const { answer } = await modern.ask(1, { principal });
  const { channel } = modern;
  channel.answer("tools/call");
  assertEquals((await answer).status, 200);
  return channel;
}

async function refused(modern: modernChannel.Modern, principal: string): Promise<ProxyError> {
  return await assertRejects(
    async () => await (await modern.ask(1, { principal })).answer,
    ProxyError,
  );
}

Deno.test("R82 the channel of the principal that has asked for nothing for longest gives way to a new one", async () => {
  const modern = new Modern({ limits: { maxSessions: 2, sessionEvictIdleMs: 1_000 } });
  const [a, b] = [await used(modern, "a"), await used(modern, "b")];
  modern.fake.clock.advance(999);
  const error = await refused(modern, "c");
  assertEquals([error.kind, error.headers], ["upstream_saturated", { "retry-after": "10" }]);
  modern.fake.clock.advance(1);
  const again = await modern.ask(2, { principal: "a" });
  a.answer("tools/call");
  await again.answer;
  const c = await used(modern, "c");
  assertEquals([a.closed, b.closed, c.closed], [false, true, false]);
  assertEquals(modern.fake.upstream.stats().sessionless, 2);
  // Who comes back has another one, once there is room.
  modern.fake.clock.advance(1_000);
  await used(modern, "b");
  assertEquals([a.closed, c.closed, modern.fake.channels.length], [true, false, 4]);
  await modern.end();
});

Deno.test("R82 a channel with a request or a subscription under way, or that is being opened, does not give way", async () => {
  const opening = Promise.withResolvers<void>();
  const channels: testing.FakeChannel[] = [];
  const modern = new Modern({
    limits: { maxSessions: 3, sessionEvictIdleMs: 0 },
    open: async (events) => {
      const channel = new testing.FakeChannel(events);
      if (channels.push(channel) === 3) await opening.promise;
      return channel;
    },
  });
  const asking = await modern.ask(1, { principal: "a" });
  const listening = await modern.listen(1, "b");
  channels[1]!.say({
    jsonrpc: "2.0",
    method: "notifications/subscriptions/acknowledged",
    params: { _meta: { "io.modelcontextprotocol/subscriptionId": channels[1]!.messages[0]!.id } },
  });
  const { reader } = await readerOf(listening);
  const opened = await modern.ask(1, { principal: "c" });
  modern.fake.clock.advance(5_000);
  assertEquals((await refused(modern, "d")).kind, "upstream_saturated");
  assertEquals([reader.ending, channels.map(({ closed }) => closed)], [
    undefined,
    [false, false, false],
  ]);
  opening.resolve();
  await settled();
  channels[2]!.answer("tools/call");
  assertEquals((await opened.answer).status, 200);
  // It is idle now, and the only one.
  const last = await modern.ask(1, { principal: "d" });
  assertEquals(channels.map(({ closed }) => closed), [false, false, true, false]);
  for (const channel of [channels[0]!, channels[3]!]) channel.answer("tools/call");
  assertEquals([(await asking.answer).status, (await last.answer).status], [200, 200]);
  await modern.end();
});

Deno.test("R82 a session and the channel of a principal make room for each other", async () => {
  const modern = new Modern({ limits: { maxSessions: 1, sessionEvictIdleMs: 1_000 } });
  const { channel: session } = await modern.fake.join();
  modern.fake.clock.advance(1_000);
  const principal = await used(modern, "a");
  assert(session.closed && !principal.closed);
  modern.fake.clock.advance(1_000);
  const { channel: other } = await modern.fake.join();
  assert(principal.closed && !other.closed);
  await modern.end();
});

Deno.test("R82 a new channel is opened when nothing is left of the one that gave way", async () => {
  const modern = new Modern({ limits: { maxSessions: 1, sessionEvictIdleMs: 0 } });
  const first = await used(modern, "a");
  const gone = Promise.withResolvers<void>();
  first.close = () => gone.promise;
  const { answer } = await modern.ask(1, { principal: "b" });
  assertEquals(modern.fake.channels.length, 1);
  gone.resolve();
  await settled();
  modern.channel.answer("tools/call");
  assertEquals([(await answer).status, modern.fake.channels.length], [200, 2]);
  await modern.end();
});
