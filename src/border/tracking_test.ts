/**
 * Who is connected, and what has passed, as the admin pages tell it; R96, R97: and nothing that is secret.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ToldSession, ToldStream } from "../admin/mod.ts";
import { hashOfKey } from "../auth/mod.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, RawClient } from "../testing/raw_client.ts";
import { redisTest } from "../testing/redis.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
} from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

type Told = ToldSession & { readonly streams: readonly ToldStream[] };

const { event, progress, result } = streams;
const INNER = "inner-session-id";
const ADMIN = { admin: "127.0.0.1:0" };
const KEYS = {
  alice: "sy_alice-0123456789012345678901234567",
  bob: "sy_bob-4567890123456789012345678",
};
type Name = keyof typeof KEYS;

/** The text of an admin page. */
async function pageText(proxy: TestProxy, path: string): Promise<string> {
  const request = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
  const { text, status, headers } = await exchange(proxy.adminOrigin!, request);
  assertEquals([status, headers.get("content-type")], [200, "application/json"]);
  return text;
}

/** A session, by default the first, once it is as expected: that somebody has left is seen a little later. */
async function sessionOnce(
  proxy: TestProxy,
  isAsExpected: (session: Told) => boolean = () => true,
  at = 0,
): Promise<Told> {
  const { key } = JSON.parse(await pageText(proxy, "/sessions")).sessions[at];
  for (;;) {
    const told: Told = JSON.parse(await pageText(proxy, `/sessions/${key}`));
    if (isAsExpected(told)) return told;
  }
}

/** The data of the next event. */
async function dataOf(stream: eventClient.ClientStream): Promise<string | undefined> {
  const event = await stream.next();
  assert(event !== null && event !== "cut");
  return event.data;
}

function fields(name: Name, session?: string) {
  const own = session === undefined ? {} : { "mcp-session-id": session };
  return { authorization: `Bearer ${KEYS[name]}`, ...own };
}

function callOf(name: Name, session: string): Uint8Array {
  const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call",' +
    '"params":{"name":"canary-tool","arguments":{"a":"canary-argument"}}}';
  return jsonPost(body, fields(name, session));
}

Deno.test("R96 R97 the pages tell of two callers' sessions and streams, and nothing secret", async () => {
  await using upstream = eventServer({ sessionId: INNER });
  const keys = Object.entries(KEYS).map(([name, key]) => ({ name, sha256: hashOfKey(key) }));
  const config = { ...ADMIN, auth: { keys } };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const open = async (name: Name) => {
      const request = jsonPost(messages.initialize(), fields(name));
      return (await exchange(proxy.origin, request)).headers.get("mcp-session-id")!;
    };
    const [alices, bobs] = [await open("alice"), await open("bob")];
    const lines = Object.entries(fields("alice", alices)).map((pair) => `${pair.join(": ")}\r\n`);
    const listen = "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n";
    using speaks = await eventClient.begin(proxy.origin, `${listen}${lines.join("")}\r\n`);
    const call = await eventClient.begin(proxy.origin, callOf("bob", bobs));
    await (await upstream.stream(0)).send(event("u", progress(1)));
    assertEquals([await dataOf(speaks), await dataOf(speaks)], ["", progress(1)]);
    call[Symbol.dispose]();

    const list = JSON.parse(await pageText(proxy, "/sessions"));
    const [alice, bob]: ToldSession[] = list.sessions;
    assertEquals([list.total, list.next, list.sessions.length], [2, null, 2]);
    assertEquals([alice!.principal, bob!.principal], ["alice", "bob"]);
    assertEquals([alice!.route, alice!.revision, alice!.client], ["/mcp", "2025-11-25", {
      name: "test",
      version: "1",
    }]);
    for (const time of [alice!.since, alice!.lastUsed]) {
      assertMatch(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    }
    const [stream] = (await sessionOnce(proxy)).streams;
    assertEquals([stream!.kind, stream!.attached, stream!.events], ["subscription", true, 1]);
    const ofBob = await sessionOnce(proxy, ({ streams: [one] }) => one?.attached === false, 1);
    assertEquals([ofBob.streams[0]!.kind, ofBob.traffic.streams], ["answer", 1]);

    const texts = [
      await pageText(proxy, "/sessions"),
      await pageText(proxy, `/sessions/${alice!.key}`),
      await pageText(proxy, `/sessions/${bob!.key}`),
      await pageText(proxy, "/status"),
    ].join("\n");
    const secrets = [alices, bobs, INNER, ...Object.values(KEYS), "canary", "key:alice"];
    for (const secret of secrets) assert(!texts.includes(secret), secret);
    const status = JSON.parse(await pageText(proxy, "/status"));
    assertEquals([status.sessions, status.principals], [2, 2]);
    assertEquals(status.streams, { held: 2, unattended: 1 });
  });
});

