/**
 * R72, R91: sessions and streams of callers with access tokens, which run out and are renewed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as eventClient from "../testing/event_client.ts";
import { type EventServer, eventServer } from "../testing/event_server.ts";
import { type TestIssuer, testIssuer } from "../testing/issuer.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const PUBLIC = "https://mcp.example.com";

interface Setting {
  readonly proxy: TestProxy;
  readonly upstream: EventServer;
  readonly issuer: TestIssuer;
  readonly clock: ManualClock;
  /** The field with a token that is good for `seconds`. */
  bearer(seconds: number, sub?: string): Promise<{ authorization: string }>;
}

async function setting(
  test: (setting: Setting) => Promise<void>,
  upstreamConfig: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const clock = new ManualClock();
  await using issuer = await testIssuer(clock);
  await using upstream = eventServer();
  const oauth = {
    issuer: issuer.issuer,
    allowPrivateAddresses: true,
    clockToleranceSeconds: 0,
  };
  const config = { publicUrl: PUBLIC, auth: { oauth }, limits: { keepAliveMs: 0 } };
  await withProxy({ upstream: upstream.url, upstreamConfig, config, clock }, async (proxy) => {
    const bearer = async (seconds: number, sub = "alice") => {
      const exp = Math.floor(clock.now().getTime() / 1000) + seconds;
      const token = await issuer.keys.token({ aud: `${PUBLIC}/mcp`, exp, sub });
      return { authorization: `Bearer ${token}` };
    };
    await test({ proxy, upstream, issuer, clock, bearer });
  });
}

