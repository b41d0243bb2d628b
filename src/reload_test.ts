/**
 * Another config in the place of the one that runs: what holds for whom, and what changes nothing.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { hashOfKey } from "./auth/mod.ts";
import { configSchema } from "./config/schema.ts";
import { MAX_RETIRED } from "./holds.ts";
import { serve } from "./server.ts";
import * as tagging from "./testing/tagging.ts";
import * as eventClient from "./testing/event_client.ts";
import { eventServer } from "./testing/event_server.ts";
import * as messages from "./testing/messages.ts";
import { PROJECT } from "./testing/program.ts";
import { exchange, jsonPost, postText, RawClient } from "./testing/raw_client.ts";
import * as reloading from "./testing/reload.ts";
import { jsonAnswer, scriptedUpstream } from "./testing/scripted_upstream.ts";
import { SessionCaller } from "./testing/session_caller.ts";
import { sessionUpstream } from "./testing/session_upstream.ts";
import { sseGet } from "./testing/sse_caller.ts";
import * as streams from "./testing/streams.ts";

const { done, namedUpstream, routeTo, tagged, withReloadable } = reloading;
const { event, progress } = streams;

const TAGGING = new URL("./testing/tagging.ts", import.meta.url).href;

const KEY = "sy_canary-of-ci-0123456789012345678901234567";
const OTHER_KEY = "sy_canary-of-ops-012345678901234567890123456";
const keyOf = (name: string, key: string) => ({ name, sha256: hashOfKey(key) });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** What answers a ping: the status, and the result. */
async function ping(origin: string, fields: Record<string, string> = {}, path = "/mcp") {
  const { status, text } = await exchange(origin, jsonPost(messages.ping(), fields, path));
  return [status, status === 200 ? JSON.parse(text).result : undefined];
}

Deno.test("a call in flight is answered by the upstream and the interceptors it came to", async () => {
  const release = Promise.withResolvers<void>();
  await using first = scriptedUpstream(async (_, to) => {
    await release.promise;
    await to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{"name":"first"}}'));
  });
  await using second = namedUpstream("second");
  const before = { routes: [routeTo("mcp", first.url, {}, tagged("old"))] };
  await withReloadable(before, async (proxy) => {
    const calling = ping(proxy.origin);
    await first.received(0);
    const after = { routes: [routeTo("mcp", second.url, {}, tagged("new"))] };
    assertEquals(await proxy.put(after), done({ changed: ["mcp"] }));
    assertEquals(await ping(proxy.origin), [200, { name: "second", tag: "new" }]);
    assertEquals(tagging.open, ["old", "new"]);
    release.resolve();
    assertEquals(await calling, [200, { name: "first", tag: "old" }]);
    // Nobody uses it any more.
    assertEquals(tagging.open, ["new"]);
    assertEquals(first.requests.length, 1);
  });
  assertEquals(tagging.open, []);
});

Deno.test("a removed route answers 404 and an added one answers", async () => {
  await using upstream = namedUpstream("u");
  await withReloadable({ routes: [routeTo("mcp", upstream.url)] }, async (proxy) => {
    assertEquals(await ping(proxy.origin, {}, "/late"), [404, undefined]);
    const late = { routes: [routeTo("late", upstream.url)] };
    assertEquals(await proxy.put(late), done({ added: ["late"], removed: ["mcp"] }));
    assertEquals(await ping(proxy.origin, {}, "/late"), [200, { name: "u" }]);
    assertEquals(await ping(proxy.origin), [404, undefined]);
  });
});

