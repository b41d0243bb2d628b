/**
 * The tap over real sockets: it tells everything and changes nothing.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../clock.ts";
import { type AnswerSource, type ClientAnswer, Fields, type Handler } from "../http/mod.ts";
import { switchyardServer } from "../listener/mod.ts";
import { jsonPost, RawClient } from "../testing/raw_client.ts";
import { Recorder } from "./recorder.ts";
import { tap } from "./tap.ts";

interface Tapped {
  readonly origin: string;
  readonly recorder: Recorder;
  /** `client request`, `server data "x"` and so on. */
  told(): string[];
  /** Resolves when `text` is among them, which takes five seconds at most. */
  until(text: string): Promise<void>;
}

async function withTap(
  handler: Handler,
  test: (tapped: Tapped) => Promise<void>,
  maxBytes = 100_000,
): Promise<void> {
  const recorder = new Recorder({ clock: systemClock, maxBytes, hosts: [], onLimit: () => {} });
  const server = switchyardServer({
    port: 0,
    hostname: "127.0.0.1",
    handler: tap(handler, recorder),
    limits: LIMITS,
    clock: systemClock,
    events: { refused() {}, cutShort() {}, full() {}, acceptFailed() {} },
  });
  const told = () =>
    recorder.recording().entries.map((entry) =>
      `${entry.from} ${entry.type}` +
      (entry.type === "data" ? ` ${JSON.stringify(new TextDecoder().decode(entry.bytes))}` : "")
    );
  const until = async (text: string) => {
    const giveUpMs = performance.now() + 5_000;
    while (!told().includes(text)) {
      assert(performance.now() < giveUpMs, `no ${text} in ${told().join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    await test({ origin: `http://127.0.0.1:${server.address.port}`, recorder, told, until });
  } finally {
    await server.shutdown();
  }
}

const LIMITS = {
  maxRequestBytes: 100_000,
  requestBodyTimeoutMs: 5_000,
  requestHeadTimeoutMs: 5_000,
  connectionIdleTimeoutMs: 5_000,
  clientWriteTimeoutMs: 5_000,
  maxConnections: 10,
};

const encoder = new TextEncoder();

function json(value: unknown): ClientAnswer {
  const fields = new Fields(["content-type", "application/json"]);
  return { status: 200, fields, body: encoder.encode(JSON.stringify(value)) };
}

function text(body: string): ClientAnswer {
  return { status: 200, fields: new Fields(), body: encoder.encode(body) };
}

/** An answer of events, each sent when `next` gives it; it breaks off where that throws. */
function events(
  next: () => Promise<string | null>,
  discard: () => void = () => {},
): ClientAnswer {
  const body: AnswerSource = {
    async next() {
      const event = await next();
      return event === null ? null : [encoder.encode(event)];
    },
    ended: false,
    discard,
  };
  return { status: 200, fields: new Fields(["content-type", "text/event-stream"]), body };
}

async function readText(request: Parameters<Handler>[0]): Promise<string> {
  return new TextDecoder().decode(await request.body());
}

Deno.test("tap() tells heads and bodies of both sides", () =>
  withTap(async (request) => {
    assertEquals(await readText(request), '{"a":1}');
    return json({ b: 2 });
  }, async ({ origin, told, recorder }) => {
    using client = await RawClient.connect(origin);
    await client.write(jsonPost('{"a":1}', { host: new URL(origin).host }, "/mcp/../x?y=1"));
    assertEquals((await client.readResponse()).text, '{"b":2}');
    assertEquals(told(), [
      "client request",
      'client data "{\\"a\\":1}"',
      "client end",
      "server response",
      'server data "{\\"b\\":2}"',
      "server end",
    ]);
    const [request] = recorder.recording().entries;
    assert(request?.type === "request");
    assertEquals([request.method, request.target], ["POST", "/mcp/../x?y=1"]);
  }));

Deno.test("tap() hands on the target as it was written, and the signal", () =>
  withTap(
    (request) => Promise.resolve(text(`${request.target} ${request.signal.aborted}`)),
    async ({ origin }) => {
      using client = await RawClient.connect(origin);
      await client.write(jsonPost("{}", { host: new URL(origin).host }, "/a/../b"));
      assertEquals((await client.readResponse()).text, "/a/../b false");
    },
  ));

Deno.test("tap() keeps the framing of an answer: a length where there was one", () =>
  withTap((request) => {
    if (request.target === "/stream") {
      const left = ["A", "B"];
      return Promise.resolve(events(() => Promise.resolve(left.shift() ?? null)));
    }
    if (request.target === "/none") {
      return Promise.resolve({ status: 204, fields: new Fields(), body: null });
    }
    return Promise.resolve(json({ b: 2 }));
  }, async ({ origin }) => {
    const framings: Readonly<Record<string, readonly unknown[]>> = {
      "/bytes": ["7", undefined, '{"b":2}'],
      "/none": [undefined, undefined, ""],
      "/stream": [undefined, "chunked", "AB"],
    };
    for (const [path, framing] of Object.entries(framings)) {
      using client = await RawClient.connect(origin);
      await client.write(`GET ${path} HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n\r\n`);
      const { headers, text } = await client.readResponse();
      assertEquals(
        [headers.get("content-length"), headers.get("transfer-encoding"), text],
        framing,
      );
    }
  }));

Deno.test("tap() delays nothing: the second event is sent when the client has seen the first", () => {
  const seen = Promise.withResolvers<void>();
  let sent = 0;
  const next = async () => {
    if (sent === 1) await seen.promise;
    return ++sent > 2 ? null : `data: ${sent}\n\n`;
  };
  return withTap(() => Promise.resolve(events(next)), async ({ origin, told }) => {
    const response = await fetch(origin);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "data: 1\n\n");
    seen.resolve();
    assertEquals((await reader.read()).value, "data: 2\n\n");
    assert((await reader.read()).done);
    assertEquals(told().slice(2), [
      "server response",
      'server data "data: 1\\n\\n"',
      'server data "data: 2\\n\\n"',
      "server end",
    ]);
  });
});

Deno.test("tap() tells that the client has gone, and lets the handler's source know", () => {
  const discarded = Promise.withResolvers<void>();
  let sent = false;
  const next = () => {
    if (sent) return new Promise<null>(() => {});
    sent = true;
    return Promise.resolve("data: 1\n\n");
  };
  return withTap(
    () => Promise.resolve(events(next, () => discarded.resolve())),
    async ({ origin, told, until }) => {
      const response = await fetch(origin);
      const reader = response.body!.getReader();
      await reader.read();
      await reader.cancel();
      await discarded.promise;
      await until("client abort");
      assertEquals(told(), [
        "client request",
        "server response",
        'server data "data: 1\\n\\n"',
        "client abort",
      ]);
    },
  );
});

Deno.test("tap() tells that the client has gone before there was an answer", () =>
  withTap(
    (request) =>
      new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(text("")))),
    async ({ origin, told, until }) => {
      const client = await RawClient.connect(origin);
      await client.write(`GET / HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n\r\n`);
      await until("client end");
      client.close();
      await until("client abort");
      assertEquals(told(), ["client request", "client abort"]);
    },
  ));

