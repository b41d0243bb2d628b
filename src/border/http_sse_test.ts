/**
 * The front for clients of HTTP+SSE, over real sockets, before upstreams of Streamable HTTP.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import { jsonAnswer } from "../testing/scripted_upstream.ts";
import { rpcError } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller, sseGet } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { event, progress, result } = streams;
const { arrival, bodyOf, call, INNER, isDelete, NO_LISTENING, says, withCaller } = sse;
const PING = messages.ping("7");

Deno.test("the stream names its endpoint first; POST is answered 202 and what it asks for comes on the stream", async () => {
  await withCaller(async (caller, upstream, { origin }) => {
    assertEquals(caller.stream.headers.get("content-type"), "text/event-stream");
    assertEquals(caller.stream.headers.get("x-accel-buffering"), "no");
    assertMatch(caller.endpoint, /^\/mcp\/messages\?sessionId=[\w-]+$/);
    const { status, text } = await caller.post(call(7));
    assertEquals([status, text], [202, ""]);
    const server = await upstream.stream(0);
    assertEquals(server.request.field("mcp-session-id"), INNER);
    assertEquals(server.request.field("mcp-protocol-version"), "2025-11-25");
    await server.send(event("up-1", "") + event("up-2", progress(1)));
    const first = await caller.stream.next();
    assertEquals(first, {
      id: undefined,
      event: "message",
      retry: undefined,
      comments: [],
      data: progress(1),
    });
    await server.send(event(null, result(7)));
    await server.end();
    assertEquals(await caller.next(), result(7));
    using other = await sseCaller(origin, "/sse");
    assert(other.token !== caller.token);
    assertStringIncludes(other.endpoint, "/mcp/messages?");
  });
});

Deno.test("R77 the two ids of a session stay each on its own side", async () => {
  await withCaller(async (caller, upstream) => {
    await caller.post(call(7).replace('"t"', JSON.stringify(caller.token)));
    const server = await upstream.stream(0);
    assert(bodyOf(server.request).includes(INNER));
    await server.send(event(null, result(7).replace("[]", `["${INNER}"]`)));
    assertStringIncludes(await caller.next(), caller.token);
    for (const { line, fields } of upstream.requests) {
      assert(!`${line}${JSON.stringify(fields)}`.includes(caller.token));
    }
  });
});

const KEYS = {
  alice: "sy_alice-0123456789012345678901234567",
  bob: "sy_bob-4567890123456789012345678",
};
const bearer = (name: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[name]}` });

Deno.test("R72 R94 HTTP+SSE wants the same key on every request, and no other caller's session exists", async () => {
  const keys = Object.entries(KEYS).map(([name, key]) => ({ name, sha256: hashOfKey(key) }));
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url, config: { auth: { keys } } }, async ({ origin }) => {
    using alice = await sseCaller(origin, "/mcp/sse", bearer("alice"));
    const post = (fields: Record<string, string>, target = alice.endpoint) =>
      exchange(origin, jsonPost(PING, fields, target));
    for (const path of ["/mcp/sse", "/sse"]) {
      assertEquals((await exchange(origin, sseGet(path))).status, 401);
    }
    assertEquals((await post({})).status, 401);
    assertEquals((await post({ authorization: "Bearer sy_wrong" })).status, 401);
    const bobs = await post(bearer("bob"));
    const unknown = await post(bearer("bob"), "/mcp/messages?sessionId=unknown");
    assertEquals([bobs.status, bobs.text], [404, unknown.text]);
    assertEquals(upstream.requests.length, 0);
    await alice.start();
    assertEquals((await alice.post(PING)).status, 202);
    assertStringIncludes(await alice.next(), '"id":7');
  });
});

Deno.test("R81 R74 a session of one transport does not exist on the other, nor one that a client made up", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    const post = async (target: string, fields = {}) =>
      (await exchange(origin, jsonPost(PING, fields, target))).status;
    const opened = await exchange(origin, jsonPost(messages.initialize()));
    const streamable = opened.headers.get("mcp-session-id")!;
    assertEquals(await post(`/mcp/messages?sessionId=${streamable}`), 404);
    assertEquals(await post("/mcp", { "mcp-session-id": caller.token }), 404);
    assertEquals(await post("/mcp/messages?sessionId=made-up"), 404);
    assertEquals(await post("/mcp/messages"), 400);
    assertEquals(await post(`${caller.endpoint}&sessionId=${caller.token}`), 400);
    caller[Symbol.dispose]();
    await arrival(upstream, isDelete);
    assertEquals(await post(caller.endpoint), 404);
  });
});

Deno.test("R90 R30 R31 what is checked at the other front is checked here", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    const { endpoint } = caller;
    const evil = { origin: "http://evil.test" };
    const status = async (request: string | Uint8Array) => (await exchange(origin, request)).status;
    assertEquals(await status(sseGet("/mcp/sse", evil)), 403);
    assertEquals(await status(sseGet("/sse", { host: "evil.test" })), 403);
    assertEquals(await status(jsonPost(PING, evil, endpoint)), 403);
    assertEquals(await status(jsonPost(PING, { host: "evil.test" }, endpoint)), 403);
    assertEquals(await status(sseGet("/sse", { accept: "application/json" })), 406);
    assertEquals(await status(jsonPost(PING, { "content-type": "text/plain" }, endpoint)), 415);
    assertEquals(await status(jsonPost("{", {}, endpoint)), 400);
    assertEquals(await status(jsonPost(`[${PING}]`, {}, endpoint)), 400);
    assertEquals(await status(jsonPost(messages.modern("ping"), {}, endpoint)), 400);
    assertEquals(await status(jsonPost(PING, {}, "/sse")), 405);
    assertEquals(await status(sseGet(endpoint)), 405);
    assertEquals(await status(sseGet("/mcp/sse/")), 404);
    assertEquals(upstream.requests.length, 0);
  });
});

Deno.test("R54 a client that goes away has its calls cancelled and its upstream session ended", async () => {
  await withCaller(async (caller, upstream) => {
    await caller.post(call(7));
    const answered = await upstream.stream(0);
    await caller.post(call(8));
    const open = await upstream.stream(1);
    // Its stream goes on, but there is nothing left to cancel.
    await answered.send(event(null, result(7)));
    await caller.next();
    caller[Symbol.dispose]();
    const cancelled = await arrival(upstream, says("notifications/cancelled"));
    assertEquals(JSON.parse(bodyOf(cancelled)).params.requestId, 8);
    assertEquals(cancelled.field("mcp-session-id"), INNER);
    assertEquals((await arrival(upstream, isDelete)).field("mcp-session-id"), INNER);
    await Promise.all([open.closed, answered.closed]);
    assertEquals(upstream.requests.filter(says("notifications/cancelled")).length, 1);
    assertEquals(upstream.requests.filter(isDelete).length, 1);
  });
});

Deno.test("R54 a client that goes away while its session begins leaves none behind", async () => {
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await using upstream = sessionUpstream({
    instead: async ({ method }) => {
      if (method !== "initialize") return false;
      asked.resolve();
      await goOn.promise;
      return false;
    },
  });
  await withProxy({ upstream: upstream.url, config: { admin: "127.0.0.1:0" } }, async (proxy) => {
    const caller = await sseCaller(proxy.origin);
    await caller.post(messages.initialize());
    await asked.promise;
    caller[Symbol.dispose]();
    const status = "GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (;;) {
      const { text } = await exchange(proxy.adminOrigin!, status);
      if (JSON.parse(text).sessions === 0) break;
    }
    goOn.resolve();
    await arrival(upstream, isDelete);
    assertEquals(upstream.told(), ["initialize", "DELETE@inner-1"]);
  });
});

Deno.test("R58 a stream that ends without the answer becomes an error with the request's id", async () => {
  await withCaller(async (caller, upstream) => {
    for (const [at, end] of (["end", "breakOff"] as const).entries()) {
      await caller.post(call(at));
      const server = await upstream.stream(at);
      await server.send(event(null, progress(1)));
      assertEquals(await caller.next(), progress(1));
      await server[end]();
      const { id, error } = JSON.parse(await caller.next());
      assertEquals([id, error.code], [at, -31502]);
    }
  });
});

Deno.test("R57 a stream that breaks off behind an event id is taken up again for the client", async () => {
  await withCaller(async (caller, upstream) => {
    await caller.post(call(7));
    const server = await upstream.stream(0);
    await server.send(event("up-ä", progress(1)));
    await caller.next();
    server.breakOff();
    const again = await upstream.stream(1);
    assert(again.request.line.startsWith("GET"));
    assertEquals(again.request.field("mcp-session-id"), INNER);
    assertEquals(again.request.field("content-type"), undefined);
    assertEquals(again.request.field("last-event-id"), "up-Ã¤");
    await again.send(event("up-2", result(7)));
    assertEquals(await caller.next(), result(7));
    // Servers that give an answer again forget the end behind it: it is over with the answer.
    await again.closed;
  });
});

Deno.test("R71 no event of the upstream's can name another endpoint to the client", async () => {
  await withCaller(async (caller, upstream) => {
    await caller.post(call(7));
    const server = await upstream.stream(0);
    await server.send("event: endpoint\ndata: http://evil.test/\n\nevent: other\ndata: 1\n\n");
    await server.send(": comment\n\nretry: 5\n\n" + event(null, result(7)));
    assertEquals(await caller.next(), result(7));
  });
});

Deno.test("R89 a server without a stream of its own is asked for it once", async () => {
  await withCaller(async (caller, upstream) => {
    await arrival(upstream, ({ line }) => line.startsWith("GET"));
    await caller.post(messages.initialized);
    await arrival(upstream, says("notifications/initialized"));
    await caller.post(call(7));
    await (await upstream.stream(0)).send(event(null, result(7)));
    await caller.next();
    assertEquals(upstream.requests.filter(({ line }) => line.startsWith("GET")).length, 1);
  });
});

Deno.test("the server's own stream is opened when the client is ready, and taken up again", async () => {
  await using upstream = eventServer({ sessionId: INNER });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    const first = await upstream.stream(0);
    assert(first.request.line.startsWith("GET"));
    await first.send(event(null, progress(1)));
    assertEquals(await caller.next(), progress(1));
    first.breakOff();
    const second = await upstream.stream(1);
    await second.send(event(null, progress(2)));
    assertEquals(await caller.next(), progress(2));
    caller[Symbol.dispose]();
    await second.closed;
    await arrival(upstream, isDelete);
  });
});

Deno.test("messages behind notifications/initialized wait until the server has it", async () => {
  const goOn = Promise.withResolvers<void>();
  await using upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      if (method === "notifications/initialized") await goOn.promise;
      if (method !== "GET") return false;
      await to.write(NO_LISTENING);
      return true;
    },
  });
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    // Nor is the session there before `initialize` is answered.
    await caller.post(messages.initialize());
    await caller.post(messages.initialized);
    await caller.post(PING);
    await arrival(upstream, says("notifications/initialized"));
    assertEquals(upstream.told(), ["initialize", "notifications/initialized@inner-1"]);
    goOn.resolve();
    await caller.next();
    assertStringIncludes(await caller.next(), '"id":7');
    assertEquals(upstream.told().filter((told) => told === "ping@inner-1").length, 1);
  });
});

Deno.test("an aborted call ends at the server, and its silence is no error", async () => {
  await withCaller(async (caller, upstream) => {
    await caller.post(call(7));
    const server = await upstream.stream(0);
    await caller.post(
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}',
    );
    await server.closed;
    await caller.post(call(8));
    await (await upstream.stream(1)).send(event(null, result(8)));
    assertEquals(await caller.next(), result(8));
  });
});

for (const kind of ["application/json", "text/event-stream", "nothing"]) {
  Deno.test(`2024-11-05 cancellation: what the server still answers (${kind}) while it is told is not the client's`, async () => {
    const answered = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let callTo: { write(text: string): Promise<void>; close(): void } | undefined;
    await using upstream = sessionUpstream({
      instead: async ({ method }, to) => {
        if (method === "tools/call") callTo = to;
        if (method !== "notifications/cancelled") return method === "tools/call";
        const error = rpcError(-1, "gone").replace(/"id":[^,]*/, '"id":7');
        const body = kind === "application/json" ? error : `data: ${error}\n\n`;
        if (kind === "nothing") callTo!.close();
        else await callTo!.write(jsonAnswer(body, { "content-type": kind }));
        answered.resolve();
        await goOn.promise;
        await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
        return true;
      },
    });
    await withProxy({ upstream: upstream.url }, async ({ origin }) => {
      using caller = await sseCaller(origin);
      await caller.start();
      await caller.post(call(7));
      await arrival(upstream, says("tools/call"));
      await caller.post(
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}',
      );
      await answered.promise;
      await caller.post(messages.ping("8"));
      assertStringIncludes(await caller.next(), '"id":8');
      goOn.resolve();
    });
  });
}

