/**
 * The HTTP/1.1 client against a scripted TCP upstream: framing, deadlines, the pool, sending again.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { freePort } from "../../../conformance/free_port.ts";
import { systemClock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { streamOf } from "../../http/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import { type ScriptedConnection, scriptedUpstream } from "../../testing/scripted_upstream.ts";
import type { HttpAnswer, HttpClient, HttpClientOptions, HttpRequest } from "../http_client.ts";
import { http1Client } from "./client.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const bytes = (text: string) => new TextEncoder().encode(text);

function clientFor(url: string, options: Partial<HttpClientOptions> = {}): HttpClient {
  const { hostname, port, host } = new URL(url);
  return http1Client({
    target: { kind: "tcp", hostname, port: Number(port), host },
    connectTimeoutMs: 5_000,
    maxConnections: 4,
    maxStreams: 4,
    maxQueued: 4,
    queueTimeoutMs: 5_000,
    keepAliveMs: 5_000,
    clock: systemClock,
    ...options,
  });
}

function request(more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "POST",
    path: "/mcp",
    fields: ["accept", "application/json"],
    body: bytes("{}"),
    signal: new AbortController().signal,
    timeouts: { headersMs: 5_000, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 },
    ...more,
  };
}

async function textOf(answer: HttpAnswer): Promise<string> {
  return new TextDecoder().decode(await answer.body.bytesWithin(60_000) ?? new Uint8Array());
}

/** Runs `test` with an upstream that answers each request by script, and a client. */
async function withClient(
  script: (number: number, to: ScriptedConnection) => Promise<void> | void,
  test: (client: HttpClient, upstream: ReturnType<typeof scriptedUpstream>) => Promise<void>,
  options: Partial<HttpClientOptions> = {},
): Promise<void> {
  let count = 0;
  const upstream = scriptedUpstream((_, to) => script(count++, to));
  const client = clientFor(upstream.url, options);
  try {
    await test(client, upstream);
  } finally {
    await client.close();
    await upstream.close();
  }
}

async function failure(work: Promise<unknown>): Promise<ProxyError> {
  return await assertRejects(() => work, ProxyError);
}

/** Answers as bytes, and the body that they carry. */
const ANSWERS: readonly [string, string, string, boolean][] = [
  ["a content length", OK, "ok", true],
  ["an empty body", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true],
  [
    "equal content lengths",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "ok",
    true,
  ],
  [
    "chunks with extensions and trailers",
    `${CHUNKED}1;a="b"\r\no\r\n1 ; c\r\nk\r\n0\r\nx: y\r\n\r\n`,
    "ok",
    true,
  ],
  ["204", "HTTP/1.1 204 No Content\r\n\r\n", "", true],
  [
    "interim answers before it",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n${OK}`,
    "ok",
    true,
  ],
  [
    "Connection: close",
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    "ok",
    false,
  ],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", false],
  [
    "HTTP/1.0 with keep-alive",
    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    "ok",
    true,
  ],
  [
    "R7 both framings",
    `HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    "ok",
    false,
  ],
  ["R8 a second answer behind it", OK + OK, "ok", false],
  ["R8 stray bytes behind it", OK + "x", "ok", false],
];

for (const [name, answer, body, reused] of ANSWERS) {
  for (const piece of [answer.length, 1]) {
    const how = piece === 1 ? "in 1-byte pieces" : "at once";
    Deno.test(`an answer with ${name}, ${how}, is read and its connection ${reused ? "" : "not "}used again`, async () => {
      const numbers: number[] = [];
      await withClient(async (_, to) => {
        numbers.push(to.number);
        for (let at = 0; at < answer.length; at += piece) {
          await to.write(answer.slice(at, at + piece));
        }
      }, async (client, upstream) => {
        for (let count = 0; count < 2; count++) {
          assertEquals(await textOf(await client.send(request())), body);
          // A stray byte may come after the answer: give it the time to be noticed.
          if (!reused) await new Promise((resolve) => setTimeout(resolve, 5));
        }
        assertEquals(upstream.requests.length, 2);
        assertEquals(numbers, reused ? [0, 0] : [0, 1]);
      });
    });
  }
}

Deno.test("an answer that ends with the connection is whole", async () => {
  await withClient(async (_, to) => {
    await to.write("HTTP/1.1 200 OK\r\n\r\nok");
    to.close();
  }, async (client) => assertEquals(await textOf(await client.send(request())), "ok"));
});

