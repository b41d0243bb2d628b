/**
 * One connection over a real socket: keeping it, pipelining, Expect, bodies that come bit by bit, and
 * clients that leave (R54).
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { type AnswerSource, type Bytes, type ClientRequest, Fields } from "../http/mod.ts";
import { seededRandom } from "../http1/fuzz_cases.ts";
import { RawClient } from "../testing/raw_client.ts";
import { testServer } from "../testing/server.ts";

const encoder = new TextEncoder();
const GET = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

function answer(body: string | AnswerSource | null, status = 200) {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  return { status, fields: new Fields(), body: bytes };
}

/** Answers with the target. */
const tell = (request: ClientRequest) => Promise.resolve(answer(request.target));

/** A source that a test fills. */
function source() {
  const waiting: PromiseWithResolvers<readonly Bytes[] | null>[] = [];
  const ready: (readonly Bytes[] | null | Error)[] = [];
  const given = Promise.withResolvers<void>();
  const give = (piece: readonly Bytes[] | null | Error) => {
    const next = waiting.shift();
    if (next === undefined) ready.push(piece);
    else if (piece instanceof Error) next.reject(piece);
    else next.resolve(piece);
  };
  const body: AnswerSource = {
    get ended() {
      return ready[0] === null;
    },
    next() {
      const piece = ready.shift();
      if (piece instanceof Error) throw piece;
      if (piece !== undefined) return piece;
      waiting.push(Promise.withResolvers());
      return waiting.at(-1)!.promise;
    },
    discard() {
      given.resolve();
      give(new Error("discarded"));
    },
  };
  return {
    body,
    push: (text: string) => give([encoder.encode(text)]),
    end: () => give(null),
    fail: () => give(new Error("broken")),
    /** Resolves when the rest is given up. */
    discarded: given.promise,
  };
}

Deno.test("a connection serves request after request", async () => {
  await using server = testServer(tell);
  using client = await RawClient.connect(server.origin);
  for (const path of ["/1", "/2", "/3"]) {
    await client.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    const { status, text, headers } = await client.readResponse();
    assertEquals([status, text, headers.has("connection")], [200, path, false]);
    assert(!Number.isNaN(Date.parse(headers.get("date")!)));
  }
});

Deno.test("pipelined requests are answered in order, one at a time", async () => {
  let underWay = 0;
  let most = 0;
  await using server = testServer(async (request) => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, request.target === "/0" ? 20 : 0));
    underWay--;
    return answer(`${request.target} ${new TextDecoder().decode(await request.body())}`);
  });
  using client = await RawClient.connect(server.origin);
  const requests = Array.from(
    { length: 50 },
    (_, at) => `POST /${at} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nbody`,
  );
  await client.write(requests.join(""));
  for (let at = 0; at < 50; at++) assertEquals((await client.readResponse()).text, `/${at} body`);
  assertEquals(most, 1);
});

Deno.test("pipelined requests that nobody answers are held back by the server's buffer", async () => {
  const release = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    await release.promise;
    return await tell(request);
  });
  using client = await RawClient.connect(server.origin);
  const one = `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(10_000)}\r\n\r\n`;
  let written = 0;
  const writing = (async () => {
    for (; written < 20_000; written++) await client.write(one);
  })().catch(() => {});
  let before = -1;
  while (written !== before) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // What the sockets hold is some megabytes; 200 MB were to be written.
  assertLess(written, 10_000);
  client.close();
  release.resolve();
  await writing;
});

Deno.test("a body that nobody asks for is held back by the server's buffer", async () => {
  const release = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    await release.promise;
    return await tell(request);
  });
  using client = await RawClient.connect(server.origin);
  await client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n");
  let written = 0;
  const writing = (async () => {
    for (; written < 2_000; written++) await client.write(new Uint8Array(100_000));
  })().catch(() => {});
  let before = -1;
  while (written !== before) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assertLess(written, 1_000);
  client.close();
  release.resolve();
  await writing;
});

Deno.test("Connection: close is honoured, and so is the habit of HTTP/1.0", async () => {
  await using server = testServer(tell);
  for (const head of ["GET / HTTP/1.1\r\nhost: a\r\nconnection: close", "GET / HTTP/1.0"]) {
    using client = await RawClient.connect(server.origin);
    await client.write(`${head}\r\n\r\n`);
    const { status, text, headers } = await client.readResponse();
    assertEquals([status, text, headers.get("connection")], [200, "/", "close"]);
    assert(await client.ended());
  }
});

Deno.test("Expect: 100-continue is answered when the body is asked for, and not before", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    await asked.promise;
    return answer(new TextDecoder().decode(await request.body()));
  });
  using client = await RawClient.connect(server.origin);
  const head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n";
  await client.write(head);
  const first = client.readHead();
  const early = await Promise.race([
    first,
    new Promise((resolve) => setTimeout(resolve, 50, "nothing")),
  ]);
  assertEquals(early, "nothing");
  asked.resolve();
  assertEquals((await first).status, 100);
  await client.write("hi");
  assertEquals((await client.readResponse()).text, "hi");
  await client.write(head + "ho");
  assertEquals((await client.readResponse()).text, "ho");
});

