/**
 * R52, R54, R77, R79, R80: event streams of sessions and who reads them, over real sockets.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery".
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { withProxy } from "../testing/proxy.ts";
import { jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import * as streams from "../testing/streams.ts";

const { call, listen, openSession } = eventClient;
const { event, progress, result } = streams;

/** The names of the streams in event ids, and the numbers. */
function idsOf(events: readonly { readonly id: string | undefined }[]): string[] {
  const ids = events.map(({ id }) => id ?? "none");
  const [name] = ids[0]!.split(".");
  return ids.map((id) => id.replace(name!, "S"));
}

Deno.test("R77 R79 events get ids of the proxy's that name stream and number", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)) + event(null, progress(2)) + ": c\n\n");
    await server.send(event("up-3", result(7)));
    await server.end();
    const events = await stream.rest();
    const told = events.map(({ data, comments }) => data ?? comments[0]);
    assertEquals(told, ["", progress(1), progress(2), " c", result(7)]);
    assertEquals(idsOf(events), ["S.0", "S.1", "S.2", "none", "S.3"]);
    assertMatch(events[0]!.id!, /^[\w-]{22}\.0$/);
  });
});

for (const revision of ["2025-03-26", "2025-06-18"]) {
  Deno.test(`a client of ${revision} gets no priming event`, async () => {
    await using upstream = eventServer({ revision });
    await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
      const session = await openSession(origin, revision);
      using stream = await call(origin, session, 7);
      const server = await upstream.stream(0);
      await server.send(event(null, result(7)));
      await server.end();
      assertEquals((await stream.rest()).map(({ data }) => data), [result(7)]);
    });
  });
}

Deno.test("R57 a stream that breaks is taken up behind its last event, and the client sees nothing of it", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const first = await upstream.stream(0);
    await first.send(
      event("up-1", progress(1)) + event("up-2", progress(2)) + "id: up-3\ndata: half",
    );
    assertEquals((await stream.next() as { data: string }).data, "");
    assertEquals((await stream.next() as { data: string }).data, progress(1));
    first.breakOff();
    const second = await upstream.stream(1);
    const { request } = second;
    assertMatch(request.line, /^GET /);
    assertEquals([request.field("last-event-id"), request.field("mcp-session-id")], [
      "up-2",
      "inner",
    ]);
    assertEquals(request.field("content-type"), undefined);
    await second.send(event("up-3", progress(3)));
    second.breakOff();
    const third = await upstream.stream(2);
    assertEquals(third.request.field("last-event-id"), "up-3");
    await third.send(event("up-4", result(7)));
    await third.end();
    const events = await stream.rest();
    assertEquals(events.map(({ data }) => data), [progress(2), progress(3), result(7)]);
    assertEquals(upstream.requests.length, 4);
  });
});

// 2025-11-25 basic/authorization, "Token Requirements": the client sends its token with every request of a session.
for (const credentials of ["forward", "drop"]) {
  Deno.test(`a stream is taken up with the newest Authorization that the server has taken (credentials: ${credentials})`, async () => {
    await using upstream = eventServer({
      otherwise: async (request, to) => {
        if (request.field("authorization") !== "Bearer bad") return false;
        await to.write("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        return true;
      },
    });
    const setting = streams.reconnecting(upstream.url);
    const upstreamConfig = { ...setting.upstreamConfig, credentials };
    await withProxy({ ...setting, upstreamConfig }, async ({ origin }) => {
      const session = await openSession(origin, undefined, { authorization: "Bearer 1" });
      const notify = (fields: Record<string, string>) =>
        postText(origin, '{"jsonrpc":"2.0","method":"notifications/x"}', {
          "mcp-session-id": session,
          ...fields,
        });
      using stream = await call(origin, session, 7);
      const first = await upstream.stream(0);
      await first.send(event("up-1", progress(1)));
      await stream.next();
      const { id } = await stream.next() as { id: string };
      await notify({ authorization: "Bearer 2" });
      await notify({ authorization: "Bearer bad" });
      await notify({});
      first.breakOff();
      const second = await upstream.stream(1);
      const sent = credentials === "forward" ? "Bearer 2" : undefined;
      assertEquals(second.request.field("authorization"), sent);
      await second.end();
      assertEquals(await stream.next(), null);
      // Polling, the client brings another one.
      using polled = await eventClient.begin(
        origin,
        "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n" +
          `mcp-session-id: ${session}\r\nlast-event-id: ${id}\r\nauthorization: Bearer 3\r\n\r\n`,
      );
      const third = await upstream.stream(2);
      assertEquals(third.request.field("authorization"), sent && "Bearer 3");
      await third.send(event("up-2", result(7)));
      await third.end();
      assertEquals((await polled.rest()).map(({ data }) => data), [result(7)]);
    });
  });
}

Deno.test("R54 a client that goes away has cancelled nothing, and gets the rest when it comes back", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    const seen = await stream.next() as { id: string };
    stream[Symbol.dispose]();
    await server.send(event("up-2", progress(2)));
    using resumed = await listen(origin, session, seen.id);
    assertEquals([resumed.status, resumed.headers.get("content-type")], [200, "text/event-stream"]);
    assertEquals(resumed.headers.get("mcp-session-id"), session);
    assertEquals((await resumed.next() as { data: string }).data, progress(2));
    await server.send(event("up-3", result(7)));
    await server.end();
    assertEquals((await resumed.rest()).map(({ data }) => data), [result(7)]);
    // The whole of it again, from the start, now that it is over.
    using again = await listen(origin, session, seen.id.replace(/\d+$/, "0"));
    const told = (await again.rest()).map(({ data }) => data);
    assertEquals(told, [progress(1), progress(2), result(7)]);
    assertEquals(upstream.requests.length, 2);
  });
});

