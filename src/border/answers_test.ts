/**
 * R14, R16, R17, R51, R54, R56, R58 to R65, R70, R93, R99: what upstreams answer, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../../conformance/free_port.ts";
import * as eventClient from "../testing/event_client.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const chunk = (text: string) =>
  `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
const GET = "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
const modernList = messages.modern("tools/list");
const modernFields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };

/** Answers that are none: what, the bytes, the status that the client gets. */
const REFUSED: readonly [string, string, number][] = [
  [
    "R63 HTML with 200",
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi",
    502,
  ],
  ["R63 no content type", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", 502],
  ["R63 204 to a request", "HTTP/1.1 204 No Content\r\n\r\n", 502],
  ["R63 202 to a request", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", 502],
  ["R63 an empty JSON body", jsonAnswer(""), 502],
  [
    "R70 a 302",
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n",
    502,
  ],
  [
    "R70 a 307",
    "HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n",
    502,
  ],
  ["bytes that are no HTTP", "hello there, this is no HTTP\r\n\r\n", 502],
  ["a head without end", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}\r\n`, 502],
  [
    "R64 a 503 in HTML",
    "HTTP/1.1 503 S\r\ncontent-type: text/html\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\nupstream!",
    503,
  ],
  ["R99 a 500 with a stack trace", jsonAnswer('{"stack":"at /srv/app.js:1"}', {}, "500 E"), 500],
];

/** The failures that the log tells. */
function told({ logs }: TestProxy): unknown[] {
  return logs.map((line) => JSON.parse(line))
    .filter(({ message }) => message === "request failed")
    .map(({ level, source, rpc }) => [level, source, rpc]);
}

for (const [name, answer, status] of REFUSED) {
  Deno.test(`${name} becomes ${status} with one JSON-RPC error, and a warning in the log`, async () => {
    await using upstream = scriptedUpstream(async (_, connection) => {
      await connection.write(answer);
      connection.close();
    });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const response = await postText(proxy.origin, messages.ping("7"));
      assertEquals(response.status, status);
      const body = JSON.parse(response.text);
      assertEquals([body.id, body.error.code], [7, -31502]);
      assert(!/127\.0\.0\.1|upstream!|stack|location/.test(response.text), response.text);
      assertEquals(response.headers.get("location"), undefined);
      assertEquals(upstream.requests.length, 1, "the POST was sent more than once");
      if (status === 503) assertEquals(response.headers.get("retry-after"), "7");
      assertEquals(told(proxy), [["warn", "upstream", "ping"]]);
    });
  });
}

Deno.test("R99 a page with a status that is the client's to read is replaced, and no failure", async () => {
  for (const status of ["400 B", "401 U", "403 F", "404 N", "405 M", "429 T"]) {
    await using upstream = scriptedUpstream((_, connection) =>
      connection.write(jsonAnswer("<h1>app.js</h1>", { "content-type": "text/html" }, status))
    );
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const response = await postText(proxy.origin, messages.ping());
      assertEquals(response.status, parseInt(status));
      assertEquals(JSON.parse(response.text).error.code, -31502);
      assertEquals(told(proxy), []);
    });
  }
});

Deno.test("JSON-RPC errors of the upstream pass with their status, byte for byte", async () => {
  const body = '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}';
  for (const status of ["400 B", "401 U", "404 N", "429 T", "500 E", "503 S"]) {
    await using upstream = scriptedUpstream((_, connection) =>
      connection.write(jsonAnswer(body, { "retry-after": "3" }, status))
    );
    const modern = { upstream: upstream.url, upstreamConfig: { era: "modern" } };
    await withProxy(modern, async (proxy) => {
      const response = await postText(proxy.origin, modernList, modernFields);
      assertEquals([response.status, response.text], [parseInt(status), body]);
      assertEquals(response.headers.get("retry-after"), "3");
      assertEquals(told(proxy), []);
    });
  }
});

Deno.test("R61 an upstream that does not answer in time gives 504 and its request is dropped", async () => {
  let dropped: Promise<void> | undefined;
  await using upstream = scriptedUpstream((_, connection) => void (dropped = connection.closed));
  const options = { upstream: upstream.url, upstreamConfig: { headersTimeoutMs: 30 } };
  await withProxy(options, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping());
    assertEquals(response.status, 504);
    assertEquals(JSON.parse(response.text).error.code, -31504);
    await dropped;
  });
});

Deno.test("R62 a JSON answer that stalls gives 504, a stream that stalls is cut", async () => {
  await using upstream = scriptedUpstream(async (request, connection) => {
    if (request.line.startsWith("POST")) {
      return await connection.write(jsonAnswer(RESULT).slice(0, -5));
    }
    await connection.write(SSE_HEAD + chunk("data: 1\n\n"));
  });
  const upstreamConfig = { bodyIdleTimeoutMs: 30, streamIdleTimeoutMs: 30 };
  await withProxy({ upstream: upstream.url, upstreamConfig }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 504);
    const stream = await exchange(proxy.origin, GET);
    assertEquals([stream.text, stream.complete], ["data: 1\n\n", false]);
  });
});

Deno.test("R59 a short JSON body gives 502, a truncated stream is seen as truncated", async () => {
  await using upstream = scriptedUpstream(async (request, connection) => {
    const isPost = request.line.startsWith("POST");
    await connection.write(
      isPost ? jsonAnswer(RESULT).slice(0, -5) : SSE_HEAD + chunk("data: 1\n\n"),
    );
    connection.close();
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 502);
    const stream = await exchange(proxy.origin, GET);
    assertEquals([stream.text, stream.complete], ["data: 1\n\n", false]);
  });
});

Deno.test("R65 a refused connection and an unknown name give 502 without the address", async () => {
  for (const url of [`http://127.0.0.1:${freePort()}/mcp`, "http://no-such-host.invalid/mcp"]) {
    await withProxy({ upstream: url }, async (proxy) => {
      const response = await postText(proxy.origin, messages.ping());
      assertEquals(response.status, 502);
      assert(!/127\.0\.0\.1|invalid/.test(response.text), response.text);
      assertStringIncludes(proxy.logs.join("\n"), "upstream_unreachable");
    });
  }
});

