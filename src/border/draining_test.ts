/**
 * R68: draining by the admin address, and at the end of the process, for clients of every kind, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { freePort } from "../../conformance/free_port.ts";
import { startModernServer } from "../../conformance/servers/modern.ts";
import * as admin from "../testing/admin.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import * as peers from "../testing/peer_servers.ts";
import { startProgram } from "../testing/program.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost, RawClient } from "../testing/raw_client.ts";
import { redisTest } from "../testing/redis.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as streams from "../testing/streams.ts";

const { adminRequest } = admin;
const { event, progress, result } = streams;
const { listen, openSession } = eventClient;

const ANSWER = jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}');
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const config = { admin: "127.0.0.1:0", drainTimeoutMs: 60_000 };

/** How draining is begun: by an operator, or by the end of the process. */
const BEGINNINGS: Readonly<Record<string, (proxy: TestProxy) => Promise<unknown>>> = {
  "POST /drain": ({ adminOrigin }) => adminRequest(adminOrigin, "POST", "/drain"),
  "stop()": (proxy) => {
    void proxy.stop();
    return Promise.resolve();
  },
};

async function told(proxy: TestProxy, path: string) {
  const { status, text } = await adminRequest(proxy.adminOrigin, "GET", path);
  return { status, ...JSON.parse(text) };
}

/** A `subscriptions/listen` with the id 1. */
function listenPost(): Uint8Array {
  const notifications = { toolsListChanged: true };
  return jsonPost(messages.modern("subscriptions/listen", { notifications }), {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "subscriptions/listen",
  });
}

const ACKNOWLEDGED = '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",' +
  '"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{}}}';

const COMPLETED = {
  jsonrpc: "2.0",
  id: 1,
  result: {
    resultType: "complete",
    _meta: { "io.modelcontextprotocol/subscriptionId": 1 },
  },
};

Deno.test("a drained proxy is not ready, answers with close, and is itself again when it is taken back", async () => {
  const release = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async ({ body }, to) => {
    if (new TextDecoder().decode(body).includes('"id":7')) await release.promise;
    await to.write(ANSWER);
  });
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    using slow = await RawClient.connect(proxy.origin);
    using idle = await RawClient.connect(proxy.origin);
    await idle.write(jsonPost(messages.ping()));
    assertEquals((await idle.readResponse()).headers.get("connection"), undefined);
    await slow.write(jsonPost(messages.ping("7")));
    await upstream.received(1);
    const begun = await adminRequest(proxy.adminOrigin, "POST", "/drain");
    assertEquals(begun.status, 200);
    assertEquals(JSON.parse(begun.text), {
      draining: true,
      stopping: false,
      requestsWaiting: 1,
      answersUnderWay: 0,
      subscriptions: 0,
      clientConnections: 2,
    });
    // Once more is the same.
    assertEquals((await adminRequest(proxy.adminOrigin, "POST", "/drain")).status, 200);
    const ready = await told(proxy, "/readyz");
    assertEquals([ready.status, ready.reasons], ["draining", ["The proxy is draining."]]);
    assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/readyz")).status, 503);
    assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/readyz/%2Fmcp")).status, 503);
    assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/healthz")).status, 200);
    assertEquals((await told(proxy, "/status")).draining, true);
    // The call in flight, a further one on a connection that was open, and one on a new one.
    release.resolve();
    await idle.write(jsonPost(messages.ping()));
    using fresh = await RawClient.connect(proxy.origin);
    await fresh.write(jsonPost(messages.ping()));
    for (const client of [slow, idle, fresh]) {
      const { status, headers } = await client.readResponse();
      assertEquals([status, headers.get("connection")], [200, "close"]);
      assert(await client.ended());
    }
    const over = await told(proxy, "/drain");
    assertEquals([over.clientConnections, over.requestsWaiting], [0, 0]);
    for (let times = 0; times < 2; times++) {
      assertEquals((await adminRequest(proxy.adminOrigin, "POST", "/resume")).status, 200);
    }
    assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/readyz")).status, 200);
    using again = await RawClient.connect(proxy.origin);
    for (let times = 0; times < 2; times++) {
      await again.write(jsonPost(messages.ping()));
      assertEquals((await again.readResponse()).headers.get("connection"), undefined);
    }
    const lines = proxy.logs.map((line) => JSON.parse(line).message as string);
    assertEquals(lines.filter((line) => line.includes("draining")).length, 2);
  });
});

