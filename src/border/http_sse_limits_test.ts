/**
 * What clients of HTTP+SSE may use, and how their streams end, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { withProxy } from "../testing/proxy.ts";
import { exchange, type RawResponse } from "../testing/raw_client.ts";
import type { ReceivedRequest, ScriptedConnection } from "../testing/scripted_upstream.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller, sseGet } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { event, result } = streams;
const { INNER, arrival, bodyOf, call, isDelete, quietServer, says, withCaller } = sse;

Deno.test("R52 a silent stream is sent comments", async () => {
  const clock = new ManualClock();
  await using upstream = sessionUpstream();
  const config = { limits: { keepAliveMs: 1_000 } };
  await withProxy({ upstream: upstream.url, clock, config }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    clock.advance(500);
    clock.advance(500);
    const told = await caller.stream.next();
    assertEquals(told !== null && told !== "cut" && told.comments, [" keep-alive"]);
  });
});

Deno.test("R85 sessions of HTTP+SSE count towards the cap, and give their place back", async () => {
  await using upstream = sessionUpstream();
  const config = { limits: { maxSessions: 1, sessionEvictIdleMs: 60_000 } };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    using first = await sseCaller(origin);
    await first.start();
    const refused = await exchange(origin, sseGet("/sse"));
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "10"]);
    first[Symbol.dispose]();
    await arrival(upstream, isDelete);
    using second = await sseCaller(origin);
    await second.start();
  });
});

Deno.test("one client may have so much under way and no more", async () => {
  const MAX = 256;
  await withCaller(async (caller, upstream) => {
    const statuses = await Promise.all(
      Array.from({ length: MAX + 1 }, async (_, at) => (await caller.post(call(at))).status),
    );
    assertEquals(statuses.filter((status) => status === 202).length, MAX);
    assertEquals(statuses.filter((status) => status === 429).length, 1);
    const first = await upstream.stream(0);
    const { id } = JSON.parse(bodyOf(first.request));
    await first.send(event(null, result(id)));
    await first.end();
    await caller.next();
    for (;;) if ((await caller.post(call(1_000))).status === 202) break;
    caller[Symbol.dispose]();
    await arrival(upstream, isDelete);
    assertEquals(upstream.requests.filter(says("notifications/cancelled")).length, MAX);
  });
});

const isReply = ({ id, result }: { id?: unknown; result?: unknown }) =>
  id !== undefined && result !== undefined;
const CANCELLED = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}';
const replyTo = (id: unknown) => JSON.stringify({ jsonrpc: "2.0", id, result: { action: "x" } });

/** Holds responses of the client back until `hold` is over. */
function takingReplies(hold: Promise<void>) {
  return {
    otherwise: async (request: ReceivedRequest, to: ScriptedConnection) => {
      const body = bodyOf(request);
      if (body === "" || !isReply(JSON.parse(body))) return false;
      await hold;
      await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
      return true;
    },
  };
}

Deno.test("2024-11-05 what calls wait for, and what ends them, passes where as many are under way as may be", async () => {
  const MAX = 256;
  await withCaller(async (caller, upstream) => {
    await Promise.all(Array.from({ length: MAX }, (_, at) => caller.post(call(at))));
    const first = await upstream.stream(0);
    const { id } = JSON.parse(bodyOf(first.request));
    const question = '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}';
    await first.send(event(null, question));
    assertEquals(await caller.next(), question);
    assertEquals((await caller.post(call(1_000))).status, 429);
    assertEquals((await caller.post(replyTo("q"))).status, 202);
    await arrival(upstream, (request) => bodyOf(request) === replyTo("q"));
    assertEquals((await caller.post(CANCELLED)).status, 202);
    await arrival(upstream, says("notifications/cancelled"));
    await first.send(event(null, result(id)));
    assertEquals(await caller.next(), result(id));
    caller[Symbol.dispose]();
    await arrival(upstream, isDelete);
  }, takingReplies(Promise.resolve()));
});

Deno.test("what passes beside the calls has a bound of its own", async () => {
  const MAX = 256;
  const hold = Promise.withResolvers<void>();
  await withCaller(async (caller, upstream) => {
    const statuses = await Promise.all(
      Array.from({ length: MAX + 1 }, async (_, at) => (await caller.post(replyTo(at))).status),
    );
    assertEquals(statuses.filter((status) => status === 202).length, MAX);
    assertEquals(statuses.filter((status) => status === 429).length, 1);
    assertEquals((await caller.post(call(7))).status, 202);
    hold.resolve();
    caller[Symbol.dispose]();
    await arrival(upstream, isDelete);
  }, takingReplies(hold.promise));
});

Deno.test("the bodies that one client has under way are bounded in bytes", async () => {
  const large = (id: number) => call(id).replace('"t"', JSON.stringify("x".repeat(900)));
  const hold = Promise.withResolvers<void>();
  await using upstream = sessionUpstream({
    instead: async ({ method }) => {
      if (method === "tools/call") await hold.promise;
      return false;
    },
  });
  const config = { limits: { maxRequestBytes: 1_000 } };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    const statuses: number[] = [];
    for (let id = 0; id < 6; id++) statuses.push((await caller.post(large(id))).status);
    assertEquals(statuses, [202, 202, 202, 202, 429, 429]);
    hold.resolve();
    for (let id = 0; id < 4; id++) await caller.next();
  });
});

