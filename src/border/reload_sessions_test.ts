/**
 * Sessions and streams across reloads: what was begun goes on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { routeTo, withReloadable } = reloading;
const { event, progress, result } = streams;

const MODULE = new URL("../testing/tagging.ts", import.meta.url).href;
const tagged = (tag: string) => ({ interceptors: [{ module: MODULE, options: { tag } }] });

/** The data of the next event that has some. */
async function nextData(stream: eventClient.ClientStream): Promise<string> {
  for (;;) {
    const next = await stream.next();
    if (next === null || next === "cut") throw new Error(`the stream is over: ${next}`);
    if (next.data !== undefined && next.data !== "") return next.data;
  }
}

Deno.test("a session goes on at the same server, whatever else of its upstream is another", async () => {
  await using upstream = sessionUpstream();
  const settings = (more = {}) => ({ routes: [routeTo("mcp", upstream.url, more)] });
  await withReloadable(settings(), async (proxy) => {
    const caller = await new SessionCaller({ ...proxy, logs: [] }).ready();
    await proxy.put(settings({ headersTimeoutMs: 5_000 }));
    assertEquals((await caller.ask("ping")).status, 200);
    await proxy.put(settings({ maxConnections: 3, headers: { "x-a": "b" } }));
    assertEquals((await caller.ask("ping")).status, 200);
    // With the upstream session that it had.
    assertEquals(upstream.told(2), ["ping@inner-1", "ping@inner-1"]);
    assertEquals(upstream.requests.at(-1)!.field("x-a"), "b");
  });
});

Deno.test("R66 a session goes on at another server, where it is made anew", async () => {
  await using first = sessionUpstream();
  await using second = sessionUpstream();
  const settings = (url: string) => ({ routes: [routeTo("mcp", url)] });
  await withReloadable(settings(first.url), async (proxy) => {
    const caller = await new SessionCaller({ ...proxy, logs: [] }).ready();
    await proxy.put(settings(second.url));
    assertEquals((await caller.ask("ping")).status, 200);
    assertEquals(second.told(), [
      "ping@inner-1",
      "initialize",
      "notifications/initialized@inner-1",
      "ping@inner-1",
    ]);
    assertEquals(first.requests.length, 2);
  });
});

Deno.test("R66 where the targets alone are others, sessions stay, and those of a target that went move", async () => {
  await using first = sessionUpstream();
  await using second = sessionUpstream();
  const upstreams = { a: first, b: second };
  const settings = (...names: ("a" | "b")[]) => {
    const targets = names.map((name) => ({ name, url: upstreams[name].url }));
    const upstream = { ...reloading.AT_ONCE, targets, balance: { policy: "round-robin" } };
    return { routes: [{ name: "mcp", path: "/mcp", upstream }], admin: "127.0.0.1:0" };
  };
  await withReloadable(settings("a"), async (proxy) => {
    const caller = await new SessionCaller({ ...proxy, logs: [] }).ready();
    const outcome = await proxy.put(settings("a", "b"));
    assertEquals(outcome, reloading.done({ changed: ["mcp"] }));
    const page = await exchange(
      proxy.adminOrigin!,
      "GET /targets/mcp HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    // What was known of the first one still is.
    const { targets } = JSON.parse(page.text);
    assertEquals(
      targets.map(({ name, calls }: { name: string; calls: number }) => [name, calls > 0]),
      [["a", true], ["b", false]],
    );
    assertEquals((await caller.ask("ping")).status, 200);
    await proxy.put(settings("b"));
    assertEquals((await caller.ask("ping")).status, 200);
    assertEquals(first.told(2), ["ping@inner-1"]);
    assertEquals(second.told(), [
      "initialize",
      "notifications/initialized@inner-1",
      "ping@inner-1",
    ]);
    // Taken back where something else in the same config cannot run.
    const failing = [
      ...settings("a").routes,
      reloading.routeTo("x", first.url, { tls: { caFile: "/no/such.pem" } }),
    ];
    assertEquals((await proxy.put({ ...settings("a"), routes: failing })).ok, false);
    assertEquals((await caller.ask("ping")).status, 200);
    assertEquals(first.told(3), []);
  });
});

Deno.test("a GET stream of an unchanged route stays open over reloads and misses nothing", async () => {
  await using upstream = eventServer();
  await using other = sessionUpstream();
  const settings = (step: number) => ({
    routes: [routeTo("mcp", upstream.url), routeTo(`other-${step}`, other.url)],
  });
  await withReloadable(settings(0), async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    using stream = await eventClient.listen(proxy.origin, id);
    const server = await upstream.stream(0);
    for (let step = 1; step <= 5; step++) {
      const outcome = await proxy.put(settings(step));
      assertEquals(outcome.ok && outcome.routes.kept, ["mcp"]);
      await server.send(event(`${step}`, progress(step)));
      assertEquals(await nextData(stream), progress(step));
    }
    assertEquals(upstream.streams, 1);
  });
});