for (const httpServer of ["switchyard", "deno"]) {
  Deno.test(`R84 while the process stops, its admin address tells so until the last answer is over (${httpServer})`, async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = scriptedUpstream(async (_, to) => {
      await release.promise;
      await to.write(ANSWER);
    });
    const settings = { ...config, httpServer };
    await withProxy({ upstream: upstream.url, config: settings }, async (proxy) => {
      using slow = await RawClient.connect(proxy.origin);
      await slow.write(jsonPost(messages.ping()));
      await upstream.received(0);
      const stopped = proxy.stop();
      const ready = await adminRequest(proxy.adminOrigin, "GET", "/readyz");
      assertEquals([ready.status, JSON.parse(ready.text).status], [503, "stopping"]);
      assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/healthz")).status, 200);
      assertEquals((await told(proxy, "/drain")).stopping, true);
      release.resolve();
      assertEquals((await slow.readResponse()).status, 200);
      slow[Symbol.dispose]();
      assertEquals(await stopped, true);
      await assertRejects(() => adminRequest(proxy.adminOrigin, "GET", "/healthz"));
    });
  });
}

Deno.test("the runtime's server says close too while the proxy drains, and leaves the closing to the client", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
  const deno = { ...config, httpServer: "deno" };
  await withProxy({ upstream: upstream.url, config: deno }, async (proxy) => {
    const says = async () => {
      using client = await RawClient.connect(proxy.origin);
      await client.write(jsonPost(messages.ping()));
      const { status, headers } = await client.readResponse();
      return [status, headers.get("connection")];
    };
    assertEquals(await says(), [200, undefined]);
    await adminRequest(proxy.adminOrigin, "POST", "/drain");
    assertEquals(await says(), [200, "close"]);
    await adminRequest(proxy.adminOrigin, "POST", "/resume");
    assertEquals(await says(), [200, undefined]);
  });
});

Deno.test("a drained GET stream ends cleanly, and goes on behind its last event when the client comes back", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
    const session = await openSession(proxy.origin);
    using stream = await listen(proxy.origin, session);
    const server = await upstream.stream(0);
    await server.send(event("u1", progress(1)));
    let id = "";
    while (id === "") {
      const next = await stream.next() as eventClient.ReadEvent;
      if (next.data === progress(1)) id = next.id!;
    }
    await adminRequest(proxy.adminOrigin, "POST", "/drain");
    assertEquals(await stream.next(), null);
    assertEquals((await told(proxy, "/drain")).subscriptions, 0);
    // One that begins meanwhile ends at once, likewise.
    using early = await listen(proxy.origin, session, id);
    assertEquals([early.status, early.headers.get("connection")], [200, "close"]);
    await early.rest();
    await adminRequest(proxy.adminOrigin, "POST", "/resume");
    await server.send(event("u2", progress(2)));
    using back = await listen(proxy.origin, session, id);
    assertEquals((await back.next() as eventClient.ReadEvent).data, progress(2));
    assertEquals((await told(proxy, "/drain")).subscriptions, 1);
    // The stream was never given up upstream.
    assertEquals(upstream.streams, 1);
  });
});

for (const [how, begin] of Object.entries(BEGINNINGS)) {
  Deno.test(`R68 ${how} completes a subscriptions/listen that passes, and cuts no event of it`, async () => {
    await using upstream = scriptedUpstream(async (_, to) => {
      await to.write(SSE_HEAD + chunk(event(null, ACKNOWLEDGED)));
    });
    for (const interceptors of [[], [{ use: "log" }]]) {
      await withProxy({
        upstream: upstream.url,
        upstreamConfig: { era: "both" },
        config: { ...config, interceptors },
      }, async (proxy) => {
        using stream = await eventClient.begin(proxy.origin, listenPost());
        assertEquals((await stream.next() as eventClient.ReadEvent).data, ACKNOWLEDGED);
        await begin(proxy);
        const last = await stream.next() as eventClient.ReadEvent;
        assertEquals(JSON.parse(last.data!), COMPLETED);
        assertEquals(await stream.next(), null);
      });
    }
  });

  Deno.test(`R68 ${how} completes a subscriptions/listen on a server of sessions`, async () => {
    await using server = peers.PEER_SERVERS.session();
    const upstreamConfig = server.upstream;
    await withProxy({ upstreamConfig, config }, async (proxy) => {
      using stream = await eventClient.begin(proxy.origin, listenPost());
      assertEquals(stream.status, 200);
      assertMatch((await stream.next() as eventClient.ReadEvent).data!, /acknowledged/);
      await begin(proxy);
      const events = await stream.rest();
      const { id, result } = JSON.parse(events[0]!.data!);
      assertEquals([events.length, id, result.resultType], [1, 1, "complete"]);
    });
  });

  Deno.test(`R68 ${how} ends the GET stream of a session on a server of 2026-07-28`, async () => {
    const server = startModernServer();
    try {
      await withProxy({ upstream: server.url, config }, async (proxy) => {
        const session = await openSession(proxy.origin);
        using stream = await listen(proxy.origin, session);
        assertEquals(stream.status, 200);
        await begin(proxy);
        for (const { data } of await stream.rest()) assertEquals(data ?? "", "");
      });
    } finally {
      await server.close();
    }
  });

  Deno.test(`R68 ${how} lets calls finish on streams, of either era and over HTTP+SSE, and ends idle ones`, async () => {
    await using upstream = eventServer();
    await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
      const session = await openSession(proxy.origin);
      using inSession = await eventClient.call(proxy.origin, session, 7);
      const first = await upstream.stream(0);
      using modern = await eventClient.begin(proxy.origin, streams.modernCall());
      const second = await upstream.stream(1);
      using caller = await sseCaller(proxy.origin);
      await caller.start();
      using idle = await sseCaller(proxy.origin);
      const index = upstream.streams;
      await caller.post(
        '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{}}}',
      );
      const third = await upstream.stream(index);
      await begin(proxy);
      assertEquals(await idle.stream.next(), null);
      for (const server of [first, second, third]) {
        await server.send(event(null, result(7)));
        await server.end();
      }
      for (const stream of [inSession, modern, caller.stream]) {
        const events = await stream.rest();
        assert(events.some(({ data }) => data === result(7)));
      }
    });
  });
}