Deno.test("bytes and events of a session are those that went over its connections", async () => {
  await using upstream = eventServer({ sessionId: INNER });
  await withProxy({ upstream: upstream.url, config: ADMIN }, async (proxy) => {
    const opened = await exchange(proxy.origin, jsonPost(messages.initialize()));
    const session = opened.headers.get("mcp-session-id")!;
    let bytesIn = messages.initialize().length;
    let bytesOut = opened.text.length;
    const traffic = async () => (await sessionOnce(proxy)).traffic;
    assertEquals(await traffic(), { requests: 1, bytesIn, bytesOut, events: 0, streams: 0 });

    using client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost(messages.ping("7"), { "mcp-session-id": session }));
    const server = await upstream.stream(0);
    await server.send(event(null, progress(1)) + event(null, result(7)));
    await server.end();
    const { text } = await client.readResponse();
    bytesIn += messages.ping("7").length;
    bytesOut += text.length;
    const { streams, ...rest } = await traffic();
    assertEquals(rest, { requests: 2, bytesIn, bytesOut, events: 2 });
    // It is kept, so that its client can come back for what was lost on the way.
    assertEquals(streams, 1);
  });
});

/** Answers `ping` with JSON of this size. */
function large(bytes: number) {
  const text = `{"jsonrpc":"2.0","id":1,"result":{"text":"${"x".repeat(bytes)}"}}`;
  const otherwise = async (request: ReceivedRequest, to: ScriptedConnection) => {
    if (!new TextDecoder().decode(request.body).includes('"ping"')) return false;
    await to.write(jsonAnswer(text));
    return true;
  };
  return { text, otherwise };
}

Deno.test("JSON is counted, whole and where it is streamed because it is large", async () => {
  for (const bytes of [10, 300_000]) {
    const { text, otherwise } = large(bytes);
    await using upstream = eventServer({ otherwise });
    await withProxy({ upstream: upstream.url, config: ADMIN }, async (proxy) => {
      const opened = await exchange(proxy.origin, jsonPost(messages.initialize()));
      const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
      const answer = await exchange(proxy.origin, jsonPost(messages.ping(), session));
      assertEquals(answer.text, text);
      const { traffic } = await sessionOnce(proxy, ({ inFlight }) => inFlight === 0);
      assertEquals(traffic, {
        requests: 2,
        bytesIn: messages.initialize().length + messages.ping().length,
        bytesOut: opened.text.length + text.length,
        events: 0,
        streams: 0,
      });
    });
  }
});

Deno.test("what an interceptor answers in the server's place is counted", async () => {
  await using upstream = eventServer();
  const options = { tools: { deny: ["t"] } };
  const config = { ...ADMIN, interceptors: [{ use: "access", options }] };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const opened = await exchange(proxy.origin, jsonPost(messages.initialize()));
    const before = (await sessionOnce(proxy)).traffic;
    const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
    const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}';
    const { text, status } = await exchange(proxy.origin, jsonPost(body, session));
    assertEquals([status, upstream.requests.length], [200, 1]);
    const { traffic } = await sessionOnce(proxy);
    const { bytesIn, bytesOut } = traffic;
    assertEquals([bytesIn, bytesOut], [
      before.bytesIn + body.length,
      before.bytesOut + text.length,
    ]);
    assertEquals(before.bytesOut, opened.text.length);
  });
});

Deno.test("without an event log streams are counted in bytes, and told until they end", async () => {
  await using upstream = eventServer();
  const config = { ...ADMIN, eventLog: { store: "off" } };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const session = await eventClient.openSession(proxy.origin);
    using call = await eventClient.call(proxy.origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event(null, progress(1)));
    assertEquals(await dataOf(call), progress(1));
    const [stream] = (await sessionOnce(proxy)).streams;
    assertEquals([stream!.kind, stream!.attached, stream!.events, stream!.bytes], [
      "answer",
      true,
      null,
      event(null, progress(1)).length,
    ]);
    await server.send(event(null, result(7)));
    await server.end();
    await call.rest();
    const { traffic } = await sessionOnce(proxy, ({ streams }) => streams.length === 0);
    assertEquals([traffic.streams, traffic.events], [0, 0]);
  });
});

