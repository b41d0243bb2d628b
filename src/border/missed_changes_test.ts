/**
 * Changes that clients of sessions were not told of while the server's stream was down, over real sockets.
 *
 * Source: 2025-11-25 server/tools, server/prompts and server/resources, "List Changed Notification" and
 * "Subscriptions": a client keeps what it has until it is told; basic/transports, "Resumability and Redelivery":
 * behind no event id nothing is given again.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { withProxy } from "../testing/proxy.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import * as speaking from "../testing/speaking_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as streams from "../testing/streams.ts";

const { listen } = eventClient;
const { event, progress, reconnecting } = streams;
const { nextData, speakingUpstream } = speaking;

const capabilities = {
  tools: { listChanged: true },
  prompts: {},
  resources: { listChanged: true, subscribe: true },
};

const MISSED = [
  { jsonrpc: "2.0", method: "notifications/tools/list_changed" },
  { jsonrpc: "2.0", method: "notifications/resources/list_changed" },
  { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "demo://a" } },
];

/** So many of the messages that come next. */
async function told(next: () => Promise<string>, count: number): Promise<unknown[]> {
  const all: unknown[] = [];
  while (all.length < count) all.push(JSON.parse(await next()));
  return all;
}

/** The next message is this, so nothing was told ahead of it. */
async function assertNext(
  next: () => Promise<string>,
  speaker: speaking.Speaker,
  step: number,
): Promise<void> {
  await speaker.say(event(null, progress(step)));
  assertEquals(await next(), progress(step));
}

Deno.test("a GET stream that is opened again behind no event id: all that may have changed is told once", async () => {
  await using upstream = speakingUpstream({ capabilities });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    using stream = await listen(proxy.origin, client.id);
    const next = () => nextData(stream);
    const first = await upstream.speaker(0);
    await assertNext(next, first, 1);
    first.breakOff();
    const second = await upstream.speaker(1);
    assertEquals([second.lastEventId, await told(next, 3)], [undefined, MISSED]);
    await assertNext(next, second, 2);
    second.breakOff();
    const third = await upstream.speaker(2);
    assertEquals(await told(next, 3), MISSED);
    await assertNext(next, third, 3);
  });
});

Deno.test("a GET stream that goes on behind an event id was given what had come: nothing is told", async () => {
  await using upstream = speakingUpstream({ capabilities });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    const next = () => nextData(stream);
    const first = await upstream.speaker(0);
    await first.say(event("e1", progress(1)));
    assertEquals(await next(), progress(1));
    first.breakOff();
    const second = await upstream.speaker(1);
    assertEquals(second.lastEventId, "e1");
    await assertNext(next, second, 2);
  });
});

Deno.test("R66 in a session made anew all is told that the new server tells of", async () => {
  const offers: Record<string, unknown> = { ...capabilities };
  await using upstream = speakingUpstream({ capabilities: offers });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    using stream = await listen(proxy.origin, client.id);
    const next = () => nextData(stream);
    const first = await upstream.speaker(0);
    await first.say(event("e1", progress(1)));
    assertEquals(await next(), progress(1));
    offers["prompts"] = { listChanged: true };
    upstream.restart();
    const second = await upstream.speaker(1);
    assertEquals([second.session, second.lastEventId], ["inner-2", undefined]);
    assertEquals(await told(next, 4), [
      MISSED[0],
      { jsonrpc: "2.0", method: "notifications/prompts/list_changed" },
      ...MISSED.slice(1),
    ]);
    await assertNext(next, second, 2);
  });
});

Deno.test("a client that is away while the stream is opened again and again is told once", async () => {
  await using upstream = speakingUpstream({ capabilities });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    const stream = await listen(proxy.origin, client.id);
    const first = await upstream.speaker(0);
    await first.say(event(null, progress(1)));
    let lastId: string | undefined;
    for (;;) {
      const got = await stream.next();
      if (got === null || got === "cut") throw new Error("the stream ended");
      lastId = got.id;
      if (got.data === progress(1)) break;
    }
    stream[Symbol.dispose]();
    for (let times = 0; times < 3; times++) (await upstream.speaker(times)).breakOff();
    await (await upstream.speaker(3)).say(event(null, progress(2)));
    using again = await listen(proxy.origin, client.id, lastId);
    const next = () => nextData(again);
    assertEquals(await told(next, 4), [...MISSED, JSON.parse(progress(2))]);
  });
});

Deno.test("R80 a stream that takes the place of one which is gone says what may have changed", async () => {
  await using upstream = speakingUpstream({ capabilities });
  const config = { limits: { resumeWindowMs: 1_000 } };
  await withProxy(reconnecting(upstream.url, { config }), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    const stream = await listen(proxy.origin, client.id);
    const first = await upstream.speaker(0);
    await first.say(event(null, progress(1)));
    const primed = await stream.next();
    if (primed === null || primed === "cut") throw new Error("the stream ended");
    stream[Symbol.dispose]();
    // It is given up behind the window.
    await first.closed;
    using again = await listen(proxy.origin, client.id, primed.id);
    const next = () => nextData(again);
    const second = await upstream.speaker(1);
    assertEquals(await told(next, 3), MISSED);
    await assertNext(next, second, 2);
  });
});

Deno.test("R80 a client that comes back and finds events gone is told what may have changed", async () => {
  await using upstream = speakingUpstream({ capabilities });
  const config = { eventLog: { maxStreamEvents: 2 } };
  await withProxy(reconnecting(upstream.url, { config }), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    const stream = await listen(proxy.origin, client.id);
    const speaker = await upstream.speaker(0);
    const primed = await stream.next();
    if (primed === null || primed === "cut") throw new Error("the stream ended");
    for (let step = 1; step <= 5; step++) {
      await speaker.say(event(null, progress(step)));
      assertEquals(await nextData(stream), progress(step));
    }
    // It did not get what it was given last.
    stream[Symbol.dispose]();
    using again = await listen(proxy.origin, client.id, primed.id);
    const next = () => nextData(again);
    assertEquals(await told(next, 5), [...MISSED, ...[4, 5].map((n) => JSON.parse(progress(n)))]);
    await assertNext(next, speaker, 6);
  });
});

Deno.test("a client of HTTP+SSE is told as well, and for it the proxy goes on behind an event id too", async () => {
  await using upstream = speakingUpstream({ capabilities });
  await withProxy(reconnecting(upstream.url), async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    await caller.post(
      '{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"demo://a"}}',
    );
    assertEquals(JSON.parse(await caller.next()).id, 5);
    const { next } = caller;
    const first = await upstream.speaker(0);
    await assertNext(next, first, 1);
    first.breakOff();
    const second = await upstream.speaker(1);
    assertEquals([second.lastEventId, await told(next, 3)], [undefined, MISSED]);
    await second.say(event("e1", progress(2)));
    assertEquals(await next(), progress(2));
    second.breakOff();
    const third = await upstream.speaker(2);
    assertEquals(third.lastEventId, "e1");
    await assertNext(next, third, 3);
    upstream.restart();
    const fourth = await upstream.speaker(3);
    assertEquals([fourth.session, await told(next, 3)], ["inner-2", MISSED]);
    await assertNext(next, fourth, 4);
  });
});
