/**
 * R42, R57, R58, R59, R69, R89: event streams whose upstream fails, over real sockets.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery".
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { eventServer, type ServerStream } from "../testing/event_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

const { call, listen, openSession } = eventClient;
const { event, progress, result } = streams;

const ENDINGS: readonly [string, (server: ServerStream) => Promise<void> | void][] = [
  ["cleanly", (server) => server.end()],
  ["by breaking off", (server) => server.breakOff()],
];

/** What was logged of requests that failed. */
function failures({ logs }: TestProxy) {
  return logs.map((line) => JSON.parse(line)).filter(({ message }) => message === "request failed")
    .map((
      { level, route, rpc, target, kind, source },
    ) => [level, route, rpc, target, kind, source]);
}

const CLOSED = ["warn", "/mcp", "tools/call", undefined, "upstream_closed", "upstream"];

for (const [how, finish] of ENDINGS) {
  Deno.test(`R58 a stream of a session that ends ${how}, without an answer or event ids, is an error`, async () => {
    await using upstream = eventServer();
    await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
      const { origin } = proxy;
      const session = await openSession(origin);
      using stream = await call(origin, session, "x1");
      const server = await upstream.stream(0);
      await server.send(event(null, progress(1)));
      for (let at = 0; at < 2; at++) await stream.next();
      await finish(server);
      const [told] = await stream.rest();
      const { id, error } = JSON.parse(told!.data!);
      assertEquals([id, error.code, upstream.streams], ["x1", -31502, 1]);
      assertEquals(failures(proxy), [CLOSED]);
    });
  });

  Deno.test(`R58 a stream of 2026-07-28 that ends ${how} without an answer is an error`, async () => {
    await using upstream = eventServer();
    await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
      using stream = await eventClient.begin(proxy.origin, streams.modernCall());
      const server = await upstream.stream(0);
      await server.send(event(null, progress(1)));
      await stream.next();
      await finish(server);
      const [told] = await stream.rest();
      const { id, error } = JSON.parse(told!.data!);
      assertEquals([id, error.code, told!.id, upstream.streams], [7, -31502, undefined, 1]);
      assertEquals(failures(proxy), [CLOSED]);
    });
  });
}

Deno.test("R58 in 2026-07-28 event ids are no way to come back: the end without an answer is an error", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    using stream = await eventClient.begin(origin, streams.modernCall());
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    await stream.next();
    await server.end();
    const [told] = await stream.rest();
    assertEquals(JSON.parse(told!.data!).error.code, -31502);
  });
});

// JSON-RPC 2.0, section 5: a request has one response.
for (const [how, finish] of ENDINGS) {
  Deno.test(`R58 what comes behind an answer takes it not back: a stream that ends ${how} then has no error`, async () => {
    await using upstream = eventServer();
    await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
      const { origin } = proxy;
      for (
        const [number, chunks] of [[result(7), progress(1)], [result(7) + progress(1)]].entries()
      ) {
        using stream = await eventClient.begin(origin, streams.modernCall());
        const server = await upstream.stream(number);
        for (const chunk of chunks) {
          const datas = chunk.replace("}{", "}\n{").split("\n");
          await server.send(datas.map((data) => event(null, data)).join(""));
        }
        for (const data of [result(7), progress(1)]) {
          assertEquals((await stream.next() as { data: string }).data, data);
        }
        await finish(server);
        assertEquals(await stream.next(), how === "cleanly" ? null : "cut");
      }
      assertEquals(failures(proxy), []);
    });
  });
}

// 2025-06-18 basic/utilities/cancellation, "Behavior Requirements": receivers should stop and not send a response.
for (const store of ["memory", "off"]) {
  Deno.test(`a call that its client has cancelled has no error when the server ends its stream (event log ${store})`, async () => {
    let accepts = true;
    await using upstream = eventServer({
      revision: "2025-06-18",
      otherwise: async ({ body }, to) => {
        if (accepts || !new TextDecoder().decode(body).includes("cancelled")) return false;
        await to.write(jsonAnswer("{}", {}, "400 Bad Request"));
        return true;
      },
    });
    const config = { eventLog: { store } };
    await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
      const { origin } = proxy;
      const session = await openSession(origin, "2025-06-18");
      const cases = [[7, 7, true, false], [7, 8, true, true], ["7", 7, true, true], [
        7,
        7,
        false,
        true,
      ]] as const;
      let expected = 0;
      for (const [number, [id, requestId, isTaken, isTold]] of cases.entries()) {
        using stream = await call(origin, session, id);
        const server = await upstream.stream(number);
        await server.send(event(null, progress(1)));
        await stream.next();
        accepts = isTaken;
        const params = JSON.stringify({ requestId, reason: "enough" });
        const text = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
        const told = await postText(origin, text, { "mcp-session-id": session });
        assertEquals(told.status, isTaken ? 202 : 400);
        await server.end();
        const errors = (await stream.rest()).map(({ data }) => JSON.parse(data!).error?.code);
        assertEquals(errors, isTold ? [-31502] : [], `${number}`);
        if (isTold) expected++;
        assertEquals(failures(proxy).length, expected);
      }
    });
  });
}

