/**
 * R49, R50, R53, R86: many clients, clients that do not read, and many calls, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { eventServer, type ServerStream } from "../testing/event_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { withProxy } from "../testing/proxy.ts";
import * as streams from "../testing/streams.ts";

const { call, listen, openSession } = eventClient;
const { event, progress, result } = streams;

const CLIENTS = 100;
const WRITE_TIMEOUT_MS = 1_000;
const TIMEOUTS = { limits: { clientWriteTimeoutMs: WRITE_TIMEOUT_MS, keepAliveMs: 0 } };

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Sends large events for as long as it may; the result is how many there were. */
async function flood(server: ServerStream, isOver: () => boolean): Promise<number> {
  const data = `{"method":"n","params":"${"x".repeat(100_000)}"}`;
  let number = 0;
  while (!isOver()) await server.send(event(`up-${++number}`, data));
  return number;
}

Deno.test("R50 R53 of 100 clients one does not read: it is dropped and told of, the others get theirs at once", async () => {
  const clock = new ManualClock();
  await using upstream = eventServer();
  const options = streams.reconnecting(upstream.url, { clock, config: TIMEOUTS });
  await withProxy(options, async ({ origin, logs }) => {
    const clients = [];
    for (let index = 0; index < CLIENTS; index++) {
      const session = await openSession(origin);
      const stream = await listen(origin, session);
      clients.push({ session, stream, server: await upstream.stream(index) });
    }
    const [slow, ...others] = clients;
    assert(slow !== undefined);
    const { id } = await slow.stream.next() as { id: string };
    const cut = () => logs.filter((line) => line.includes("answer cut short"));
    const flooding = flood(slow.server, () => cut().length > 0);
    let rounds = 0;
    while (cut().length === 0) {
      rounds++;
      for (const { server } of others) await server.send(event(null, progress(rounds)));
      await pause(5);
      clock.advance(WRITE_TIMEOUT_MS / 20);
    }
    const wanted = ["", ...Array.from({ length: rounds }, (_, at) => progress(at + 1))];
    for (const { stream } of others) {
      for (const data of wanted) {
        assertEquals((await stream.next() as { data: string }).data, data);
      }
    }
    assertEquals(cut().length, 1);
    assert(cut()[0]!.includes("took nothing of its answer"), cut()[0]);
    // It is the connection that is dropped: the stream goes on, and can be resumed.
    assert(await flooding > 0);
    using resumed = await listen(origin, slow.session, id);
    assertEquals(resumed.status, 200);
    assert((await resumed.next() as { data?: string }).data !== "");
    for (const { stream } of clients) stream[Symbol.dispose]();
  });
});

Deno.test("R49 a client of a session that does not read pauses its upstream, and gets everything when it reads", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    let sent = 0;
    const total = 400;
    const sending = (async () => {
      for (; sent < total; sent++) {
        await server.send(event(`up-${sent}`, `{"n":${sent},"x":"${"x".repeat(100_000)}"}`));
      }
      await server.send(event(null, result(7)));
      await server.end();
    })();
    let before = -1;
    while (sent !== before) {
      before = sent;
      await pause(150);
    }
    assert(sent < total, `all ${total} events were taken from the upstream`);
    const events = await stream.rest();
    await sending;
    assertEquals(events.length, total + 2);
    const order = events.slice(1, -1).map(({ data }) => JSON.parse(data!).n);
    assertEquals(order, Array.from({ length: total }, (_, at) => at));
  });
});

Deno.test("R86 of 300 calls of a session the newest can be resumed, the oldest have given way", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const ids: string[] = [];
    for (let number = 0; number < 300; number++) {
      using stream = await call(origin, session, number);
      const server = await upstream.stream(number);
      await server.send(event("up", progress(1)) + event(null, result(number)));
      await server.end();
      const events = await stream.rest();
      assertEquals(events.at(-1)!.data, result(number));
      ids.push(events[0]!.id!);
    }
    const statuses: number[] = [];
    for (const id of [ids[0]!, ids[235]!, ids[236]!, ids[299]!]) {
      using resumed = await listen(origin, session, id);
      statuses.push(resumed.status);
    }
    assertEquals(statuses, [400, 400, 200, 200]);
    assertEquals(upstream.requests.length, 301);
  });
});