Deno.test("a client's name is told as JSON, and a long one shortened", async () => {
  await using upstream = eventServer();
  await withProxy({ upstream: upstream.url, config: ADMIN }, async (proxy) => {
    const name = `"}<script>\u2028${"n".repeat(1_000)}`;
    const initialize = JSON.parse(messages.initialize());
    initialize.params.clientInfo.name = name;
    await exchange(proxy.origin, jsonPost(JSON.stringify(initialize)));
    assertEquals((await sessionOnce(proxy)).client?.name, name.slice(0, 128));
  });
});

Deno.test("the status page tells how many connections of clients are open", async () => {
  await using upstream = eventServer();
  for (const [httpServer, expected] of [["switchyard", 2], ["deno", null]]) {
    const config = { ...ADMIN, httpServer };
    await withProxy({ upstream: upstream.url, config }, async (proxy) => {
      using first = await RawClient.connect(proxy.origin);
      using second = await RawClient.connect(proxy.origin);
      for (const client of [first, second]) {
        await client.write("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assertEquals((await client.readResponse()).status, 404);
      }
      const status = JSON.parse(await pageText(proxy, "/status"));
      assertEquals([status.clientConnections, status.principals], [expected, 0]);
    });
  }
});

Deno.test("the pages of sessions are behind the same door, and change nothing", async () => {
  await using upstream = eventServer();
  await withProxy({ upstream: upstream.url, config: ADMIN }, async (proxy) => {
    await eventClient.openSession(proxy.origin);
    const { key } = await sessionOnce(proxy);
    const ask = async (method: string, path: string, host = "localhost") =>
      (await exchange(proxy.adminOrigin!, `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`))
        .status;
    assertEquals(await ask("GET", `/sessions/${key}`, "evil.test"), 403);
    assertEquals(await ask("DELETE", `/sessions/${key}`), 405);
    assertEquals(await ask("GET", "/sessions/canary"), 404);
    assertEquals(await ask("GET", "/sessions?limit=0"), 400);
    assertEquals(await ask("GET", "/sessions/"), 404);
    assertEquals(await ask("GET", "/status/x"), 404);
    assertEquals(JSON.parse(await pageText(proxy, "/sessions?limit=1")).total, 1);
  });
});

redisTest(
  "a stream that is read at one instance and held at another is told at both",
  async (redis) => {
    await using upstream = eventServer({ sessionId: INNER });
    const config = {
      ...ADMIN,
      redis: { url: redis.url, prefix: redis.prefix },
      sessions: { store: "redis", keys: ["the-same-key-at-every-instance-0123456789"] },
      eventLog: { store: "redis" },
    };
    const options = { upstream: upstream.url, config };
    await withProxy(options, (holder) =>
      withProxy(options, async (follower) => {
        const session = await eventClient.openSession(holder.origin);
        let lastId: string;
        {
          using call = await eventClient.call(holder.origin, session, 7);
          await (await upstream.stream(0)).send(event(null, progress(1)));
          // The event that primes the client comes ahead of it, unless both are there at once.
          let read = await call.next();
          while (read !== null && read !== "cut" && !read.data) read = await call.next();
          assert(read !== null && read !== "cut");
          lastId = read.id!;
        }
        await sessionOnce(holder, ({ streams: [one] }) => one?.attached === false);
        using again = await eventClient.listen(follower.origin, session, lastId);
        await (await upstream.stream(0)).send(event(null, progress(2)));
        assertEquals(await dataOf(again), progress(2));
        const [held] = (await sessionOnce(holder)).streams;
        const { streams: [followed], traffic } = await sessionOnce(follower);
        assertEquals([held!.kind, held!.attached, held!.events], ["answer", true, 1]);
        assertEquals([followed!.kind, followed!.attached, followed!.events], ["followed", true, 1]);
        assertEquals([traffic.events, traffic.streams], [1, 1]);
        again[Symbol.dispose]();
        await sessionOnce(follower, ({ streams }) => streams.length === 0);
      }));
  },
);