Deno.test("without a session a cancellation is nobody's in particular: a call with its id still gets its error", async () => {
  const ends: (() => Promise<void>)[] = [];
  await using upstream = scriptedUpstream(async ({ body }, to) => {
    const isCancelled = new TextDecoder().decode(body).includes("notifications/cancelled");
    if (isCancelled) return await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    await to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" +
        "3\r\n:\n\n\r\n",
    );
    ends.push(() => to.write("0\r\n\r\n"));
  });
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    // Two clients that count alike, of which one cancels.
    using one = await RawClient.connect(origin);
    using other = await RawClient.connect(origin);
    for (const client of [one, other]) {
      await client.write(jsonPost(messages.ping("7")));
      await client.readHead();
      assertEquals(await client.readChunk(), ":\n\n");
    }
    const cancel = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}';
    assertEquals((await postText(origin, cancel)).status, 202);
    for (const end of ends) await end();
    for (const client of [one, other]) {
      assertStringIncludes((await client.readChunk())!, '"id":7,"error":{"code":-31502');
    }
  });
});

Deno.test("a call that was cancelled is not polled for any more, and an answer that comes all the same passes", async () => {
  await using upstream = eventServer({ revision: "2025-06-18" });
  await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
    const { origin } = proxy;
    const session = await openSession(origin, "2025-06-18");
    for (const [number, last] of ["", event("up-2", result(7))].entries()) {
      using stream = await call(origin, session, 7);
      const server = await upstream.stream(number);
      await server.send(event("up-1", progress(1)));
      await stream.next();
      const text = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}';
      await postText(origin, text, { "mcp-session-id": session });
      if (last !== "") await server.send(last);
      await server.end();
      assertEquals((await stream.rest()).length, number);
    }
    assertEquals([upstream.streams, failures(proxy)], [2, []]);
  });
});

// 2025-11-25 basic/transports, "Sending Messages to the Server" 6: the last event id holds until there is another.
Deno.test("R58 a call without a session that the client can still poll has no error, whatever followed the event with the id", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}';
    using stream = await eventClient.begin(origin, jsonPost(body));
    const server = await upstream.stream(0);
    await server.send(`id: up-1\nretry: 30\ndata: \n\n${event(null, progress(1))}`);
    await server.end();
    assertEquals((await stream.rest()).map(({ data }) => data), ["", progress(1)]);
  });
});

Deno.test("R59 a stream of 2026-07-28 that breaks off inside of an event is cut", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
    using stream = await eventClient.begin(proxy.origin, streams.modernCall());
    const server = await upstream.stream(0);
    await server.send(event(null, progress(1)) + "data: half");
    await stream.next();
    server.breakOff();
    assertEquals(await stream.next(), "cut");
    assertEquals(failures(proxy), [CLOSED]);
  });
});

Deno.test("a stream that the server closes with id and retry is polled by the client (2025-11-25)", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send("id: up-1\nretry: 30\ndata: \n\n");
    await server.end();
    const events = await stream.rest();
    assertEquals(events.map(({ retry }) => retry), [undefined, 30]);
    using polled = await listen(origin, session, events[1]!.id);
    const second = await upstream.stream(1);
    assertEquals(second.request.field("last-event-id"), "up-1");
    await second.send(event("up-2", result(7)));
    await second.end();
    assertEquals((await polled.rest()).map(({ data }) => data), [result(7)]);
  });
});