Deno.test("a body that nobody asks for is no 100, and its connection is closed", async () => {
  await using server = testServer(() => Promise.resolve(answer("no", 415)));
  using client = await RawClient.connect(server.origin);
  await client.write(
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
  );
  const { status, headers } = await client.readResponse();
  assertEquals([status, headers.get("connection")], [415, "close"]);
  assert(await client.ended());
});

Deno.test("a client that is still sending sees the answer, not a reset", async () => {
  await using server = testServer(() => Promise.resolve(answer("too much", 413)));
  for (let time = 0; time < 5; time++) {
    using client = await RawClient.connect(server.origin);
    await client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n");
    // All of it: with a plain close these writes would fail, and the answer be lost.
    for (let sent = 0; sent < 90; sent++) await client.write(new Uint8Array(100_000));
    const { status, text } = await client.readResponse();
    assertEquals([status, text], [413, "too much"]);
    assert(await client.ended());
  }
});

Deno.test("an unread body that came whole leaves the connection as it is", async () => {
  await using server = testServer(tell);
  using client = await RawClient.connect(server.origin);
  const head = "GET /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
  await client.write(head + head);
  for (let time = 0; time < 2; time++) assertEquals((await client.readResponse()).text, "/a");
});

Deno.test("HEAD gets the head of the answer, 204 and 304 no body, and the connection goes on", async () => {
  await using server = testServer((request) => {
    if (request.target === "/stream") {
      const { body, push, end } = source();
      push("never");
      end();
      return Promise.resolve(answer(body));
    }
    return Promise.resolve(answer("body", Number(request.target.slice(1))));
  });
  using client = await RawClient.connect(server.origin);
  const ask = async (method: string, path: string) => {
    await client.write(`${method} ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
    return await client.readHead();
  };
  const head = await ask("HEAD", "/200");
  assertEquals([head.status, head.headers.get("content-length")], [200, "4"]);
  assertEquals((await ask("HEAD", "/stream")).status, 200);
  for (const status of [204, 304]) {
    const { headers } = await ask("GET", `/${status}`);
    assertEquals([headers.has("content-length"), headers.has("transfer-encoding")], [false, false]);
  }
  await client.write(GET.replace("/ ", "/200 "));
  assertEquals((await client.readResponse()).text, "body");
});

Deno.test("R51 a streamed answer: its head at once, each piece as it comes, then its end", async () => {
  const { body, push, end } = source();
  await using server = testServer(() => Promise.resolve(answer(body)));
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  const { headers } = await client.readHead();
  assertEquals(headers.get("transfer-encoding"), "chunked");
  for (const piece of ["a", "bc", "d".repeat(100_000)]) {
    push(piece);
    assertEquals(await client.readChunk(), piece);
  }
  end();
  assertEquals(await client.readChunk(), null);
  await client.write("BAD\r\n\r\n");
  assertEquals((await client.readHead()).status, 400);
});

Deno.test("a streamed answer to HTTP/1.0 ends with its connection", async () => {
  const { body, push, end } = source();
  await using server = testServer(() => Promise.resolve(answer(body)));
  using client = await RawClient.connect(server.origin);
  await client.write("GET / HTTP/1.0\r\n\r\n");
  const { headers } = await client.readHead();
  assertEquals([headers.has("transfer-encoding"), headers.get("connection")], [false, "close"]);
  push("a");
  push("b");
  end();
  assert(await client.ended() === false);
});

Deno.test("R59 a source that breaks off is seen as a truncation, behind all that came before", async () => {
  const { body, push, fail } = source();
  await using server = testServer(() => Promise.resolve(answer(body)));
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await client.readHead();
  push("a");
  fail();
  assertEquals([await client.readChunk(), await client.readChunk()], ["a", "cut"]);
  assertEquals(server.events, ["cut short"]);
});

Deno.test("R59 a source that has broken off already is a truncation behind the head, not a silence", async () => {
  const { body, fail } = source();
  fail();
  await using server = testServer(() => Promise.resolve(answer(body)));
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  assertEquals((await client.readHead()).status, 200);
  assertEquals(await client.readChunk(), "cut");
});

Deno.test("R49 a client that does not read holds the source up", async () => {
  let pulled = 0;
  const given = Promise.withResolvers<void>();
  const endless: AnswerSource = {
    ended: false,
    next: () => [new Uint8Array(65_536 * (pulled++ >= 0 ? 1 : 0))],
    discard: given.resolve,
  };
  await using server = testServer(() => Promise.resolve(answer(endless)));
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await client.readHead();
  let before = -1;
  while (pulled !== before) {
    before = pulled;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertLess(pulled, 500);
  client.close();
  await given.promise;
});

Deno.test("R54 a client that leaves is noticed at any byte of its request, and before the answer", async () => {
  const bodies = { whole: "hello", part: "he", none: "" };
  for (const [name, body] of Object.entries(bodies)) {
    for (const size of ["small", "large"]) {
      const arrived = Promise.withResolvers<void>();
      const left = Promise.withResolvers<string>();
      await using server = testServer(async (request) => {
        request.signal.addEventListener("abort", () => left.resolve("aborted"));
        arrived.resolve();
        try {
          await request.body();
        } catch (error) {
          left.resolve((error as ProxyError).kind);
          return answer(null, 499);
        }
        await left.promise;
        return answer("too late");
      });
      using client = await RawClient.connect(server.origin);
      const filler = size === "large" ? `x: ${"a".repeat(30_000)}\r\n` : "";
      await client.write(`POST / HTTP/1.1\r\nhost: a\r\n${filler}content-length: 5\r\n\r\n`);
      await arrived.promise;
      await client.write(body);
      if (size === "large") client.close();
      else await client.closeWrite();
      const seen = await left.promise;
      assert(
        seen === "aborted" || (name !== "whole" && seen === "client_closed"),
        `${name} ${seen}`,
      );
    }
  }
});

Deno.test("R54 a client that leaves in the middle of a streamed answer is noticed while it is silent", async () => {
  const { body, push, discarded } = source();
  await using server = testServer(() => Promise.resolve(answer(body)));
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await client.readHead();
  push("a");
  await client.readChunk();
  client.close();
  await discarded;
  assertEquals(server.events, []);
});

Deno.test("R54 a client that has left before its answer is there costs nobody anything", async () => {
  const { body, discarded } = source();
  const release = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    request.signal.addEventListener("abort", left.resolve);
    await release.promise;
    assert(request.signal.aborted);
    return answer(body);
  });
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.close();
  await left.promise;
  release.resolve();
  await discarded;
});

Deno.test("a handler that fails, and fields that cannot be written (R16), give 500", async () => {
  await using server = testServer((request) => {
    if (request.target === "/throws") throw new Error("a mistake");
    const fields = new Fields(["x", "a\r\nset-cookie: b"]);
    return Promise.resolve({ status: 200, fields, body: null });
  });
  for (const path of ["/throws", "/splits"]) {
    using client = await RawClient.connect(server.origin);
    await client.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
    const { status, headers } = await client.readResponse();
    assertEquals([status, headers.has("set-cookie")], [500, false]);
    assert(await client.ended());
  }
});

Deno.test("R32 a body over the limit is refused, by its length and while it comes", async () => {
  let held = 0;
  await using server = testServer(async (request) => {
    try {
      held = (await request.body()).length;
      return answer("ok");
    } catch (error) {
      return answer((error as ProxyError).kind, 413);
    }
  }, { maxRequestBytes: 1_000 });
  const head = "POST / HTTP/1.1\r\nhost: a\r\n";
  const chunk = `100\r\n${"a".repeat(256)}\r\n`;
  const cases: [string, number][] = [
    [`${head}content-length: 1000\r\n\r\n${"a".repeat(1_000)}`, 200],
    [`${head}content-length: 1001\r\n\r\n`, 413],
    [`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`, 200],
    [`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(4)}0\r\n\r\n`, 413],
    [`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(4)}`, 413],
  ];
  for (const [text, status] of cases) {
    using client = await RawClient.connect(server.origin);
    await client.write(text);
    assertEquals((await client.readResponse()).status, status);
  }
  assertEquals(held, 768);
});

Deno.test("a large body in many pieces arrives whole, however late it is asked for", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    await asked.promise;
    const body = await request.body();
    return answer(String(body.reduce((sum, byte) => sum + byte, 0)));
  });
  using client = await RawClient.connect(server.origin);
  await client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n");
  const writing = client.write(new Uint8Array(900_000).fill(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  asked.resolve();
  await writing;
  assertEquals((await client.readResponse()).text, "900000");
});

Deno.test("any split of the bytes of pipelined requests gives the same answers", async () => {
  await using server = testServer(async (request) => {
    const body = await request.body();
    return answer(`${request.method} ${request.target} ${new TextDecoder().decode(body)}`);
  });
  const random = seededRandom(7);
  const below = (bound: number) => Math.floor(random() * bound);
  for (let run = 0; run < 40; run++) {
    const expected: string[] = [];
    let text = "";
    for (let count = 1 + below(4); count > 0; count--) {
      const body = "b".repeat(below(3) * below(300));
      const half = below(body.length + 1);
      const coded = [body.slice(0, half), body.slice(half)].filter((part) => part !== "")
        .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("") + "0\r\n\r\n";
      const framed = below(2) === 0
        ? `content-length: ${body.length}\r\n\r\n${body}`
        : `transfer-encoding: chunked\r\n\r\n${coded}`;
      text += `POST /${count} HTTP/1.1\r\nhost: a\r\n${framed}`;
      expected.push(`POST /${count} ${body}`);
    }
    using client = await RawClient.connect(server.origin);
    const most = [5, 40, 400, 100_000][below(4)]!;
    const reading = (async () => {
      const found: string[] = [];
      while (found.length < expected.length) found.push((await client.readResponse()).text);
      return found;
    })();
    for (let at = 0; at < text.length;) {
      const length = 1 + below(most);
      await client.write(text.slice(at, at + length));
      if (below(20) === 0) await new Promise((resolve) => setTimeout(resolve));
      at += length;
    }
    assertEquals(await reading, expected);
  }
});