Deno.test("R49 R53 a client that does not read pauses the upstream, and is dropped at its deadline", async () => {
  const clock = new ManualClock();
  await using upstream = quietServer();
  const config = { limits: { clientWriteTimeoutMs: 1_000, keepAliveMs: 0 } };
  await withProxy(
    streams.reconnecting(upstream.url, { clock, config }),
    async ({ origin, logs }) => {
      using caller = await sseCaller(origin);
      await caller.start();
      await caller.post(call(7));
      const server = await upstream.stream(0);
      let sent = 0;
      const sending = (async () => {
        for (; sent < 400; sent++) await server.send(event(null, `"${"x".repeat(100_000)}"`));
      })().catch(() => {});
      let before = -1;
      while (sent !== before) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      assert(sent < 400, "all was taken from the upstream");
      while (!logs.some((line) => line.includes("took nothing of its answer"))) {
        clock.advance(100);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await arrival(upstream, says("notifications/cancelled"));
      await arrival(upstream, isDelete);
      await server.closed;
      await sending;
    },
  );
});

Deno.test("R49 R53 errors wait for a client that does not read within the bounds of what is under way", async () => {
  const MAX_POSTS = 60;
  const clock = new ManualClock();
  const config = { limits: { clientWriteTimeoutMs: 1_000, keepAliveMs: 0 } };
  // Nobody listens there: each request fails, and its error names an id of a megabyte.
  const upstream = "http://127.0.0.1:1/mcp";
  await withProxy(streams.reconnecting(upstream, { clock, config }), async ({ origin, logs }) => {
    using reader = await sseCaller(origin);
    using caller = await sseCaller(origin);
    const ping = (id: number) =>
      `{"jsonrpc":"2.0","id":"${id}${"x".repeat(1_000_000)}","method":"ping"}`;
    let accepted = 0;
    let refused: RawResponse | undefined;
    while (refused === undefined && accepted < MAX_POSTS) {
      const response = await caller.post(ping(accepted));
      if (response.status === 202) accepted++;
      else refused = response;
    }
    assertEquals([refused?.status, refused?.headers.get("retry-after")], [429, "1"]);
    // Others are not kept from anything.
    assertEquals((await reader.post(ping(0))).status, 202);
    assertEquals(JSON.parse(await reader.next()).error.code, -31502);
    const answered = new Set<number>();
    for (let at = 0; at < accepted; at++) {
      answered.add(parseInt(JSON.parse(await caller.next()).id));
    }
    assertEquals(answered.size, accepted, "an error was lost or came twice");
    for (let at = 0; (await caller.post(ping(at))).status === 202; at++) assert(at < MAX_POSTS);
    for (let at = 0; (await caller.post(call(at))).status !== 404; at++) {
      assert(at < 200, "its stream goes on");
      clock.advance(100);
    }
    assert(logs.some((line) => line.includes("took nothing of its answer")));
  });
});

Deno.test("R68 a stopping proxy lets calls finish and then ends the stream", async () => {
  await using upstream = quietServer();
  const config = { drainTimeoutMs: 10_000 };
  await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    using idle = await sseCaller(proxy.origin);
    await caller.start();
    await caller.post(call(7));
    const server = await upstream.stream(0);
    const stopping = proxy.stop();
    assertEquals(await idle.stream.next(), null);
    await server.send(event(null, result(7)));
    assertEquals(await caller.next(), result(7));
    assertEquals(await caller.stream.next(), null);
    await stopping;
  });
});

Deno.test("a session that ends otherwise tells its client of the calls that it loses", async () => {
  const clock = new ManualClock();
  await using upstream = quietServer();
  const config = { limits: { sessionLifetimeMs: 10_000, keepAliveMs: 0 } };
  await withProxy(
    streams.reconnecting(upstream.url, { clock, config }),
    async ({ origin }) => {
      using caller = await sseCaller(origin);
      await caller.start();
      await caller.post(call(7));
      await upstream.stream(0);
      clock.advance(10_001);
      const { id, error } = JSON.parse(await caller.next());
      assertEquals([id, error.code], [7, -31404]);
      assertEquals(await caller.stream.next(), null);
      await arrival(upstream, isDelete);
    },
  );
});

Deno.test("R96 admin pages show a session of HTTP+SSE and its stream, and no id of it", async () => {
  await withCaller(
    async (caller, upstream, { adminOrigin }) => {
      await caller.post(call(7));
      await (await upstream.stream(0)).send(event(null, result(7)));
      await caller.next();
      const page = async (path: string) =>
        (await exchange(adminOrigin!, `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)).text;
      const list = await page("/sessions");
      const [{ key, route }] = JSON.parse(list).sessions;
      const one = await page(`/sessions/${key}`);
      const { streams: [stream] } = JSON.parse(one);
      assertEquals([route, stream.kind, stream.attached], ["/mcp/sse", "subscription", true]);
      // The endpoint, the answer to initialize, the answer to the call.
      assertEquals(stream.events, 3);
      assert(![list, one].some((text) => text.includes(caller.token) || text.includes(INNER)));
    },
    {},
    { admin: "127.0.0.1:0" },
  );
});