const END = '{"jsonrpc":"2.0","id":1,"result":{}}';

Deno.test("R51 each event reaches the client before the next one is sent", async () => {
  const step = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write(SSE_HEAD);
    for (const [index, { promise }] of step.entries()) {
      await connection.write(chunk(`data: ${index}\n\n`));
      await promise;
    }
    await connection.write(chunk(`data: ${END}\n\n`) + "0\r\n\r\n");
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost(messages.ping()));
    const head = await client.readHead();
    assertEquals(head.headers.get("content-type"), "text/event-stream");
    assertEquals(head.headers.get("x-accel-buffering"), "no");
    assertEquals(await client.readChunk(), "data: 0\n\n");
    step[0]!.resolve();
    assertEquals(await client.readChunk(), "data: 1\n\n");
    step[1]!.resolve();
    assertEquals(await client.readChunk(), `data: ${END}\n\n`);
    assertEquals(await client.readChunk(), null);
    assertEquals(upstream.requests.length, 1);
  });
});

Deno.test("the head of a silent stream reaches the client before any event", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(SSE_HEAD));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(GET);
    assertEquals((await client.readHead()).status, 200);
  });
});

/** R54: a client that leaves behind `head`, which is what the server has said until then, is gone for the server. */
async function leaveBehind(head: string, era: "auto" | "both", asked: string): Promise<void> {
  const there = Promise.withResolvers<{ closed: Promise<void> }>();
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write(head);
    there.resolve(connection);
  });
  await withProxy({ upstream: upstream.url, upstreamConfig: { era } }, async (proxy) => {
    const client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost(modernList, modernFields));
    const { closed } = await there.promise;
    if (head.startsWith(SSE_HEAD)) {
      assertEquals((await client.readHead()).status, 200);
      if (head !== SSE_HEAD) assertEquals(await client.readChunk(), "data: 1\n\n");
    }
    client.close();
    await closed;
    const methods = upstream.requests.map(({ body }) =>
      JSON.parse(new TextDecoder().decode(body)).method
    );
    assertEquals(methods, [asked]);
  });
}