for (const how of ["refuses", "breaks off"]) {
  Deno.test(`a cancellation that the server ${how} cancels nothing: the answer is still the client's`, async () => {
    let callTo: { write(text: string): Promise<void> } | undefined;
    await using upstream = sessionUpstream({
      instead: async ({ method }, to) => {
        if (method === "tools/call") callTo = to;
        if (method !== "notifications/cancelled") return method === "tools/call";
        if (how === "refuses") await to.write("HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n");
        else to.close();
        return true;
      },
    });
    await withProxy({ upstream: upstream.url }, async ({ origin, logs }) => {
      using caller = await sseCaller(origin);
      await caller.start();
      await caller.post(call(7));
      await arrival(upstream, says("tools/call"));
      const before = logs.length;
      await caller.post(
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}',
      );
      await arrival(upstream, says("notifications/cancelled"));
      // The failure is told in the log, and the answer is wanted again, at one time.
      const isTold = () => logs.slice(before).some((line) => line.includes("failed"));
      for (let turn = 0; turn < 1_000 && !isTold(); turn++) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      assert(isTold(), "the failed cancellation was not told");
      await callTo!.write(jsonAnswer(result(7)));
      assertEquals(await caller.next(), result(7));
    });
  });
}

Deno.test("R99 an error of the upstream's comes with the request's id, and without what is none of the client's", async () => {
  const answers: [string, string, string][] = [
    [
      "400 Bad",
      "application/json",
      '{"jsonrpc":"2.0","error":{"code":-32001,"message":"no"},"id":null}',
    ],
    ["500 Oops", "text/html", "<h1>stack trace of db.internal</h1>"],
    ["404 No", "application/json", '{"detail":"db.internal"}'],
    ["200 OK", "text/html", "<h1>db.internal</h1>"],
    ["302 Found", "text/plain", "http://db.internal/"],
    ["200 OK", "application/json", ""],
    ["500 Oops", "application/json", '{"stack":"db.internal"}'],
    ["500 Oops", "application/json", '{"error":{"code":-32603,"message":"mine"}}'],
  ];
  let at = 0;
  await using upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      if (method !== "ping") return false;
      const [status, type, body] = answers[at]!;
      await to.write(jsonAnswer(body, { "content-type": type }, status));
      return true;
    },
    unknown: NO_LISTENING,
  });
  await withProxy({ upstream: upstream.url }, async ({ origin, logs }) => {
    // Without a session of the server's nothing can be lost, so that 404 is an answer like another.
    using caller = await sseCaller(origin);
    const codes: number[] = [];
    const told: number[] = [];
    const failures = () => logs.filter((line) => line.includes('"request failed"')).length;
    for (; at < answers.length; at++) {
      const before = failures();
      assertEquals((await caller.post(messages.ping('"x"'))).status, 202);
      const text = await caller.next();
      assert(!text.includes("db.internal"), text);
      const { id, error } = JSON.parse(text);
      assertEquals(id, "x");
      codes.push(error.code);
      told.push(failures() - before);
    }
    assertEquals(codes, [-32001, -31502, -31502, -31502, -31502, -31502, -31502, -32603]);
    // What the server has said itself is no failure; nor is JSON with a status below 500.
    assertEquals(told, [0, 1, 0, 1, 1, 1, 1, 0]);
  });
});

