/**
 * R72, R73, R79, R81: a session belongs to who opened it, on every method, whoever else has a key.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as eventClient from "../testing/event_client.ts";
import { type EventServer, eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";

const KEYS = {
  alice: "sy_alice-0123456789012345678901234567",
  bob: "sy_bob-4567890123456789012345678",
};
type Name = keyof typeof KEYS;

/** Runs `test` with a proxy that knows Alice and Bob. */
async function withTwo(
  test: (proxy: TestProxy, upstream: EventServer) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  await using upstream = eventServer();
  const keys = Object.entries(KEYS).map(([name, key]) => ({ name, sha256: hashOfKey(key) }));
  await withProxy(
    { upstream: upstream.url, config: { auth: { keys }, ...config } },
    (proxy) => test(proxy, upstream),
  );
}

function fields(name: Name, session?: string, more: Record<string, string> = {}) {
  const own = session === undefined ? {} : { "mcp-session-id": session };
  return { authorization: `Bearer ${KEYS[name]}`, ...own, ...more };
}

function bodyless(method: string, name: Name, session: string, more: Record<string, string> = {}) {
  const all = { host: "localhost", accept: "text/event-stream", ...fields(name, session, more) };
  const lines = Object.entries(all).map(([field, value]) => `${field}: ${value}\r\n`);
  return `${method} /mcp HTTP/1.1\r\n${lines.join("")}\r\n`;
}

async function open(proxy: TestProxy, name: Name): Promise<string> {
  const { status, headers } = await exchange(
    proxy.origin,
    jsonPost(messages.initialize(), fields(name)),
  );
  assertEquals(status, 200);
  return headers.get("mcp-session-id")!;
}

Deno.test("R72 another's session is 404 on POST, GET and DELETE, and goes on unharmed", async () => {
  await withTwo(async (proxy, upstream) => {
    const session = await open(proxy, "alice");
    const before = upstream.requests.length;
    const attempts = [
      jsonPost(messages.ping(), fields("bob", session)),
      jsonPost(messages.initialized, fields("bob", session)),
      bodyless("GET", "bob", session),
      bodyless("DELETE", "bob", session),
    ];
    for (const attempt of attempts) {
      const answer = await exchange(proxy.origin, attempt);
      assertEquals([answer.status, JSON.parse(answer.text).error.code], [404, -31404]);
    }
    assertEquals(upstream.requests.length, before, "nothing of it went upstream");
    const mine = await exchange(
      proxy.origin,
      jsonPost(messages.initialized, fields("alice", session)),
    );
    assertEquals(mine.status, 202);
  });
});

Deno.test("R73 another's GET does not displace the stream of a session's owner", async () => {
  await withTwo(async (proxy, upstream) => {
    const session = await open(proxy, "alice");
    using stream = await eventClient.begin(proxy.origin, bodyless("GET", "alice", session));
    const server = await upstream.stream(0);
    assertEquals((await exchange(proxy.origin, bodyless("GET", "bob", session))).status, 404);
    await server.send("data: 1\n\n");
    let event = await stream.next();
    while (event !== null && event !== "cut" && !event.data) event = await stream.next();
    assertEquals(event !== null && event !== "cut" && event.data, "1");
  });
});

Deno.test("R79 an event id of another's session gives no events", async () => {
  await withTwo(async (proxy, upstream) => {
    const sessions = { alice: await open(proxy, "alice"), bob: await open(proxy, "bob") };
    using stream = await eventClient.begin(proxy.origin, bodyless("GET", "alice", sessions.alice));
    await (await upstream.stream(0)).send("data: secret\n\n");
    let id: string | undefined;
    for (let event = await stream.next(); event !== null && event !== "cut";) {
      if (event.data) {
        id = event.id;
        break;
      }
      event = await stream.next();
    }
    const last = { "last-event-id": id! };
    const inOwn = await exchange(proxy.origin, bodyless("GET", "bob", sessions.bob, last));
    assertEquals(inOwn.status, 400);
    const inTheirs = await exchange(proxy.origin, bodyless("GET", "bob", sessions.alice, last));
    assertEquals(inTheirs.status, 404);
  });
});

Deno.test("R85 one caller's sessions are capped without touching another's", async () => {
  const limits = { maxSessionsPerPrincipal: 2 };
  await withTwo(async (proxy) => {
    const first = await open(proxy, "alice");
    await open(proxy, "alice");
    const refused = await exchange(
      proxy.origin,
      jsonPost(messages.initialize(), fields("alice")),
    );
    assertEquals([refused.status, refused.headers.get("retry-after")], [429, "10"]);
    const other = await open(proxy, "bob");
    for (const [name, session] of [["alice", first], ["bob", other]] as const) {
      const alive = await exchange(
        proxy.origin,
        jsonPost(messages.initialized, fields(name, session)),
      );
      assertEquals(alive.status, 202);
    }
  }, { limits });
});