Deno.test("R54 a client that goes before the head has cancelled nothing either", async () => {
  const held = Promise.withResolvers<void>();
  const closed: boolean[] = [];
  await using upstream = eventServer({
    otherwise: async (request, to) => {
      if (!new TextDecoder().decode(request.body).includes("tools/call")) return false;
      to.closed.then(() => closed.push(true));
      await held.promise;
      closed.push(false);
      return false;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const client = await RawClient.connect(origin);
    const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}';
    await client.write(jsonPost(body, { "mcp-session-id": session }));
    await upstream.received(1);
    client.close();
    // Another exchange, all the way through: by then the departure was seen.
    using _other = await listen(origin, session);
    await upstream.stream(0);
    held.resolve();
    const server = await upstream.stream(1);
    await server.send(event("up-1", result(7)));
    assertEquals(closed, [false]);
    await server.end();
    await server.closed;
  });
});

Deno.test("R79 R80 an event id of another session or stream, forged or unknown, gives no events", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const [mine, other] = [await openSession(origin), await openSession(origin)];
    using stream = await call(origin, mine, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    const { id } = await stream.next() as { id: string };
    const asked: [string, string][] = [
      [other, id],
      [mine, id.replace(/\d+$/, "99")],
      [mine, `${"A".repeat(22)}.1`],
      [mine, "up-1"],
      [mine, "\u00e9"],
    ];
    for (const [session, lastEventId] of asked) {
      using refused = await listen(origin, session, lastEventId);
      assertEquals(refused.status, 400);
    }
    assertEquals(upstream.requests.length, 3);
    await server.send(event(null, result(7)));
    await server.end();
    assertEquals((await stream.rest()).length, 1);
  });
});

Deno.test("R77 an event id that a client sends along with a call never goes upstream", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const client = await RawClient.connect(origin);
    const fields = { "mcp-session-id": session, "last-event-id": "S.1" };
    await client.write(jsonPost('{"jsonrpc":"2.0","id":7,"method":"ping"}', fields));
    assertEquals((await upstream.received(1)).field("last-event-id"), undefined);
    client.close();
  });
});

Deno.test("R80 what is no longer held is told as a gap, and what is held follows", async () => {
  await using upstream = eventServer();
  const config = { eventLog: { maxStreamEvents: 3 } };
  await withProxy(streams.reconnecting(upstream.url, { config }), async ({ origin }) => {
    const session = await openSession(origin);
    const stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    const { id } = await stream.next() as { id: string };
    stream[Symbol.dispose]();
    for (let step = 2; step <= 6; step++) await server.send(event(`up-${step}`, progress(step)));
    await server.send(event("up-7", result(7)));
    await server.end();
    await server.closed;
    using resumed = await listen(origin, session, id);
    const events = await resumed.rest();
    assertMatch(events[0]!.comments[0]!, /gap/);
    assertEquals(events.slice(1).map(({ data }) => data), [progress(5), progress(6), result(7)]);
  });
});

for (const how of ["is larger than a stream may hold", "was pushed out by those of others"]) {
  Deno.test(`R58 R80 an answer that ${how} is an error behind the gap, at each return`, async () => {
    await using upstream = eventServer();
    const isLarge = how.startsWith("is larger");
    const eventLog = isLarge ? { maxStreamBytes: 65_536 } : { maxEvents: 4 };
    const setting = streams.reconnecting(upstream.url, { config: { eventLog } });
    await withProxy(setting, async ({ origin }) => {
      const session = await openSession(origin);
      const stream = await call(origin, session, 7);
      const { id } = await stream.next() as { id: string };
      const server = await upstream.stream(0);
      stream[Symbol.dispose]();
      const text = isLarge ? "x".repeat(65_536) : "x";
      await server.send(event(null, JSON.stringify({ jsonrpc: "2.0", id: 7, result: { text } })));
      await server.end();
      await server.closed;
      using other = await call(origin, await openSession(origin), 8);
      const others = await upstream.stream(1);
      for (let step = 1; step <= 4; step++) await others.send(event(null, progress(step)));
      await others.send(event(null, result(8)));
      await others.end();
      await other.rest();
      for (let times = 0; times < 2; times++) {
        using resumed = await listen(origin, session, id);
        const [gap, answer, ...rest] = await resumed.rest();
        assertMatch(gap!.comments[0]!, /gap/);
        const { id: answered, error } = JSON.parse(answer?.data ?? "{}");
        assertEquals([answered, error?.code, rest], [7, -31502, []]);
        assertMatch(error.message, /not kept; the request may have run/);
      }
    });
  });
}