/** Answers that are none. */
const BROKEN: readonly [string, string][] = [
  ["bytes that are no HTTP", "SSH-2.0-x\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["a switch of protocols", "HTTP/1.1 101 S\r\nupgrade: x\r\n\r\n"],
  ["interim answers without end", "HTTP/1.1 100 C\r\n\r\n".repeat(100)],
  ["a head without end", "HTTP/1.1 200 OK\r\n" + "x: y\r\n".repeat(20_000)],
  ["R16 a bare LF in the head", "HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\n\r\n"],
  ["two content lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok"],
  ["a coding nobody asked for", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"],
];
for (const [name, answer] of BROKEN) {
  Deno.test(`${name} is a protocol error, and the connection is closed`, async () => {
    let closed: Promise<void> | undefined;
    await withClient(async (_, to) => {
      closed = to.closed;
      await to.write(answer);
    }, async (client) => {
      const error = await failure(client.send(request()));
      assertEquals([error.kind, error.source, error.retrySafe], [
        "upstream_protocol",
        "upstream",
        false,
      ]);
      assertEquals(error.progress, { requestSent: true, answerBegun: true });
      await closed;
    });
  });
}

Deno.test("R59 a body that breaks off is an error after what came, whatever its framing", async () => {
  const heads = ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", `${CHUNKED}9\r\n`];
  for (const head of heads) {
    await withClient(async (_, to) => {
      await to.write(`${head}half`);
      to.close();
    }, async (client) => {
      const reader = streamOf((await client.send(request())).body).getReader();
      assertEquals((await reader.read()).value, bytes("half"));
      const error = await failure(reader.read());
      assertEquals([error.kind, error.progress?.answerBegun], ["upstream_closed", true]);
    });
  }
});

Deno.test("R59 a chunk that is malformed is an error in the body, after what came before", async () => {
  await withClient((_, to) => to.write(`${CHUNKED}2\r\nokXX`), async (client) => {
    const reader = streamOf((await client.send(request())).body).getReader();
    assertEquals((await reader.read()).value, bytes("ok"));
    assertEquals((await failure(reader.read())).kind, "upstream_protocol");
  });
});

Deno.test("R60 a connection that closes while it is unused is noticed before it is used", async () => {
  const closed = Promise.withResolvers<void>();
  await withClient(async (_, to) => {
    await to.write(OK);
    to.close();
    closed.resolve();
  }, async (client, upstream) => {
    assertEquals(await textOf(await client.send(request())), "ok");
    await closed.promise;
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(await textOf(await client.send(request())), "ok");
    assertEquals(upstream.requests.length, 2);
  });
});

Deno.test("R60 a reused connection that closes on a request: a POST fails, a GET is sent again", async () => {
  for (const method of ["POST", "GET"] as const) {
    await withClient(
      (number, to) => number === 1 ? to.close() : to.write(OK),
      async (client, upstream) => {
        await textOf(await client.send(request()));
        const second = client.send(
          request({ method, body: method === "GET" ? null : bytes("{}") }),
        );
        if (method === "GET") assertEquals(await textOf(await second), "ok");
        else {
          const error = await failure(second);
          assertEquals([error.kind, error.retrySafe], ["upstream_closed", false]);
          assertEquals(error.progress, { requestSent: true, answerBegun: false });
        }
        assertEquals(upstream.requests.length, method === "GET" ? 3 : 2);
      },
    );
  }
});

Deno.test("a GET is not sent again after a byte of an answer, nor on a fresh connection", async () => {
  const get = request({ method: "GET", body: null });
  await withClient((number, to) => {
    if (number === 0) return to.write(OK);
    return to.write("H").then(() => to.close());
  }, async (client, upstream) => {
    await textOf(await client.send(get));
    assertEquals((await failure(client.send(get))).progress?.answerBegun, true);
    assertEquals(upstream.requests.length, 2);
  });
  await withClient((_, to) => to.close(), async (client, upstream) => {
    await failure(client.send(get));
    assertEquals(upstream.requests.length, 1);
  });
});

Deno.test("R61 the head's deadline counts connecting and waiting, and drops the connection", async () => {
  let closed: Promise<void> | undefined;
  await withClient((_, to) => void (closed = to.closed), async (client) => {
    const timeouts = { headersMs: 30, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 };
    const error = await failure(client.send(request({ timeouts })));
    assertEquals([error.kind, error.status], ["upstream_timeout", 504]);
    await closed;
  });
});

Deno.test("an aborted call drops its connection, before the head and in the body", async () => {
  for (const answer of ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]) {
    const there = Promise.withResolvers<ScriptedConnection>();
    await withClient(async (_, to) => {
      await to.write(answer);
      there.resolve(to);
    }, async (client) => {
      const abort = new AbortController();
      const sending = client.send(request({ signal: abort.signal }));
      const { closed } = await there.promise;
      if (answer === "") {
        abort.abort();
        assertEquals((await failure(sending)).kind, "client_closed");
      } else (await sending).body.discard();
      await closed;
    });
  }
});

Deno.test("a call that is aborted before it begins sends nothing", async () => {
  await withClient(() => {}, async (client, upstream) => {
    const error = await failure(client.send(request({ signal: AbortSignal.abort() })));
    assertEquals([error.kind, upstream.requests.length], ["client_closed", 0]);
  });
});

Deno.test("an early answer is given while the request is still being sent, once", async () => {
  const large = new Uint8Array(32 * 1024 * 1024);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(100));
    await connection.write(bytes("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"));
    // Never reads on; the client closes.
    await new Promise((resolve) => setTimeout(resolve, 50));
    connection.close();
  })();
  const client = clientFor(`http://127.0.0.1:${listener.addr.port}/`);
  const answer = await client.send(request({ body: large }));
  assertEquals([answer.status, await textOf(answer)], [413, "no"]);
  await serving;
  await client.close();
  listener.close();
});

