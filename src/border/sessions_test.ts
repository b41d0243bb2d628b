/**
 * R29, R72, R74, R77, R81, R82: session ids on POST, GET and DELETE, over real sockets.
 *
 * Source: 2025-11-25 basic/transports, "Session Management".
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, postText, RawClient } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";

const INNER = "inner-session-id";
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const EMPTY = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";

/** An upstream that opens a session on initialize and echoes its id on every answer. */
function sessionUpstream(
  more: (request: ReceivedRequest, to: ScriptedConnection) => Promise<boolean> | boolean = () =>
    false,
  revision?: string,
) {
  return scriptedUpstream(async (request, to) => {
    if (await more(request, to)) return;
    const body = new TextDecoder().decode(request.body);
    if (request.line.startsWith("DELETE")) return await to.write(EMPTY);
    const answer = body.includes('"initialize"') ? messages.initializeResult(revision) : RESULT;
    await to.write(jsonAnswer(answer, { "mcp-session-id": INNER }));
  });
}

async function open(proxy: TestProxy): Promise<string> {
  const response = await postText(proxy.origin, messages.initialize());
  assertEquals(response.status, 200);
  return response.headers.get("mcp-session-id")!;
}

function bodyless(method: string, id: string | null): string {
  const session = id === null ? "" : `mcp-session-id: ${id}\r\n`;
  return `${method} /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n${session}\r\n`;
}

Deno.test("R77 the client gets an id of the proxy's, the upstream keeps its own", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    assertMatch(id, /^[A-Za-z0-9_-]{60,200}$/);
    assertEquals(upstream.requests[0]!.field("mcp-session-id"), undefined);
    const response = await postText(proxy.origin, messages.ping(), { "mcp-session-id": id });
    assertEquals([response.status, response.headers.get("mcp-session-id")], [200, id]);
    assertEquals(upstream.requests[1]!.field("mcp-session-id"), INNER);
    assert(!proxy.logs.join("").includes(id) && !proxy.logs.join("").includes(INNER));
    assertNotEquals(await open(proxy), id);
  });
});

Deno.test("R74 R81 an id that was never given is 404 on POST, GET and DELETE", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    for (const id of [INNER, "x", "a, b", "%00"]) {
      const post = await postText(proxy.origin, messages.ping("5"), { "mcp-session-id": id });
      assertEquals([post.status, JSON.parse(post.text).id], [404, 5]);
      assertEquals((await exchange(proxy.origin, bodyless("GET", id))).status, 404);
      assertEquals((await exchange(proxy.origin, bodyless("DELETE", id))).status, 404);
    }
    assertEquals(upstream.requests.length, 0);
  });
});

Deno.test("R77 a message that carries a session's id carries the one its reader knows", async () => {
  const inner = "7d3e9c1a-1f2b-4c5d-8e9f-0a1b2c3d4e5f";
  const said = (id: string) =>
    `{"jsonrpc":"2.0","id":2,"result":{"text":"session ${id}, \u00fc, ${id}"}}`;
  const refused = (id: string) =>
    `{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"not in ${id}"}}`;
  let next: () => string = () =>
    jsonAnswer(messages.initializeResult(), { "mcp-session-id": inner });
  await using upstream = scriptedUpstream((_, to) => to.write(next()));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    const fields = { "mcp-session-id": id };
    const asking = `{"jsonrpc":"2.0","id":2,"method":"x/y","params":{"session":"${id}"}}`;
    next = () => jsonAnswer(said(inner));
    assertEquals((await postText(proxy.origin, asking, fields)).text, said(id));
    const received = new TextDecoder().decode(upstream.requests[1]!.body);
    assertEquals(received, asking.replace(id, inner));
    next = () => jsonAnswer(refused(inner), {}, "400 Bad Request");
    assertEquals((await postText(proxy.origin, asking, fields)).text, refused(id));
    // In events, also where one comes in two pieces.
    const body = `data: ${said(inner)}\n\n`;
    next = () =>
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" +
      [body.slice(0, 60), body.slice(60)].map((piece) => chunk(piece)).join("") + "0\r\n\r\n";
    const { text } = await postText(proxy.origin, asking, fields);
    assert(text.includes(said(id)) && !text.includes(inner), text);
  });
});

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

Deno.test("DELETE ends the session on both sides", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    assertEquals((await exchange(proxy.origin, bodyless("DELETE", id))).status, 200);
    assertEquals(upstream.requests[1]!.field("mcp-session-id"), INNER);
    const after = await postText(proxy.origin, messages.ping(), { "mcp-session-id": id });
    assertEquals([after.status, upstream.requests.length], [404, 2]);
  });
});

Deno.test("a DELETE that the upstream refuses with 405 leaves the session open", async () => {
  await using upstream = sessionUpstream(async (request, to) => {
    if (!request.line.startsWith("DELETE")) return false;
    await to.write("HTTP/1.1 405 M\r\nallow: GET, POST\r\ncontent-length: 0\r\n\r\n");
    return true;
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    assertEquals((await exchange(proxy.origin, bodyless("DELETE", id))).status, 405);
    const after = await postText(proxy.origin, messages.ping(), { "mcp-session-id": id });
    assertEquals(after.status, 200);
  });
});