Deno.test("a GET stream stays with the upstream that it had, and is resumed at the next one", async () => {
  await using upstream = eventServer();
  const settings = (step: number) => ({
    routes: [routeTo("mcp", upstream.url, { connectTimeoutMs: 1_000 + step })],
  });
  await withReloadable(settings(0), async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    using stream = await eventClient.listen(proxy.origin, id);
    const first = await upstream.stream(0);
    await proxy.put(settings(1));
    await first.send(event("a", progress(1)));
    const data = await stream.next() as eventClient.ReadEvent;
    const seen = data.data === "" ? await stream.next() as eventClient.ReadEvent : data;
    assertEquals(seen.data, progress(1));
    first.breakOff();
    const second = await upstream.stream(1);
    assertEquals(second.request.field("last-event-id"), "a");
    await second.send(event("b", progress(2)));
    assertEquals(await nextData(stream), progress(2));
    // Its client may leave and come back to it through the front of the new config.
    stream[Symbol.dispose]();
    await second.send(event("c", progress(3)));
    using again = await eventClient.listen(proxy.origin, id, seen.id);
    assertEquals([await nextData(again), await nextData(again)], [progress(2), progress(3)]);
  });
});

Deno.test("a GET stream follows its session to another server, although the first one runs on", async () => {
  const open = (sessionId: string) =>
    eventServer({
      sessionId,
      otherwise: async (request, to) => {
        const named = request.field("mcp-session-id");
        if (named === undefined || named === sessionId) return false;
        await to.write(
          "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        );
        return true;
      },
    });
  await using first = open("first");
  await using second = open("second");
  const settings = (url: string) => ({ routes: [routeTo("mcp", url)] });
  await withReloadable(settings(first.url), async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    using stream = await eventClient.listen(proxy.origin, id);
    const there = await first.stream(0);
    await there.send(event("1", progress(1)));
    assertEquals(await nextData(stream), progress(1));
    await proxy.put(settings(second.url));
    await there.send(event("2", progress(2)));
    assertEquals(await nextData(stream), progress(2));
    // A request of the session makes it anew at the second server.
    using called = await eventClient.call(proxy.origin, id, 3);
    const answering = await second.stream(0);
    const here = await second.stream(1);
    await there.closed;
    assertEquals(here.request.field("mcp-session-id"), "second");
    await here.send(event("1", progress(3)));
    assertEquals(await nextData(stream), progress(3));
    await answering.send(event(null, result(3)));
    assertEquals(await nextData(called), result(3));
  });
});

Deno.test("R58 an answer that is polled for is fetched where it was asked for", async () => {
  await using first = eventServer();
  await using second = sessionUpstream();
  const settings = (url: string) => ({ routes: [routeTo("mcp", url)] });
  await withReloadable(settings(first.url), async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    using stream = await eventClient.call(proxy.origin, id, 3);
    const asked = await first.stream(0);
    await asked.send(event("1", progress(1)));
    assertEquals(await nextData(stream), progress(1));
    await proxy.put(settings(second.url));
    asked.breakOff();
    const again = await first.stream(1);
    assertEquals(again.request.field("last-event-id"), "1");
    await again.send(event("2", result(3)));
    assertEquals(await nextData(stream), result(3));
    // What was asked for again is over with its answer.
    await again.closed;
    assertEquals(second.requests.length, 0);
  });
});