function get(session: string, fields: Readonly<Record<string, string>>): string {
  const all = {
    host: "localhost",
    accept: "text/event-stream",
    "mcp-session-id": session,
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /mcp HTTP/1.1\r\n${lines.join("")}\r\n`;
}

type ClientStream = Awaited<ReturnType<typeof eventClient.begin>>;

/** The next event with a message in it. */
async function nextOf(stream: ClientStream) {
  for (;;) {
    const event = await stream.next();
    assert(event !== null && event !== "cut", `the stream is over: ${event}`);
    if (event.data !== undefined && event.data !== "") return { ...event, data: event.data };
  }
}

const methodOf = ({ data }: { readonly data: string }) => JSON.parse(data).method;

const CHANGED = '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}';

Deno.test("R72 a session is its caller's, whichever of the caller's tokens is shown, and nobody else's", () =>
  setting(async ({ proxy, clock, bearer }) => {
    const { origin } = proxy;
    const session = await eventClient.openSession(origin, undefined, await bearer(30));
    const ask = async (fields: Record<string, string>) =>
      (await postText(origin, messages.initialized, { "mcp-session-id": session, ...fields }))
        .status;
    assertEquals(await ask(await bearer(30, "bob")), 404);
    clock.advance(31_000);
    assertEquals(await ask(await bearer(-1)), 401);
    assertEquals(await ask(await bearer(30)), 202);
  }));

Deno.test("R91 a GET stream ends within 15 seconds of its token's end, and is taken up again with another token", () =>
  setting(async ({ proxy, clock, upstream, bearer }) => {
    const { origin } = proxy;
    const first = await bearer(40);
    const session = await eventClient.openSession(origin, undefined, first);
    using short = await eventClient.begin(origin, get(session, first));
    const server = await upstream.stream(0);
    await server.send('id: 1\ndata: {"jsonrpc":"2.0","method":"a"}\n\n');
    const event = await nextOf(short);
    clock.advance(39_000);
    await server.send('id: 2\ndata: {"jsonrpc":"2.0","method":"b"}\n\n');
    assertEquals(methodOf(await nextOf(short)), "b");
    clock.advance(6_001);
    assertEquals(await short.next(), null);
    // What came meanwhile is not lost.
    await server.send('id: 3\ndata: {"jsonrpc":"2.0","method":"c"}\n\n');
    const again = { ...await bearer(40), "last-event-id": event.id! };
    using resumed = await eventClient.begin(origin, get(session, again));
    const methods = [methodOf(await nextOf(resumed)), methodOf(await nextOf(resumed))];
    assertEquals(methods, ["b", "c"]);
  }));

Deno.test("R91 a subscriptions/listen is completed when its token has run out, and a call goes on to its answer", () =>
  setting(async ({ proxy, clock, upstream, bearer }) => {
    const fields = await bearer(10);
    const post = (method: string, params: Record<string, unknown>, name = {}) => {
      const head = { "mcp-protocol-version": "2026-07-28", "mcp-method": method };
      return jsonPost(messages.modern(method, params), { ...head, ...name, ...fields });
    };
    const notifications = { toolsListChanged: true };
    using subscription = await eventClient.begin(
      proxy.origin,
      post("subscriptions/listen", { notifications }),
    );
    const key = "io.modelcontextprotocol/subscriptionId";
    const acknowledged = {
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: { [key]: 1 }, notifications },
    };
    await (await upstream.stream(0)).send(`data: ${JSON.stringify(acknowledged)}\n\n`);
    assertEquals(JSON.parse((await nextOf(subscription)).data), acknowledged);
    using call = await eventClient.begin(
      proxy.origin,
      post("tools/call", { name: "t", arguments: {} }, { "mcp-name": "t" }),
    );
    clock.advance(15_001);
    // 2026-07-28 basic/patterns/subscriptions "Graceful Closure".
    const { id, result } = JSON.parse((await nextOf(subscription)).data);
    assertEquals([id, result.resultType, await subscription.next()], [1, "complete", null]);
    const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
    const server = await upstream.stream(1);
    await server.send(`data: ${answer}\n\n`);
    assertEquals((await nextOf(call)).data, answer);
    await server.end();
  }, { era: "both" }));

Deno.test("R91 a client of HTTP+SSE keeps its stream while it shows newer tokens, and loses it when it does not", () =>
  setting(async ({ proxy, clock, bearer }) => {
    const fields = await bearer(20);
    using client = await sseCaller(proxy.origin, "/mcp/sse", fields);
    await client.start("2024-11-05");
    const post = async (shown: Record<string, string>) =>
      (await exchange(proxy.origin, jsonPost(CHANGED, shown, client.endpoint))).status;
    clock.advance(15_000);
    assertEquals(await post(await bearer(40)), 202);
    clock.advance(30_000);
    assertEquals(await post(fields), 401);
    const still = await bearer(5);
    assertEquals(await post(still), 202);
    clock.advance(15_000);
    for (;;) {
      const event = await client.stream.next();
      if (event === null) break;
      assert(event !== "cut");
    }
    assertEquals(await post(await bearer(20)), 404);
  }));

Deno.test("a reload keeps callers of the same issuer, their sessions and keys, and ends those of another", async () => {
  await using issuer = await testIssuer();
  await using other = await testIssuer();
  await using upstream = eventServer();
  const settings = (from: TestIssuer, more: Record<string, unknown> = {}) => ({
    publicUrl: PUBLIC,
    auth: { oauth: { issuer: from.issuer, allowPrivateAddresses: true } },
    routes: [reloading.routeTo("mcp", upstream.url, { era: "session" })],
    ...more,
  });
  await reloading.withReloadable(settings(issuer), async (proxy) => {
    const token = await issuer.keys.token({ aud: `${PUBLIC}/mcp` });
    const fields = { authorization: `Bearer ${token}` };
    const session = await eventClient.openSession(proxy.origin, undefined, fields);
    using stream = await eventClient.begin(proxy.origin, get(session, fields));
    assertEquals(stream.status, 200);
    const asked = issuer.asked.length;
    const second = reloading.routeTo("more", upstream.url, { era: "session" });
    const first = settings(issuer).routes[0]!;
    assertEquals((await proxy.put(settings(issuer, { routes: [first, second] }))).ok, true);
    const open = async (shown: Record<string, string>, path = "/mcp") => {
      const own = { "mcp-session-id": session, ...shown };
      return (await exchange(proxy.origin, jsonPost(messages.initialized, own, path))).status;
    };
    assertEquals([await open(fields), issuer.asked.length], [202, asked]);
    // R92: the new route is a resource of its own.
    assertEquals(await open(fields, "/more"), 401);
    assertEquals((await proxy.put(settings(other))).ok, true);
    assert((await stream.rest()).every(({ data }) => data === ""));
    assertEquals(await open(fields), 401);
    const theirs = await other.keys.token({ aud: `${PUBLIC}/mcp` });
    assertEquals(await open({ authorization: `Bearer ${theirs}` }), 404);
  });
});

Deno.test("R91 a reload with other wishes in auth.oauth ends what callers with tokens read, and one without does not", async () => {
  await using issuer = await testIssuer();
  const oauth = { issuer: issuer.issuer, allowPrivateAddresses: true };
  const key = "sy_ci";
  const keys = [{ name: "ci", sha256: hashOfKey(key) }];
  const changes = [
    { auth: { oauth: { ...oauth, scopes: ["mcp:use"] } } },
    { auth: { oauth: { ...oauth, audience: "other" } } },
    { auth: { oauth: { ...oauth, algorithms: ["RS256"] } } },
    { auth: { oauth: { ...oauth, jwksUri: `${issuer.issuer}/other` } } },
    { publicUrl: "https://other.example.com" },
  ];
  for (const change of changes) {
    await using upstream = eventServer();
    const route = reloading.routeTo("mcp", upstream.url, { era: "session" });
    const second = reloading.routeTo("more", upstream.url, { era: "session" });
    const settings = { publicUrl: PUBLIC, auth: { oauth }, routes: [route] };
    const before = { ...settings, auth: { oauth, keys } };
    await reloading.withReloadable(before, async (proxy) => {
      const token = await issuer.keys.token({ aud: `${PUBLIC}/mcp` });
      const open = async (authorization: string) => {
        const fields = { authorization };
        const session = await eventClient.openSession(proxy.origin, undefined, fields);
        return await eventClient.begin(proxy.origin, get(session, fields));
      };
      using stream = await open(`Bearer ${token}`);
      const server = await upstream.stream(0);
      using ofKey = await open(`Bearer ${key}`);
      assertEquals([stream.status, ofKey.status], [200, 200]);
      const more = await proxy.put({ ...before, routes: [route, second] });
      assertEquals(more.ok, true);
      await server.send('id: 1\ndata: {"jsonrpc":"2.0","method":"a"}\n\n');
      assertEquals(methodOf(await nextOf(stream)), "a");
      const after = { ...settings, ...change };
      const { ok } = await proxy.put({ ...after, auth: { ...after.auth, keys } });
      assertEquals(ok, true);
      await stream.rest();
      // The holder of a key is who it was.
      await (await upstream.stream(1)).send('id: 2\ndata: {"jsonrpc":"2.0","method":"b"}\n\n');
      assertEquals(methodOf(await nextOf(ofKey)), "b");
    });
  }
});

Deno.test("R91 a client of HTTP+SSE with a token is ended by such a reload too", async () => {
  await using issuer = await testIssuer();
  await using upstream = eventServer();
  const oauth = { issuer: issuer.issuer, allowPrivateAddresses: true };
  const routes = [reloading.routeTo("mcp", upstream.url, { era: "session" })];
  const settings = { publicUrl: PUBLIC, auth: { oauth }, routes };
  await reloading.withReloadable(settings, async (proxy) => {
    const authorization = `Bearer ${await issuer.keys.token({ aud: `${PUBLIC}/mcp` })}`;
    using client = await sseCaller(proxy.origin, "/mcp/sse", { authorization });
    await client.start("2024-11-05");
    const next = { ...settings, auth: { oauth: { ...oauth, scopes: ["mcp:use"] } } };
    assertEquals((await proxy.put(next)).ok, true);
    while (await client.stream.next() !== null);
  });
});

Deno.test("a reload gives up the keys that are being fetched for the config before, and says nothing of a failure", async () => {
  await using issuer = await testIssuer();
  await using other = await testIssuer();
  await using upstream = eventServer();
  const settings = (from: TestIssuer) => ({
    publicUrl: PUBLIC,
    auth: { oauth: { issuer: from.issuer, allowPrivateAddresses: true } },
    routes: [reloading.routeTo("mcp", upstream.url, { era: "session" })],
  });
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<Response>();
  issuer.answer = () => {
    asked.resolve();
    return held.promise;
  };
  await reloading.withReloadable(settings(issuer), async (proxy) => {
    const authorization = `Bearer ${await issuer.keys.token({ aud: `${PUBLIC}/mcp` })}`;
    const pending = postText(proxy.origin, messages.ping(), { authorization });
    await asked.promise;
    const { ok } = await proxy.put(settings(other));
    const { status } = await pending;
    held.resolve(new Response("late", { status: 500 }));
    assertEquals(ok, true);
    assert(status === 503 || status === 401, `${status}`);
    // Left alone it would fail by its deadline, and the log would have that.
    assert(!proxy.logs.join().includes('"level":"warn"'), proxy.logs.join());
  });
});