Deno.test("R54 a client that goes away is gone for the upstream, before and after the head", async () => {
  const json = jsonAnswer(RESULT).slice(0, -5);
  for (const head of ["", json, SSE_HEAD, SSE_HEAD + chunk("data: 1\n\n")]) {
    await leaveBehind(head, "both", "tools/list");
  }
});

Deno.test("R54 a client that goes away while its server is asked what it speaks is gone as well", async () => {
  const json = jsonAnswer(RESULT).slice(0, -5);
  for (const head of ["", json]) await leaveBehind(head, "auto", "server/discover");
});

Deno.test("R49 a client that does not read stops the upstream", async () => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    const piece = new Uint8Array(65_536).fill(0x3a);
    for (; written < total; written += piece.length) await connection.write(piece);
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(GET);
    await client.readHead();
    // The kernel's socket buffers fill first; then nothing moves any more.
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert(written < total / 2, `${written} bytes were taken from the upstream`);
  });
});

Deno.test("R14 hop-by-hop and nominated fields end at the proxy, both ways", async () => {
  await using upstream = scriptedUpstream((_, connection) =>
    connection.write(jsonAnswer(RESULT, {
      connection: "keep-alive, x-inner",
      "keep-alive": "timeout=5",
      "x-inner": "1",
      "x-outer": "2",
      "proxy-authenticate": "Basic",
      server: "secret/1.0",
      "x-powered-by": "secret",
    }))
  );
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping(), {
      connection: "keep-alive, x-mine, mcp-protocol-version",
      "x-mine": "1",
      "x-kept": "2",
      te: "trailers",
      "proxy-authorization": "Basic eDp5",
      upgrade: "h2c",
      "mcp-protocol-version": "2025-11-25",
    });
    const names = upstream.requests[0]!.fields.map(([name]) => name);
    assertEquals(names.toSorted(), [
      "accept",
      "accept-encoding",
      "content-length",
      "content-type",
      "host",
      "mcp-protocol-version",
      "x-kept",
    ]);
    assertEquals(response.headers.get("x-outer"), "2");
    for (const name of ["x-inner", "keep-alive", "proxy-authenticate", "server", "x-powered-by"]) {
      assertEquals(response.headers.get(name), undefined, name);
    }
  });
});

Deno.test("R17 Expect never reaches the upstream; R56 nor does Accept-Encoding", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(
      jsonPost(messages.ping(), { expect: "100-continue", "accept-encoding": "gzip, br" }),
    );
    let response = await client.readHead();
    if (response.status === 100) response = await client.readHead();
    assertEquals(response.status, 200);
    assertEquals(upstream.requests[0]!.field("expect"), undefined);
    assertEquals(upstream.requests[0]!.field("accept-encoding"), "identity");
  });
});

Deno.test("R56 an answer that is compressed all the same passes with its header", async () => {
  const packed = new Uint8Array(
    await new Response(
      new Blob([RESULT]).stream().pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer(),
  );
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n" +
        `content-length: ${packed.length}\r\n\r\n`,
    );
    await connection.write(packed);
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping());
    assertEquals(response.headers.get("content-encoding"), "gzip");
    assertEquals(response.bytes, packed);
  });
});

Deno.test("R56 a stream that is compressed all the same passes as it came, also in a session", async () => {
  const text = 'id: 1\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n';
  const packed = new Uint8Array(
    await new Response(
      new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer(),
  );
  await using upstream = scriptedUpstream(async (request, connection) => {
    if (new TextDecoder().decode(request.body).includes("initialize")) {
      const named = { "mcp-session-id": "inner" };
      return await connection.write(jsonAnswer(messages.initializeResult(), named));
    }
    await connection.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n" +
        `content-length: ${packed.length}\r\n\r\n`,
    );
    await connection.write(packed);
  });
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    const session = { "mcp-session-id": await eventClient.openSession(origin) };
    const response = await postText(origin, messages.ping(), session);
    assertEquals(response.headers.get("content-encoding"), "gzip");
    assertEquals(response.bytes, packed);
  });
  const config = { interceptors: [{ use: "log" }] };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    assertEquals((await postText(origin, messages.ping())).status, 502);
  });
});