Deno.test("R16 a field with a line break is never written", async () => {
  await withClient(() => {}, async (client, upstream) => {
    const error = await failure(client.send(request({ fields: ["x", "a\r\nevil: 1"] })));
    assertEquals([error.kind, upstream.requests.length], ["internal", 0]);
  });
});

Deno.test("R3 a request has one Content-Length and its bytes arrive as they are", async () => {
  await withClient((_, to) => to.write(OK), async (client, upstream) => {
    const body = bytes("é".repeat(100_000));
    await textOf(await client.send(request({ body, fields: ["x-latin", "\xe9"] })));
    const received = upstream.requests[0]!;
    assertEquals(received.fields.filter(([name]) => name === "content-length").length, 1);
    assertEquals(received.body, body);
    assertEquals(received.field("x-latin"), "\xe9");
  });
});

Deno.test("the newest unused connection serves first, and unused ones go at their time", async () => {
  const clock = new ManualClock();
  const numbers: number[] = [];
  const release = Promise.withResolvers<void>();
  const closes: Promise<void>[] = [];
  await withClient(async (number, to) => {
    numbers.push(to.number);
    closes[to.number] = to.closed;
    if (number === 0) await release.promise;
    await to.write(OK);
  }, async (client, upstream) => {
    const first = client.send(request());
    await upstream.received(0);
    await textOf(await client.send(request()));
    release.resolve();
    await textOf(await first);
    await textOf(await client.send(request()));
    assertEquals(numbers, [0, 1, 0]);
    clock.advance(5_000);
    await Promise.all(closes);
    await textOf(await client.send(request()));
    assertEquals(numbers, [0, 1, 0, 2]);
  }, { clock });
});

Deno.test("the server's Keep-Alive hint shortens how long a connection is kept", async () => {
  const clock = new ManualClock();
  let closed: Promise<void> | undefined;
  await withClient((_, to) => {
    closed ??= to.closed;
    return to.write(OK.replace("\r\n\r\n", "\r\nkeep-alive: timeout=3\r\n\r\n"));
  }, async (client) => {
    await textOf(await client.send(request()));
    clock.advance(2_000);
    await closed;
  }, { clock });
});

Deno.test("calls over the cap wait in line, first come first served", async () => {
  const held: ScriptedConnection[] = [];
  await withClient((_, to) => void held.push(to), async (client, upstream) => {
    const sent = [0, 1, 2].map((number) =>
      client.send(request({ path: `/${number}` })).then(textOf)
    );
    for (let number = 0; number < 3; number++) {
      const { line } = await upstream.received(number);
      assertEquals(line, `POST /${number} HTTP/1.1`);
      assertEquals(upstream.requests.length, number + 1);
      await held[number]!.write(OK);
      assertEquals(await sent[number], "ok");
    }
    assertEquals(held.map(({ number }) => number), [0, 0, 0]);
  }, { maxConnections: 1 });
});