Deno.test("tap() tells that an answer broke off, which the client sees as it was", () => {
  let sent = false;
  const next = () => {
    if (sent) return Promise.reject(new Error("broken"));
    sent = true;
    return Promise.resolve("data: 1\n\n");
  };
  return withTap(() => Promise.resolve(events(next)), async ({ origin, told }) => {
    using client = await RawClient.connect(origin);
    await client.write(`GET / HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n\r\n`);
    assertEquals((await client.readResponse()).complete, false);
    assertEquals(told().at(-1), "server abort");
  });
});

Deno.test("tap() lets the traffic go on when the recording is full", () =>
  withTap(async (request) => text(await readText(request)), async (tapped) => {
    const big = "x".repeat(5_000);
    for (let count = 0; count < 3; count++) {
      const response = await fetch(tapped.origin, { method: "POST", body: big });
      assertEquals(await response.text(), big);
    }
    assertEquals(tapped.recorder.recording().truncated, true);
    assertEquals(tapped.told(), ["client request"]);
  }, 2_000));

Deno.test("tap() keeps back-pressure: it reads a source no faster than its reader", async () => {
  let made = 0;
  const recorder = new Recorder({
    clock: systemClock,
    maxBytes: 100_000,
    hosts: [],
    onLimit: () => {},
  });
  const handler = tap(
    () => Promise.resolve(events(() => Promise.resolve(`${made++}`.padStart(1_000)))),
    recorder,
  );
  const { body } = await handler({
    method: "GET",
    target: "/",
    headers: new Fields(),
    signal: new AbortController().signal,
    body: () => new Uint8Array(),
  });
  assert(body !== null && !(body instanceof Uint8Array));
  for (let count = 1; count <= 5; count++) {
    await body.next();
    assertEquals(made, count);
  }
  body.discard();
  assertEquals(recorder.recording().entries.at(-1)?.type, "abort");
});