Deno.test("a client from before 2025-11-25 does not poll: the proxy does, and waits as long as retry says", async () => {
  const clock = new ManualClock();
  await using upstream = eventServer({ revision: "2025-06-18" });
  await withProxy(streams.reconnecting(upstream.url, { clock }), async ({ origin }) => {
    const session = await openSession(origin, "2025-06-18");
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send("id: up-1\nretry: 1\ndata: \n\n");
    await stream.next();
    const timers = clock.timers;
    await server.end();
    // The wait begins when the end of the stream has come.
    while (clock.timers === timers) await new Promise((resolve) => setTimeout(resolve, 1));
    clock.advance(3);
    const second = await upstream.stream(1);
    await second.send(event("up-2", result(7)));
    await second.end();
    assertEquals((await stream.rest()).map(({ data }) => data), [result(7)]);
  });
});

Deno.test("R58 R69 an upstream that does not take its stream up again is asked so often, then the call has failed", async () => {
  let refused = 0;
  await using upstream = eventServer({
    otherwise: async (request, to) => {
      if (!request.line.startsWith("GET")) return false;
      refused++;
      await to.write(jsonAnswer("{}", {}, "503 Service Unavailable"));
      return true;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)));
    server.breakOff();
    const events = await stream.rest();
    assertEquals(JSON.parse(events.at(-1)!.data!).error.code, -31502);
    assertEquals(refused, 3);
  });
});

for (const status of ["404 Not Found", "405 Method Not Allowed"]) {
  Deno.test(`R58 R89 an upstream that answers ${status} to a resumption is asked once`, async () => {
    let refused = 0;
    await using upstream = eventServer({
      otherwise: async (request, to) => {
        if (!request.line.startsWith("GET")) return false;
        refused++;
        await to.write(jsonAnswer("{}", {}, status));
        return true;
      },
    });
    await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
      const session = await openSession(origin);
      using stream = await call(origin, session, 7);
      const server = await upstream.stream(0);
      await server.send(event("up-1", progress(1)));
      server.breakOff();
      const events = await stream.rest();
      assertStringIncludes(events.at(-1)!.data!, `"error"`);
      assertEquals(refused, 1);
    });
  });
}

Deno.test("R89 an upstream that answers GET with 405 is asked once in a session", async () => {
  let asked = 0;
  await using upstream = eventServer({
    otherwise: async (request, to) => {
      if (!request.line.startsWith("GET")) return false;
      asked++;
      await to.write(jsonAnswer("{}", { allow: "POST" }, "405 Method Not Allowed"));
      return true;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    for (let times = 0; times < 5; times++) {
      using refused = await listen(origin, session);
      assertEquals(refused.status, 405);
    }
    assertEquals(asked, 1);
  });
});

Deno.test("R57 the stream on which the server speaks first is opened again, with and without event ids", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await listen(origin, session);
    const first = await upstream.stream(0);
    await first.send(event(null, progress(1)));
    first.breakOff();
    const second = await upstream.stream(1);
    assertEquals(second.request.field("last-event-id"), undefined);
    await second.send(event("up-2", progress(2)));
    second.breakOff();
    const third = await upstream.stream(2);
    assertEquals(third.request.field("last-event-id"), "up-2");
    await third.send(event("up-3", progress(3)));
    for (const wanted of ["", progress(1), progress(2), progress(3)]) {
      assertEquals((await stream.next() as { data: string }).data, wanted);
    }
  });
});

Deno.test("R57 an event id goes back to the upstream byte for byte, whatever it is made of", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const first = await upstream.stream(0);
    await first.send(event("caf\u00e9 \u20ac\u{1f680}", progress(1)));
    for (let at = 0; at < 2; at++) await stream.next();
    first.breakOff();
    const second = await upstream.stream(1);
    const bytes = new TextEncoder().encode("caf\u00e9 \u20ac\u{1f680}");
    // That is how the scripted upstream reads bytes.
    const asRead = new TextDecoder("latin1").decode(bytes);
    assertEquals(second.request.field("last-event-id"), asRead);
    await second.send(event(null, result(7)));
    await second.end();
    assertEquals((await stream.rest()).map(({ data }) => data), [result(7)]);
  });
});

Deno.test("R42 an event over its cap ends the call with an error that says so", async () => {
  await using upstream = eventServer();
  const config = { limits: { maxEventBytes: 1_024 } };
  await withProxy(streams.reconnecting(upstream.url, { config }), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)) + `data: ${"x".repeat(2_000)}\n\n`);
    const [, first, told] = await stream.rest();
    assertEquals(first!.data, progress(1));
    assertStringIncludes(told!.data!, "1024 bytes");
    await server.closed;
    assertEquals(upstream.streams, 1);
  });
});
