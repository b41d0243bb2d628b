/**
 * Listening, stopping (R68) and the admin pages, over real sockets.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ConfigError } from "./config/mod.ts";
import { configSchema } from "./config/schema.ts";
import { ListenError, serve } from "./server.ts";
import * as messages from "./testing/messages.ts";
import { testProxy, withProxy } from "./testing/proxy.ts";
import { exchange, jsonPost, RawClient } from "./testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "./testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const GET = "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";

Deno.test("R68 stop() lets a call in flight finish", async () => {
  const release = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, to) => {
    await release.promise;
    await to.write(jsonAnswer(RESULT));
  });
  const proxy = await testProxy({ upstream: upstream.url, config: { drainTimeoutMs: 60_000 } });
  using client = await RawClient.connect(proxy.origin);
  await client.write(jsonPost(messages.ping()));
  await upstream.received(0);
  const stopped = proxy.stop();
  release.resolve();
  const response = await client.readResponse();
  assertEquals([response.status, response.text, await stopped], [200, RESULT, true]);
});

Deno.test("R68 stop() ends a GET stream and subscriptions/listen cleanly, and at once", async () => {
  const listen = messages.modern("subscriptions/listen");
  const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
  const requests: (string | Uint8Array)[] = [GET, jsonPost(listen, fields)];
  for (const request of requests) {
    await using upstream = scriptedUpstream((_, to) => to.write(SSE_HEAD + "3\r\n:\n\n\r\n"));
    const upstreamConfig = { era: "both" };
    const config = { drainTimeoutMs: 60_000 };
    const proxy = await testProxy({ upstream: upstream.url, upstreamConfig, config });
    using client = await RawClient.connect(proxy.origin);
    await client.write(request);
    await client.readHead();
    assertEquals(await client.readChunk(), ":\n\n");
    const stopped = proxy.stop();
    assertEquals(await client.readChunk(), null);
    assertEquals(await stopped, true);
  }
});

Deno.test("R68 stop() cuts what is not done at the deadline", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(SSE_HEAD + "3\r\n:\n\n\r\n"));
  const proxy = await testProxy({ upstream: upstream.url, config: { drainTimeoutMs: 30 } });
  using client = await RawClient.connect(proxy.origin);
  await client.write(jsonPost(messages.ping()));
  await client.readHead();
  assertEquals(await client.readChunk(), ":\n\n");
  const stopped = proxy.stop();
  const told = await client.readChunk();
  assertStringIncludes(told!, '"code":-31503,"message":"The proxy has closed its connections');
  assertEquals(await stopped, false);
  assertEquals(await proxy.stop(), false);
});

Deno.test("serve() says what is wrong with the file of the event log", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "no database, but text that is long enough to be looked at");
  const config = configSchema.parse({
    listen: "127.0.0.1:0",
    eventLog: { store: "sqlite", path },
    interceptors: [{ use: "log" }],
    routes: [{ path: "/mcp", upstream: { url: "http://127.0.0.1:1/mcp" } }],
  });
  const error = await assertRejects(() => serve({ config }), ConfigError);
  assertStringIncludes(error.message, `eventLog.path: found ${path}`);
  await Deno.remove(path);
});

Deno.test("serve() says which address is taken, and listens on nothing then", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const admin = `127.0.0.1:${taken.addr.port}`;
  const config = configSchema.parse({ listen: "127.0.0.1:0", admin });
  const error = await assertRejects(() => serve({ config }), ListenError, admin);
  assertMatch(error.message, /choose another address/);
});

Deno.test("the admin pages tell health and status, behind the same door", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  const config = { admin: "127.0.0.1:0" };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const get = (path: string, host = "localhost", method = "GET") =>
      exchange(proxy.adminOrigin!, `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    const healthy = JSON.parse((await get("/healthz")).text);
    assertEquals([healthy.status, typeof healthy.uptimeMs], ["ok", "number"]);
    const ready = await get("/readyz");
    assertEquals([ready.status, JSON.parse(ready.text).status], [200, "ok"]);
    const status = JSON.parse((await get("/status")).text);
    const eras = { modern: null, session: null };
    const [{ upstream: { targets, ...figures }, ...route }, ...others] = status.routes;
    assertEquals([route, others], [{ name: "/mcp", path: "/mcp" }, []]);
    assertEquals(figures, { eras, retries: { made: 0, refused: 0 } });
    assertEquals(targets.map(({ name, state }: { name: string; state: string }) => [name, state]), [
      ["", "up"],
    ]);
    assertEquals([status.sessions, status.answersUnderWay, status.subscriptions], [0, 0, 0]);
    assertEquals(status.streams, { held: 0, unattended: 0 });
    assertEquals(status.eventLog, { streams: 0, events: 0, bytes: 0 });
    assert(!JSON.stringify(status).includes(new URL(upstream.url).host));
    assertEquals((await get("/nothing")).status, 404);
    assertEquals((await get("/status", "evil.test")).status, 403);
    assertEquals((await get("/status", "localhost", "POST")).status, 405);
  });
});

Deno.test("readyz says when the proxy is stopping, and nothing takes that back", async () => {
  const { createApp } = await import("./app.ts");
  const app = createApp({ config: configSchema.parse({}) });
  const ask = async (method: string, target: string) =>
    (await app.admin({
      method,
      target,
      headers: new Headers({ host: "localhost" }),
      signal: new AbortController().signal,
      body: () => new Uint8Array(),
    })).status;
  assertEquals(await ask("GET", "/readyz"), 200);
  app.drain();
  assertEquals(await ask("GET", "/readyz"), 503);
  assertEquals(await ask("POST", "/drain"), 200);
  assertEquals(await ask("POST", "/resume"), 409);
  assertEquals([await ask("GET", "/readyz"), app.isDraining()], [503, true]);
  await app.close();
});

Deno.test("an app that was given a way to reload offers it on the admin address", async () => {
  const { createApp } = await import("./app.ts");
  const routes = { added: [], removed: [], changed: [], kept: ["/mcp"] };
  const reload = () => Promise.resolve({ ok: true, routes } as const);
  const app = createApp({ config: configSchema.parse({}), reload });
  const { status } = await app.admin({
    method: "POST",
    target: "/reload",
    headers: new Headers({ host: "localhost" }),
    signal: new AbortController().signal,
    body: () => new Uint8Array(),
  });
  assertEquals(status, 200);
  await app.close();
});

Deno.test("each request leaves one log line, with neither ids nor arguments (R96)", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const call = '{"jsonrpc":"2.0","id":"canary","method":"tools/call",' +
      '"params":{"name":"canary","arguments":{"a":"canary"}}}';
    await exchange(proxy.origin, jsonPost(call, { "x-token": "canary" }));
    const odd = '{"jsonrpc":"2.0","id":1,"method":"canary\\n"}';
    await exchange(proxy.origin, jsonPost(odd));
    const lines = proxy.logs.map((line) => JSON.parse(line));
    assertEquals(lines.map(({ message, rpc, era }) => [message, rpc, era]), [
      ["request", "tools/call", "session"],
      ["request", "(odd method name)", "session"],
    ]);
    assertEquals([lines[0].route, lines[0].http, lines[0].status], ["/mcp", "POST", 200]);
    assert(!proxy.logs.join("").includes("canary"));
  });
});