Deno.test("sessions of a removed route end, here and at its upstream", async () => {
  await using upstream = sessionUpstream();
  await using other = namedUpstream("other");
  const kept = routeTo("other", other.url);
  await withReloadable({ routes: [routeTo("mcp", upstream.url), kept] }, async (proxy) => {
    const caller = await new SessionCaller({ ...proxy, logs: [] }).ready();
    assertEquals(await proxy.put({ routes: [kept] }), done({ removed: ["mcp"], kept: ["other"] }));
    const { line, field } = await upstream.received(2);
    assertMatch(line, /^DELETE /);
    assertEquals(field("mcp-session-id"), "inner-1");
    assertEquals((await caller.ask("ping")).status, 404);
    // The route may come back, the session does not.
    await proxy.put({ routes: [routeTo("mcp", upstream.url), kept] });
    assertEquals((await caller.ask("ping")).status, 404);
  });
});

Deno.test("a removed route's upstream stays until it has been told of all its sessions", async () => {
  await using upstream = sessionUpstream({
    instead: async ({ method }) => {
      // So that they wait for each other.
      if (method === "DELETE") await new Promise((resolve) => setTimeout(resolve, 1));
      return false;
    },
  });
  const kept = routeTo("other", upstream.url);
  await withReloadable({ routes: [routeTo("mcp", upstream.url), kept] }, async (proxy) => {
    const opened = Array.from({ length: 40 }, () => postText(proxy.origin, messages.initialize()));
    await Promise.all(opened);
    assertEquals((await proxy.put({ routes: [kept] })).ok, true);
    await upstream.received(79);
    assertEquals(upstream.told(40).filter((told) => told.startsWith("DELETE")).length, 40);
  });
});

Deno.test("R91 keys that are added or removed take effect at once, for streams too", async () => {
  await using upstream = eventServer();
  const settings = (...keys: { name: string; sha256: string }[]) => ({
    auth: { keys },
    routes: [routeTo("mcp", upstream.url)],
  });
  await withReloadable(settings(keyOf("ci", KEY)), async (proxy) => {
    const init = (key: string) => postText(proxy.origin, messages.initialize(), bearer(key));
    assertEquals((await init(OTHER_KEY)).status, 401);
    const id = (await init(KEY)).headers.get("mcp-session-id")!;
    const get = sseGet("/mcp", { ...bearer(KEY), "mcp-session-id": id });
    using stream = await eventClient.begin(proxy.origin, get);
    await upstream.stream(0);
    // The same principal by another key: its sessions stay.
    const renewed = settings(keyOf("ci", OTHER_KEY));
    assertEquals((await proxy.put(renewed)).ok, true);
    assertEquals([(await init(KEY)).status, (await init(OTHER_KEY)).status], [401, 200]);
    await (await upstream.stream(0)).send(event("1", progress(1)));
    assertEquals((await stream.next() as eventClient.ReadEvent).data, "");
    assertEquals((await stream.next() as eventClient.ReadEvent).data, progress(1));
    // Another principal alone: what the former one has open ends.
    assertEquals((await proxy.put(settings(keyOf("ops", KEY)))).ok, true);
    assertEquals(await stream.next(), null);
    assertEquals((await init(OTHER_KEY)).status, 401);
    assertEquals((await exchange(proxy.origin, get)).status, 404);
  });
});

Deno.test("R91 a subscription of 2026-07-28 ends with the key of its principal", async () => {
  await using upstream = eventServer();
  const settings = (name: string) => ({
    auth: { keys: [keyOf(name, KEY)] },
    routes: [routeTo("mcp", upstream.url)],
  });
  await withReloadable(settings("ci"), async (proxy) => {
    const fields = {
      ...bearer(KEY),
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "subscriptions/listen",
    };
    const listen = messages.modern("subscriptions/listen", { notifications: {} });
    using stream = await eventClient.begin(proxy.origin, jsonPost(listen, fields));
    const server = await upstream.stream(0);
    assertEquals((await proxy.put(settings("ops"))).ok, true);
    assertEquals(await stream.next(), null);
    await server.closed;
  });
});