Deno.test("R81 a session that the upstream has ended is 404, and stays so", async () => {
  await using upstream = sessionUpstream(async (request, to) => {
    if (request.field("mcp-session-id") === undefined) return false;
    await to.write("HTTP/1.1 404 N\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno");
    return true;
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    const fields = { "mcp-session-id": id };
    const first = await postText(proxy.origin, messages.ping(), fields);
    assertEquals([first.status, first.headers.get("mcp-session-id")], [404, undefined]);
    assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 404);
    // initialize, the request, both once more for the session made anew, and no more.
    assertEquals(upstream.requests.length, 4);
  });
});

Deno.test("an upstream without sessions works without", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const first = await postText(proxy.origin, messages.initialize());
    assertEquals([first.status, first.headers.get("mcp-session-id")], [200, undefined]);
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
  });
});

Deno.test("R81 a DELETE that names no session is 400, and the server never hears of it", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const answer = await exchange(proxy.origin, bodyless("DELETE", null));
    assertEquals([answer.status, JSON.parse(answer.text).error.code], [400, -31400]);
    assertEquals(upstream.requests.length, 0);
  });
});

Deno.test("a failed initialize opens no session", async () => {
  const failed = jsonAnswer(RESULT, { "mcp-session-id": INNER }, "400 B");
  await using upstream = scriptedUpstream((_, to) => to.write(failed));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await postText(proxy.origin, messages.initialize());
    assertEquals([response.status, response.headers.get("mcp-session-id")], [400, undefined]);
  });
});

Deno.test("an answer that names a session out of turn does not leak it", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping());
    assertEquals([response.status, response.headers.get("mcp-session-id")], [200, undefined]);
  });
});

for (const framing of ["json", "sse"]) {
  Deno.test(`R29 the negotiated revision, told as ${framing}, decides on batches`, async () => {
    for (const [revision, status] of [["2025-03-26", 200], ["2025-11-25", 400]] as const) {
      await using upstream = sessionUpstream(async (request, to) => {
        const isInitialize = new TextDecoder().decode(request.body).includes('"initialize"');
        if (framing === "json" || !isInitialize) return false;
        const event = `event: message\ndata: ${messages.initializeResult(revision)}\n\n`;
        const head = SSE_HEAD.replace("\r\n\r\n", `\r\nmcp-session-id: ${INNER}\r\n\r\n`);
        await to.write(`${head}${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`);
        return true;
      }, revision);
      await withProxy({ upstream: upstream.url }, async (proxy) => {
        const id = await open(proxy);
        const batch = `[${messages.ping("1")}]`;
        // Without the version header, which a client of 2025-03-26 does not send.
        const response = await postText(proxy.origin, batch, { "mcp-session-id": id });
        assertEquals(response.status, status, revision);
      });
    }
  });
}

Deno.test("R72 a session of one route does not exist on another", async () => {
  await using upstream = sessionUpstream();
  const { serve } = await import("../server.ts");
  const { configSchema } = await import("../config/schema.ts");
  const proxy = await serve({
    config: configSchema.parse({
      listen: "127.0.0.1:0",
      drainTimeoutMs: 0,
      routes: ["/a/mcp", "/b/mcp"].map((path) => ({ path, upstream: { url: upstream.url } })),
    }),
  });
  try {
    const post = async (path: string, body: string, fields: Record<string, string> = {}) => {
      const response = await fetch(proxy.origin + path, {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...fields,
        },
      });
      await response.text();
      return response;
    };
    const id = (await post("/a/mcp", messages.initialize())).headers.get("mcp-session-id")!;
    assertEquals((await post("/b/mcp", messages.ping(), { "mcp-session-id": id })).status, 404);
    assertEquals((await post("/a/mcp", messages.ping(), { "mcp-session-id": id })).status, 200);
    assertEquals((await post("/mcp", messages.ping())).status, 404);
  } finally {
    await proxy.stop();
  }
});

Deno.test("R82 R85 sessions are capped: idle ones give way, otherwise 503 with Retry-After", async () => {
  const clock = new ManualClock();
  await using upstream = sessionUpstream();
  const limits = { maxSessions: 2, sessionEvictIdleMs: 1_000 };
  await withProxy({ upstream: upstream.url, clock, config: { limits } }, async (proxy) => {
    const first = await open(proxy);
    clock.advance(600);
    const second = await open(proxy);
    const refused = await postText(proxy.origin, messages.initialize());
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "10"]);
    assertEquals(upstream.requests.length, 2, "initialize went upstream although there is no room");
    clock.advance(400);
    await open(proxy);
    const alive = async (id: string) =>
      (await postText(proxy.origin, messages.ping(), { "mcp-session-id": id })).status;
    assertEquals([await alive(first), await alive(second)], [404, 200]);
  });
});

Deno.test("R82 an idle session ends at its deadline, one with an open stream does not", async () => {
  const clock = new ManualClock();
  await using upstream = sessionUpstream(async (request, to) => {
    if (!request.line.startsWith("GET")) return false;
    await to.write(SSE_HEAD);
    return true;
  });
  const limits = { sessionIdleTimeoutMs: 1_000 };
  await withProxy({ upstream: upstream.url, clock, config: { limits } }, async (proxy) => {
    const [idle, listening] = [await open(proxy), await open(proxy)];
    using stream = await RawClient.connect(proxy.origin);
    await stream.write(bodyless("GET", listening));
    await stream.readHead();
    clock.advance(1_000);
    const status = async (id: string) =>
      (await postText(proxy.origin, messages.ping(), { "mcp-session-id": id })).status;
    assertEquals([await status(idle), await status(listening)], [404, 200]);
  });
});
