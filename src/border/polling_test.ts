/**
 * R57, R58: servers that end their streams so that they are polled, for clients that cannot poll, over real
 * sockets.
 *
 * Source: 2025-11-25 basic/transports, "Sending Messages to the Server" 6: "the server MAY close the connection
 * [...]. The client SHOULD then 'poll' the SSE stream by attempting to reconnect"; and "Resumability and
 * Redelivery".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import type { EventServer } from "../testing/event_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { RawClient } from "../testing/raw_client.ts";
import { jsonAnswer } from "../testing/scripted_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { event, result } = streams;
const { quietServer, says } = sse;

/** Polls that a server answers with nothing: more than there are attempts. */
const POLLS = 12;

/** A client that has called: reads the answer to its call. */
interface Caller extends Disposable {
  answer(): Promise<{ result?: unknown; error?: { code: number; message: string } }>;
}

interface Kind {
  readonly name: string;
  readonly era: string;
  readonly revision: string;
  call(proxy: TestProxy): Promise<Caller>;
}

/** Reads a stream up to the answer. */
function callerOf(stream: eventClient.ClientStream): Caller {
  return {
    async answer() {
      const events = await stream.rest();
      return JSON.parse(events.findLast(({ data }) => data !== undefined)!.data!);
    },
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

const KINDS: readonly Kind[] = [
  {
    name: "a client from before 2025-11-25",
    era: "both",
    revision: "2025-06-18",
    async call({ origin }) {
      const session = await eventClient.openSession(origin, "2025-06-18");
      return callerOf(await eventClient.call(origin, session, 7));
    },
  },
  {
    name: "a client of HTTP+SSE",
    era: "both",
    revision: "2025-11-25",
    async call({ origin }) {
      const caller = await sseCaller(origin);
      await caller.start();
      await caller.post(sse.call(7));
      return {
        answer: async () => JSON.parse(await caller.next()),
        [Symbol.dispose]: () => caller[Symbol.dispose](),
      };
    },
  },
  {
    name: "a client of 2026-07-28",
    era: "session",
    revision: "2025-11-25",
    async call({ origin }) {
      const client = await RawClient.connect(origin);
      await client.write(streams.modernCall());
      return {
        // The head comes with the first message; where that is the answer it is JSON.
        async answer() {
          const { status, headers } = await client.readHead();
          const { bytes } = await client.readBody(status, headers);
          return JSON.parse(new TextDecoder().decode(bytes));
        },
        [Symbol.dispose]: () => client.close(),
      };
    },
  },
];

/** Lets time pass in short steps until `isSo`. */
async function passUntil(clock: ManualClock, isSo: () => boolean): Promise<void> {
  for (let steps = 0; !isSo(); steps++) {
    assert(steps < 1_000, "it did not come");
    clock.advance(200);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A server whose streams a test writes. */
const server = (revision: string) =>
  quietServer({
    revision,
    sessionId: sse.INNER,
    otherwise: async (request, to) => {
      if (!says("tools/list")(request)) return false;
      await to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'));
      return true;
    },
  });

/** Ends the next `count` streams of the server as soon as they begin. */
async function endAtOnce(
  upstream: EventServer,
  clock: ManualClock,
  count: number,
): Promise<void> {
  for (let at = 0; at < count; at++) {
    const index = upstream.streams;
    await passUntil(clock, () => upstream.streams > index);
    await (await upstream.stream(index)).end();
  }
}

for (const { name, era, revision, call } of KINDS) {
  for (const retryMs of [undefined, 5_000]) {
    const how = retryMs === undefined ? "without retry" : `every ${retryMs} ms`;
    Deno.test(`R57 for ${name} a server is polled ${how} until it has the answer`, async () => {
      const clock = new ManualClock();
      await using upstream = server(revision);
      const setting = { ...streams.reconnecting(upstream.url, { clock }) };
      const upstreamConfig = { ...setting.upstreamConfig, era };
      await withProxy({ ...setting, upstreamConfig }, async (proxy) => {
        const calling = call(proxy);
        const first = await upstream.stream(0);
        const retry = retryMs === undefined ? "" : `retry: ${retryMs}\n`;
        await first.send(`id: up-1\n${retry}data: \n\n`);
        using caller = await calling;
        await first.end();
        const sinceMs = clock.monotonicMs();
        await endAtOnce(upstream, clock, POLLS);
        // The first poll comes at once where the server has not said otherwise.
        const leastMs = retryMs === undefined ? (POLLS - 1) * 1_000 : POLLS * retryMs;
        assert(clock.monotonicMs() - sinceMs >= leastMs, `${clock.monotonicMs() - sinceMs}`);
        await passUntil(clock, () => upstream.streams === POLLS + 2);
        const last = await upstream.stream(POLLS + 1);
        assertEquals(last.request.field("last-event-id"), "up-1");
        const { id } = JSON.parse(sse.bodyOf(first.request));
        await last.send(event("up-2", result(id)));
        await last.end();
        const answer = await caller.answer();
        assertEquals([answer.error, answer.result !== undefined], [undefined, true]);
      });
    });
  }

  Deno.test(`R58 for ${name} a server that says nothing is polled for streamIdleTimeoutMs and no longer`, async () => {
    const clock = new ManualClock();
    await using upstream = server(revision);
    const setting = { ...streams.reconnecting(upstream.url, { clock }) };
    const upstreamConfig = { ...setting.upstreamConfig, era, streamIdleTimeoutMs: 10_000 };
    await withProxy({ ...setting, upstreamConfig }, async (proxy) => {
      const calling = call(proxy);
      const first = await upstream.stream(0);
      await first.send("id: up-1\ndata: \n\n");
      using caller = await calling;
      await first.end();
      const sinceMs = clock.monotonicMs();
      const answering = caller.answer();
      let isAnswered = false;
      const noted = answering.then(() => isAnswered = true);
      while (!isAnswered) {
        const index = upstream.streams;
        await passUntil(clock, () => isAnswered || upstream.streams > index);
        if (!isAnswered) await (await upstream.stream(index)).end();
      }
      await noted;
      assertEquals((await answering).error?.code, -31504);
      assert(clock.monotonicMs() - sinceMs >= 10_000);
      assert(upstream.streams <= 14, `${upstream.streams}`);
    });
  });
}