Deno.test("Host and Origin are judged by the new config, on the admin address too", async () => {
  await using upstream = namedUpstream("u");
  const settings = (more = {}) => ({
    ...more,
    admin: "127.0.0.1:0",
    routes: [routeTo("mcp", upstream.url)],
  });
  await withReloadable(settings(), async (proxy) => {
    const statuses = async () => [
      (await ping(proxy.origin, { host: "mcp.example.com" }))[0],
      (await exchange(proxy.adminOrigin!, "GET /healthz HTTP/1.1\r\nhost: mcp.example.com\r\n\r\n"))
        .status,
    ];
    assertEquals(await statuses(), [403, 403]);
    const outcome = await proxy.put(settings({ allowedHosts: ["mcp.example.com"] }));
    assertEquals(outcome, done({ kept: ["mcp"] }));
    assertEquals(await statuses(), [200, 200]);
  });
});

Deno.test("a config that cannot run changes nothing, and every problem is told", async () => {
  await using upstream = namedUpstream("u");
  await using other = namedUpstream("other");
  const good = { routes: [routeTo("mcp", upstream.url, {}, tagged("good"))] };
  const changed = routeTo("mcp", other.url, {}, tagged("bad"));
  await withReloadable(good, async (proxy) => {
    const bad: [unknown[], RegExp][] = [
      [
        [changed, routeTo("tls", other.url, { tls: { caFile: "/no/such.pem" } })],
        /^routes\[1\]\.upstream\.tls\.caFile: found \/no\/such\.pem, which cannot be read/,
      ],
      [
        [changed, routeTo("x", other.url, {}, { interceptors: [{ module: "/no/such.ts" }] })],
        /^routes\[1\]\.interceptors\[0\]: found .*no\/such\.ts cannot be imported/,
      ],
      [
        [
          changed,
          routeTo("x", other.url, {}, { interceptors: [{ module: TAGGING, options: {} }] }),
        ],
        /^routes\[1\]\.interceptors\[0\]: found .*no tag/,
      ],
    ];
    for (const [routes, problem] of bad) {
      const outcome = await proxy.put({ routes });
      assert(!outcome.ok);
      assertEquals(outcome.problems.length, 1);
      assertMatch(outcome.problems[0]!, problem);
      assertEquals(await ping(proxy.origin), [200, { name: "u", tag: "good" }]);
      assertEquals(tagging.open, ["good"]);
      const line = JSON.parse(proxy.logs.findLast((text) => text.includes("not reloaded"))!);
      assertEquals(line.message, "config not reloaded; the old one stays");
      assertEquals(line.problems, outcome.problems);
    }
    assertEquals(other.requests.length, 0);
  });
});