Deno.test("a line that is too long, or a wait that is, is 503 and safe to try again", async () => {
  const clock = new ManualClock();
  await withClient(() => {}, async (client, upstream) => {
    const abort = new AbortController();
    const first = failure(client.send(request({ signal: abort.signal })));
    await upstream.received(0);
    const waiting = failure(client.send(request()));
    // No time passes: the third is refused because of the length of the line.
    const refused = await failure(client.send(request()));
    assertEquals([refused.kind, refused.status, refused.retrySafe], [
      "upstream_saturated",
      503,
      true,
    ]);
    clock.advance(30);
    assertEquals((await waiting).kind, "upstream_saturated");
    abort.abort();
    await first;
    assertEquals(clock.timers, 0);
  }, { maxConnections: 1, maxQueued: 1, queueTimeoutMs: 30, clock });
});

Deno.test("there are never more connections than may be, whatever breaks", async () => {
  let open = 0;
  let most = 0;
  await withClient(async (number, to) => {
    most = Math.max(most, ++open);
    to.closed.then(() => open--);
    if (number % 3 === 0) return to.close();
    await to.write(OK.replace("\r\n", "\r\nconnection: close\r\n"));
  }, async (client) => {
    const outcomes = await Promise.all(
      Array.from(
        { length: 60 },
        () => client.send(request()).then(textOf).catch((error) => error.kind),
      ),
    );
    assertEquals(outcomes.filter((outcome) => outcome === "ok").length, 40);
    assertEquals(outcomes.filter((outcome) => outcome === "upstream_closed").length, 20);
    assert(most <= 3, `${most} connections at one time`);
  }, { maxConnections: 3, maxQueued: 100 });
});

Deno.test("R60 a GET is sent again on a fresh connection, not on another used one", async () => {
  const release = Promise.withResolvers<void>();
  await withClient(async (number, to) => {
    if (number === 0) await release.promise;
    return number < 2 || to.number > 1 ? await to.write(OK) : to.close();
  }, async (client, upstream) => {
    const first = client.send(request()).then(textOf);
    await upstream.received(0);
    await textOf(await client.send(request()));
    release.resolve();
    await first;
    assertEquals(await textOf(await client.send(request({ method: "GET", body: null }))), "ok");
    assertEquals(upstream.requests.length, 4);
  });
});

Deno.test("who waits in line is served when a connection breaks, and leaves when given up", async () => {
  await withClient((number, to) => number === 0 ? to.close() : to.write(OK), async (client) => {
    const broken = failure(client.send(request()));
    const abort = new AbortController();
    const leaving = failure(client.send(request({ signal: abort.signal })));
    const served = client.send(request()).then(textOf);
    abort.abort();
    assertEquals((await broken).kind, "upstream_closed");
    assertEquals((await leaving).kind, "client_closed");
    assertEquals(await served, "ok");
  }, { maxConnections: 1 });
});

Deno.test("long streams do not eat the cap for calls", async () => {
  await withClient((number, to) => to.write(number < 3 ? STREAM : OK), async (client) => {
    const streams: HttpAnswer[] = [];
    for (let count = 0; count < 3; count++) {
      streams.push(await client.send(request({ method: "GET", body: null })));
    }
    assertEquals(await textOf(await client.send(request())), "ok");
    for (const { body } of streams) body.discard();
  }, { maxConnections: 1 });
});

Deno.test("R60 closing the client ends what is under way and what waits, and says which was sent", async () => {
  await withClient(() => {}, async (client, upstream) => {
    const under = failure(client.send(request()));
    await upstream.received(0);
    const waiting = failure(client.send(request()));
    await client.close();
    const told = [await under, await waiting, await failure(client.send(request()))];
    assertEquals(told.map(({ kind, retrySafe }) => [kind, retrySafe]), [
      ["stopping", false],
      ["stopping", true],
      ["stopping", true],
    ]);
  }, { maxConnections: 1 });
});

Deno.test("R65 a refused connection is unreachable, and safe to try again", async () => {
  const client = clientFor(`http://127.0.0.1:${freePort()}/`);
  const error = await failure(client.send(request()));
  assertEquals([error.kind, error.retrySafe], ["upstream_unreachable", true]);
  assertEquals(error.progress, { requestSent: false, answerBegun: false });
  assert(error.cause instanceof Error);
  await client.close();
});