Deno.test("R55 a client that goes away under back-pressure leaves nothing behind", async () => {
  const closed = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    connection.closed.then(closed.resolve);
    const piece = new TextEncoder().encode(`: ${"x".repeat(65_000)}\n\n`);
    for (;;) await connection.write(piece);
  });
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    const client = await RawClient.connect(origin);
    await client.write(jsonPost(messages.ping()));
    await client.readHead();
    client.close();
    // The sanitizers of the test see to the rest.
    await closed.promise;
  });
});

Deno.test("R93 the client's credentials go upstream only where configured", async () => {
  await using upstream = scriptedUpstream((_, connection) =>
    connection.write(jsonAnswer(RESULT, { "set-cookie": "a=b" }))
  );
  const fields = { authorization: "Bearer canary", cookie: "c=canary" };
  const post = (credentials: string, headers: Record<string, string> = {}) =>
    withProxy(
      { upstream: upstream.url, upstreamConfig: { credentials, headers } },
      async (proxy) => {
        await postText(proxy.origin, messages.ping(), fields);
        assert(!proxy.logs.join("").includes("canary"), "R96 a token was logged");
      },
    );
  await post("drop");
  await post("forward");
  await post("forward", { Authorization: "Bearer own" });
  assertEquals(
    upstream.requests.map((request) => [request.field("authorization"), request.field("cookie")]),
    [[undefined, undefined], ["Bearer canary", "c=canary"], ["Bearer own", "c=canary"]],
  );
});

Deno.test("notifications are answered with 202 and no body, whatever 2xx the upstream gives", async () => {
  for (
    const answer of [
      "HTTP/1.1 204 N\r\n\r\n",
      jsonAnswer("{}"),
      "HTTP/1.1 202 A\r\ncontent-length: 0\r\n\r\n",
    ]
  ) {
    await using upstream = scriptedUpstream((_, connection) => connection.write(answer));
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const response = await postText(proxy.origin, messages.initialized);
      assertEquals([response.status, response.text], [202, ""]);
      assertEquals(response.headers.get("content-type"), undefined);
    });
  }
});

Deno.test("a large JSON answer passes byte for byte, in odd pieces", async () => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: "é".repeat(300_000) } });
  const whole = new TextEncoder().encode(jsonAnswer(body));
  await using upstream = scriptedUpstream(async (_, connection) => {
    for (let at = 0; at < whole.length; at += 7_919) {
      await connection.write(whole.subarray(at, at + 7_919));
    }
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping());
    assert(response.complete && response.text === body);
  });
});

Deno.test("a GET answered with 405 passes as 405", async () => {
  await using upstream = scriptedUpstream((_, connection) =>
    connection.write("HTTP/1.1 405 M\r\nallow: POST\r\ncontent-length: 0\r\n\r\n")
  );
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const response = await exchange(proxy.origin, GET);
    assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
    assertMatch(response.text, /HTTP status 405/);
  });
});

Deno.test("R63 a GET answered with JSON gives 502", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    assertEquals((await exchange(proxy.origin, GET)).status, 502);
  });
});

Deno.test("a request that waits too long for a connection is answered with 503 and Retry-After", async () => {
  await using upstream = scriptedUpstream(() => {});
  const options = {
    upstream: upstream.url,
    upstreamConfig: { maxConnections: 1, queueTimeoutMs: 20 },
  };
  await withProxy(options, async (proxy) => {
    using first = await RawClient.connect(proxy.origin);
    await first.write(jsonPost(messages.ping()));
    await upstream.received(0);
    const second = await postText(proxy.origin, messages.ping());
    assertEquals([second.status, second.headers.get("retry-after")], [503, "1"]);
    assertEquals(upstream.requests.length, 1);
  });
});