Deno.test("R80 a GET stream that was given up is opened anew, behind a gap, for its own session alone", async () => {
  let isDown = false;
  await using upstream = eventServer({
    otherwise: async ({ line }, to) => {
      if (!isDown || !line.startsWith("GET")) return false;
      await to.write("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n");
      return true;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const [session, another] = [await openSession(origin), await openSession(origin)];
    using stream = await listen(origin, session);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    const { id } = await stream.next() as { id: string };
    isDown = true;
    server.breakOff();
    assertEquals(await stream.next(), "cut");
    isDown = false;
    for (
      const [whose, forged] of [
        [another, id],
        [session, id.replace(/1$/, "2")],
        [session, `${"A".repeat(22)}.0`],
      ] as const
    ) {
      using refused = await listen(origin, whose, forged);
      assertEquals(refused.status, 400, forged);
    }
    for (const number of [1, 2]) {
      using again = await listen(origin, session, id);
      assertEquals(again.status, 200);
      const { request, send } = await upstream.stream(number);
      assertEquals(request.field("last-event-id"), undefined);
      await send(event("up-1", progress(2)));
      const [priming, gap, next] = [await again.next(), await again.next(), await again.next()];
      assertEquals((priming as { data: string }).data, "");
      assertMatch((gap as { comments: readonly string[] }).comments[0]!, /^ gap: /);
      assertEquals((next as { data: string }).data, progress(2));
    }
  });
});

Deno.test("a client that comes back to the server's stream without an event id gets what it missed", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const stream = await listen(origin, session);
    const server = await upstream.stream(0);
    await server.send(event(null, progress(1)));
    await stream.next();
    await stream.next();
    stream[Symbol.dispose]();
    // A call in between: by then the departure was seen.
    using other = await call(origin, session, 7);
    const answers = await upstream.stream(1);
    await answers.send(event(null, result(7)));
    await answers.end();
    await other.rest();
    await server.send(event(null, progress(2)));
    using back = await listen(origin, session);
    assertEquals((await back.next() as { data: string }).data, progress(2));
    assertEquals(upstream.streams, 2);
  });
});

Deno.test("R52 a stream that is silent for long gets comments, in a session and without one", async () => {
  const clock = new ManualClock();
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url, { clock }), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    using modern = await eventClient.begin(origin, streams.modernCall());
    await stream.next();
    await upstream.stream(1);
    for (let times = 0; times < 3; times++) {
      clock.advance(15_000);
      for (const one of [stream, modern]) {
        const { comments } = await one.next() as { comments: readonly string[] };
        assertEquals(comments, [" keep-alive"]);
      }
    }
  });
});

Deno.test("a stream may be resumed for so long and no longer", async () => {
  const clock = new ManualClock();
  await using upstream = eventServer();
  const config = { limits: { resumeWindowMs: 5_000, keepAliveMs: 0 } };
  await withProxy(streams.reconnecting(upstream.url, { clock, config }), async ({ origin }) => {
    const session = await openSession(origin);
    const stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    const { id } = await stream.next() as { id: string };
    stream[Symbol.dispose]();
    using other = await listen(origin, session);
    assertEquals(other.status, 200);
    clock.advance(5_000);
    await server.closed;
    using late = await listen(origin, session, id);
    assertEquals(late.status, 400);
  });
});

Deno.test("R58 a session that ends under a call ends it with an error", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await stream.next();
    const client = await RawClient.connect(origin);
    await client.write(
      `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${session}\r\n\r\n`,
    );
    const [told] = await stream.rest();
    assertEquals(JSON.parse(told!.data!).id, 7);
    await server.closed;
    client.close();
  });
});

Deno.test("the end of a session ends its streams on both sides", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await listen(origin, session);
    const server = await upstream.stream(0);
    const client = await RawClient.connect(origin);
    await client.write(
      `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${session}\r\n\r\n`,
    );
    assert((await client.readHead()).status < 300);
    client.close();
    await stream.rest();
    await server.closed;
  });
});

Deno.test("without an event log ids pass as they came, and a departure is passed on", async () => {
  await using upstream = eventServer();
  const config = { eventLog: { store: "off" } };
  await withProxy(streams.reconnecting(upstream.url, { config }), async ({ origin }) => {
    const session = await openSession(origin);
    const stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    assertEquals((await stream.next() as { id: string }).id, "up-1");
    stream[Symbol.dispose]();
    await server.closed;
    using resumed = await listen(origin, session, "up-1");
    assertEquals(resumed.status, 200);
    assertEquals((await upstream.stream(1)).request.field("last-event-id"), "up-1");
  });
});