Deno.test("a certificate that was renewed is read, although the config is as it was", async () => {
  await using upstream = namedUpstream("u");
  const folder = await Deno.makeTempDir();
  const caFile = `${folder}/ca.pem`;
  const pem = await Deno.readTextFile(new URL("fixtures/tls/ca.pem", PROJECT));
  await Deno.writeTextFile(caFile, pem);
  const settings = { routes: [routeTo("mcp", upstream.url, { tls: { caFile } })] };
  await withReloadable(settings, async (proxy) => {
    assertEquals(await proxy.put(settings), done({ kept: ["mcp"] }));
    await Deno.writeTextFile(caFile, "\n" + pem);
    assertEquals(await proxy.put(settings), done({ changed: ["mcp"] }));
    await Deno.remove(caFile);
    const outcome = await proxy.put(settings);
    assertMatch(outcome.ok ? "" : outcome.problems.join(), /ca\.pem, which cannot be read/);
    assertEquals((await ping(proxy.origin))[0], 200);
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a target that is drained stays so when its upstream is made anew", async () => {
  await using first = namedUpstream("a");
  await using second = namedUpstream("b");
  const targets = [{ name: "a", url: first.url }, { name: "b", url: second.url }];
  const settings = (more = {}) => ({
    admin: "127.0.0.1:0",
    routes: [{ path: "/mcp", upstream: { ...reloading.AT_ONCE, targets, ...more } }],
  });
  await withReloadable(settings(), async (proxy) => {
    const path = `/targets/${encodeURIComponent("/mcp")}/a/drain`;
    const post = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`;
    assertEquals((await exchange(proxy.adminOrigin!, post)).status, 200);
    assertEquals(
      await proxy.put(settings({ headers: { "x-a": "b" } })),
      done({ changed: ["/mcp"] }),
    );
    for (let count = 0; count < 10; count++) {
      assertEquals(await ping(proxy.origin), [200, { name: "b" }]);
    }
  });
});

Deno.test("POST /reload on the admin address reads the config again, and says what came of it", async () => {
  await using upstream = namedUpstream("u");
  const config = (name: string, more = {}) =>
    configSchema.parse({
      listen: "127.0.0.1:0",
      admin: "127.0.0.1:0",
      routes: [routeTo(name, upstream.url)],
      ...more,
    });
  const next: (() => unknown)[] = [
    () => config("late"),
    () => config("late", { listen: "127.0.0.1:1" }),
    () => {
      throw new Error("canary");
    },
  ];
  const load = () => Promise.resolve().then(() => next.shift()!() as ReturnType<typeof config>);
  const proxy = await serve({ config: config("mcp"), load });
  const post = async () => {
    const request = "POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    const { status, text } = await exchange(proxy.adminOrigin!, request);
    return [status, JSON.parse(text)];
  };
  assertEquals(await post(), [200, done({ added: ["late"], removed: ["mcp"] })]);
  const [status, { ok, problems }] = await post();
  assertEquals([status, ok, problems.length], [409, false, 1]);
  assertEquals((await post())[0], 409);
  assertEquals(await ping(proxy.origin, {}, "/late"), [200, { name: "u" }]);
  await proxy.stop();
});

Deno.test("what only a restart can change is refused as a whole, with a sentence for each", async () => {
  await using upstream = namedUpstream("u");
  const routes = [routeTo("mcp", upstream.url)];
  await withReloadable({ routes }, async (proxy) => {
    const outcome = await proxy.put({
      routes: [routeTo("late", upstream.url)],
      listen: "127.0.0.1:1",
      admin: "127.0.0.1:0",
      httpServer: "deno",
      logFormat: "pretty",
      dataDir: "/tmp/x",
      sessions: { keys: ["canary-canary-canary-canary-canary-1"] },
      redis: { url: "redis://canary@localhost" },
      eventLog: { store: "off" },
      record: { dir: "/tmp/y" },
      limits: {
        requestHeadTimeoutMs: 1,
        requestBodyTimeoutMs: 1,
        connectionIdleTimeoutMs: 1,
        clientWriteTimeoutMs: 1,
        sessionIdleTimeoutMs: 1,
        sessionLifetimeMs: 1,
        // This one can be changed.
        maxSessions: 1,
      },
    });
    assert(!outcome.ok);
    assertEquals(outcome.problems.map((text) => text.split(":")[0]), [
      "listen",
      "admin",
      "httpServer",
      "logFormat",
      "dataDir",
      "sessions",
      "redis",
      "eventLog",
      "record",
      "limits.requestBodyTimeoutMs",
      "limits.requestHeadTimeoutMs",
      "limits.connectionIdleTimeoutMs",
      "limits.clientWriteTimeoutMs",
      "limits.sessionIdleTimeoutMs",
      "limits.sessionLifetimeMs",
    ]);
    for (const text of outcome.problems) {
      assertMatch(text, /wanted the value it has, or a restart$/);
      assert(!text.includes("canary"), text);
    }
    assertEquals(await ping(proxy.origin, {}, "/late"), [404, undefined]);
    assertEquals(await ping(proxy.origin), [200, { name: "u" }]);
  });
});

Deno.test("limits of sessions and connections, and the level of the log, hold as soon as they are new", async () => {
  await using upstream = sessionUpstream();
  const settings = (limits: Record<string, number>, more = {}) => ({
    limits,
    ...more,
    routes: [routeTo("mcp", upstream.url)],
  });
  await withReloadable(settings({}), async (proxy) => {
    const opened = async () => (await postText(proxy.origin, messages.initialize())).status;
    assertEquals(await opened(), 200);
    await proxy.put(settings({ maxSessions: 1 }));
    assertEquals(await opened(), 503);
    await proxy.put(settings({ maxSessions: 1, sessionEvictIdleMs: 0 }));
    assertEquals(await opened(), 200);
    await proxy.put(settings({ maxClientConnections: 1 }));
    using first = await RawClient.connect(proxy.origin);
    await first.write(jsonPost(messages.initialize()));
    assertEquals((await first.readResponse()).status, 200);
    assertEquals(await opened(), 503);
    await proxy.put(settings({}, { logLevel: "error" }));
    const logged = proxy.logs.length;
    assertMatch(proxy.logs.at(-1)!, /config reloaded/);
    assertEquals(await opened(), 200);
    assertEquals(proxy.logs.length, logged);
    await proxy.put(settings({}, { logLevel: "info" }));
    assertEquals(proxy.logs.length, logged + 1);
    assertMatch(proxy.logs.at(-1)!, /config reloaded/);
  });
});

Deno.test("a replaced upstream is closed when it is idle, and the oldest of too many is cut", async () => {
  await using upstream = eventServer();
  const settings = (step: number) => ({
    routes: [routeTo("mcp", upstream.url, { connectTimeoutMs: 1_000 + step })],
  });
  await withReloadable(settings(0), async (proxy) => {
    const begin = () => eventClient.begin(proxy.origin, streams.modernCall());
    {
      // One that answers nothing is closed at once, and one that does when the answer is over.
      using idle = await begin();
      const server = await upstream.stream(0);
      await proxy.put(settings(1));
      await server.send(event(null, progress(1)));
      assertEquals((await idle.next() as eventClient.ReadEvent).data, progress(1));
      await server.send(event(null, streams.result(7)));
      await server.end();
      await server.closed;
      assertEquals((await idle.rest()).length, 1);
    }
    const open: eventClient.ClientStream[] = [];
    for (let step = 2; step < MAX_RETIRED + 3; step++) {
      open.push(await begin());
      await upstream.stream(step - 1);
      await proxy.put(settings(step));
    }
    // As many as may be, and one more: the first is over, the second is not.
    const rest = await open[0]!.rest().catch(() => []);
    assertEquals(rest.some(({ data }) => data?.includes('"result"')), false);
    await (await upstream.stream(2)).send(event(null, progress(2)));
    assertEquals((await open[1]!.next() as eventClient.ReadEvent).data, progress(2));
    assert(proxy.logs.some((line) => line.includes("more upstreams of earlier configs in use")));
    for (const stream of open) stream[Symbol.dispose]();
  });
});

Deno.test("reloads come one after the other, and the last one counts", async () => {
  await using upstream = namedUpstream("u");
  const settings = (tag: string) => ({
    routes: [routeTo("mcp", upstream.url, {}, tagged(tag))],
  });
  await withReloadable(settings("0"), async (proxy) => {
    const tags = Array.from({ length: 20 }, (_, at) => `${at + 1}`);
    const outcomes = await Promise.all(tags.map((tag) => proxy.put(settings(tag))));
    assert(outcomes.every(({ ok }) => ok));
    assertEquals(await ping(proxy.origin), [200, { name: "u", tag: "20" }]);
    assertEquals(tagging.open, ["20"]);
    const stopping = proxy.stop();
    assertEquals((await proxy.put(settings("late"))).ok, false);
    await stopping;
  });
  assertEquals(tagging.open, []);
});

Deno.test("a proxy without a file says that there is nothing to read again", async () => {
  await using upstream = namedUpstream("u");
  await withReloadable({ routes: [routeTo("mcp", upstream.url)] }, async (proxy) => {
    const outcome = await proxy.reload();
    assert(!outcome.ok);
    assertMatch(outcome.problems.join(), /^There is no config file to read again/);
    assertEquals(await ping(proxy.origin), [200, { name: "u" }]);
  });
});