redisTest(
  "readiness says that Redis is away, without a word of where, and that it is back",
  async (redis) => {
    await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
    const shared = {
      ...config,
      drainTimeoutMs: 0,
      redis: { url: redis.url, prefix: redis.prefix, timeoutMs: 2_000 },
      sessions: { store: "redis", keys: [crypto.randomUUID()] },
      eventLog: { store: "redis" },
    };
    await withProxy({ upstream: upstream.url, config: shared }, async (proxy) => {
      const until = async (status: number) => {
        for (let tries = 0; tries < 100; tries++) {
          const answer = await adminRequest(proxy.adminOrigin, "GET", "/readyz");
          if (answer.status === status) return answer.text;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        throw new Error(`/readyz was never ${status}`);
      };
      assertEquals(JSON.parse(await until(200)).reasons, []);
      await redis.kill();
      const away = await until(503);
      const { status, reasons } = JSON.parse(away);
      assertEquals(status, "unavailable");
      assertEquals(reasons, [
        "The store of sessions (redis) fails.",
        "The event log (redis) fails.",
      ]);
      assert(!away.includes("127.0.0.1"));
      assertEquals((await adminRequest(proxy.adminOrigin, "GET", "/healthz")).status, 200);
      await redis.restart();
      await until(200);
    });
  },
  { own: true },
);

Deno.test("the program drains when it is told to, tells how far it has come, and ends with 0 on SIGTERM", async () => {
  await using upstream = scriptedUpstream(async ({ line }, to) => {
    await to.write(line.startsWith("GET") ? SSE_HEAD + chunk(":\n\n") : ANSWER);
  });
  const adminAddress = `127.0.0.1:${freePort()}`;
  const flags = ["--listen", "127.0.0.1:0", "--admin", adminAddress, "--upstream", upstream.url];
  const program = startProgram(["serve", ...flags]);
  const { origin } = new URL((await program.first).slice("listening ".length));
  const page = async (method: string, path: string) => {
    const { status, text } = await adminRequest(`http://${adminAddress}`, method, path);
    return { status, value: JSON.parse(text) };
  };
  using stream = await eventClient.begin(
    origin,
    "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n",
  );
  const get = [
    "/healthz",
    "/readyz",
    "/readyz/%2Fmcp",
    "/status",
    "/sessions",
    "/targets",
    "/drain",
  ];
  for (const path of get) assertEquals((await page("GET", path)).status, 200, path);
  assertEquals((await page("GET", "/drain")).value.subscriptions, 1);
  assertEquals((await page("POST", "/targets/%2Fmcp/a/drain")).status, 404);
  assertEquals((await page("POST", "/reload")).status, 501);
  assertEquals((await page("POST", "/drain")).value.draining, true);
  await stream.rest();
  for (;;) {
    const { value } = await page("GET", "/drain");
    if (value.answersUnderWay === 0) break;
  }
  using client = await RawClient.connect(origin);
  await client.write(jsonPost(messages.ping()));
  assertEquals((await client.readResponse()).headers.get("connection"), "close");
  program.child.kill("SIGTERM");
  const { code, err } = await program.end();
  assertEquals(code, 0, err);
  assertMatch(err, /draining, because the admin address was asked for it/);
});