Deno.test("R66 a session that the server has lost is made anew, and the client goes on", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    upstream.forget();
    await caller.post(PING);
    assertStringIncludes(await caller.next(), '"id":7,"result"');
    assert(upstream.told().includes("ping@inner-2"));
  });
});

Deno.test("R96 R97 no log line tells the id in the endpoint's address, nor the upstream's", async () => {
  await withCaller(async (caller, upstream, { logs }) => {
    await caller.post(call(7));
    (await upstream.stream(0)).breakOff();
    await caller.next();
    await caller.post("{");
    caller[Symbol.dispose]();
    await arrival(upstream, isDelete);
    assert(logs.length > 3);
    for (const line of logs) {
      assert(!line.includes(caller.token) && !line.includes(INNER), line);
    }
  });
});

Deno.test("interceptors see what clients of HTTP+SSE say and hear", async () => {
  const interceptors = [{ use: "access", options: { tools: { deny: ["forbidden"] } } }];
  await withCaller(
    async (caller, upstream) => {
      assertEquals((await caller.post(call(6).replace('"t"', '"forbidden"'))).status, 202);
      const { id, error } = JSON.parse(await caller.next());
      assertEquals([id, typeof error.code], [6, "number"]);
      await caller.post('{"jsonrpc":"2.0","id":7,"method":"tools/list"}');
      const tools = '{"tools":[{"name":"forbidden"},{"name":"allowed"}]}';
      const server = await upstream.stream(0);
      await server.send(event(null, `{"jsonrpc":"2.0","id":7,"result":${tools}}`));
      const listed = await caller.next();
      assert(listed.includes("allowed") && !listed.includes("forbidden"), listed);
      assert(!upstream.requests.some((request) => bodyOf(request).includes("forbidden")));
    },
    {},
    { interceptors },
  );
});