Deno.test("a client of HTTP+SSE keeps its session, with the interceptors of the new config", async () => {
  await using upstream = sse.quietServer();
  await using second = sse.quietServer();
  await withReloadable({ routes: [routeTo("mcp", upstream.url)] }, async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    const answered = async (id: number, at: number) => {
      assertEquals((await caller.post(sse.call(id))).status, 202);
      const stream = await upstream.stream(at);
      await stream.send(event(null, result(id)));
      await stream.end();
      return JSON.parse(await caller.next()).result;
    };
    assertEquals(await answered(2, 0), { content: [] });
    await proxy.put({ routes: [routeTo("mcp", upstream.url, {}, tagged("new"))] });
    assertEquals(await answered(3, 1), { content: [], tag: "new" });
    // Its server is the one that knows its session, as long as it is there.
    await proxy.put({ routes: [routeTo("mcp", second.url, {}, tagged("newer"))] });
    assertEquals(await answered(4, 2), { content: [], tag: "newer" });
    assertEquals(second.requests.length, 0);
    // Where its route is no more, it ends.
    await proxy.put({ routes: [routeTo("other", second.url)] });
    assertEquals(await caller.stream.next(), null);
    assertEquals((await caller.post(sse.call(5))).status, 404);
  });
});

Deno.test("20 reloads under load: no call fails, and no event is lost", async () => {
  await using calls = scriptedUpstream(async (request, to) => {
    const text = new TextDecoder().decode(request.body);
    const { id } = JSON.parse(text);
    if (text.includes('"initialize"')) {
      return await to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": "inner" }));
    }
    await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result: { of: id } })));
  });
  await using events = eventServer();
  const settings = (step: number) => ({
    limits: { maxJsonDepth: 100 + step % 2 },
    routes: [
      routeTo("mcp", events.url, {}, step % 3 === 0 ? tagged(`${step}`) : {}),
      routeTo("calls", calls.url, { connectTimeoutMs: 5_000 + step }, tagged("calls")),
      ...(step % 2 === 0 ? [routeTo("now-and-then", calls.url)] : []),
    ],
  });
  await withReloadable(settings(0), async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    using stream = await eventClient.listen(proxy.origin, id);
    const server = await events.stream(0);
    let isOver = false;
    let answered = 0;
    const call = async (client: number) => {
      const init = jsonPost(messages.initialize(), {}, "/calls");
      const session = (await exchange(proxy.origin, init)).headers.get("mcp-session-id")!;
      for (let at = 0; !isOver; at++) {
        const fields = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
        const text = messages.ping(`"${client}-${at}"`);
        const answer = await exchange(proxy.origin, jsonPost(text, fields, "/calls"));
        assertEquals(answer.status, 200, answer.text);
        assertEquals(JSON.parse(answer.text).result, { of: `${client}-${at}`, tag: "calls" });
        answered++;
      }
    };
    const clients = Array.from({ length: 8 }, (_, client) => call(client));
    for (let step = 1; step <= 20; step++) {
      await server.send(event(`${step}`, progress(step)));
      const before = answered;
      assertEquals((await proxy.put(settings(step))).ok, true);
      while (answered < before + 16) await new Promise((resolve) => setTimeout(resolve, 1));
      assertEquals(await nextData(stream), progress(step));
    }
    isOver = true;
    await Promise.all(clients);
    assertEquals(events.streams, 1);
    // Each call came once.
    const texts = calls.requests.map(({ body }) => new TextDecoder().decode(body))
      .filter((text) => text.includes('"ping"'));
    assertEquals(new Set(texts).size, texts.length);
    assert(texts.length >= 320);
  });
});
