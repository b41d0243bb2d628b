/**
 * The tap over real sockets: it tells everything and changes nothing.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../clock.ts";
import { jsonPost, RawClient } from "../testing/mod.ts";
import { Recorder } from "./recorder.ts";
import { type Handler, tap } from "./tap.ts";

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
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, tap(handler, recorder));
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
    await test({ origin: `http://127.0.0.1:${server.addr.port}`, recorder, told, until });
  } finally {
    await server.shutdown();
  }
}

const SSE = { headers: { "content-type": "text/event-stream" } };

Deno.test("tap() tells heads and bodies of both sides, in the pieces in which they came", () =>
  withTap(async (request) => {
    assertEquals(await request.text(), '{"a":1}');
    return Response.json({ b: 2 });
  }, async ({ origin, told, recorder }) => {
    using client = await RawClient.connect(origin);
    const post = jsonPost('{"a":1}', { host: new URL(origin).host }, "/mcp/../x?y=1");
    await client.write(post.subarray(0, -4));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await client.write(post.subarray(-4));
    assertEquals((await client.readResponse()).text, '{"b":2}');
    assertEquals(told(), [
      "client request",
      'client data "{\\"a"',
      'client data "\\":1}"',
      "client end",
      "server response",
      'server data "{\\"b\\":2}"',
      "server end",
    ]);
    const [request] = recorder.recording().entries;
    assert(request?.type === "request");
    assertEquals([request.method, request.target], ["POST", "/mcp/../x?y=1"]);
  }));

Deno.test("tap() hands on the URL as it was written, and the signal", () =>
  withTap(
    (request) => Promise.resolve(new Response(`${request.url} ${request.signal.aborted}`)),
    async ({ origin }) => {
      using client = await RawClient.connect(origin);
      await client.write(jsonPost("{}", { host: new URL(origin).host }, "/a/../b"));
      assertEquals((await client.readResponse()).text, `${origin}/a/../b false`);
    },
  ));

Deno.test("tap() keeps the framing of an answer: a length where there was one", () =>
  withTap((request) => {
    if (request.url.endsWith("/stream")) {
      const pieces = ReadableStream.from([new Uint8Array([65]), new Uint8Array([66])]);
      return Promise.resolve(new Response(pieces.pipeThrough(new TransformStream())));
    }
    if (request.url.endsWith("/none")) return Promise.resolve(new Response(null, { status: 204 }));
    return Promise.resolve(Response.json({ b: 2 }));
  }, async ({ origin }) => {
    const host = new URL(origin).host;
    for (const path of ["/bytes", "/stream", "/none"]) {
      using client = await RawClient.connect(origin);
      await client.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      const { headers, text } = await client.readResponse();
      const framing = [headers.get("content-length"), headers.get("transfer-encoding"), text];
      if (path === "/bytes") assertEquals(framing, ["7", undefined, '{"b":2}']);
      if (path === "/none") assertEquals(framing, [undefined, undefined, ""]);
      if (path === "/stream") assertEquals(framing.at(-1), "AB");
    }
  }));

Deno.test("tap() delays nothing: the second event is sent when the client has seen the first", () => {
  const seen = Promise.withResolvers<void>();
  const body = () =>
    ReadableStream.from((async function* () {
      yield "data: 1\n\n";
      await seen.promise;
      yield "data: 2\n\n";
    })()).pipeThrough(new TextEncoderStream());
  return withTap(() => Promise.resolve(new Response(body(), SSE)), async ({ origin, told }) => {
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

Deno.test("tap() tells that the client has gone, and lets the handler's stream know", () => {
  const cancelled = Promise.withResolvers<void>();
  const body = () =>
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
      cancel: () => cancelled.resolve(),
    });
  return withTap(
    () => Promise.resolve(new Response(body(), SSE)),
    async ({ origin, told, until }) => {
      const response = await fetch(origin);
      const reader = response.body!.getReader();
      await reader.read();
      await reader.cancel();
      await cancelled.promise;
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
      new Promise((resolve) =>
        request.signal.addEventListener("abort", () => resolve(new Response()))
      ),
    async ({ origin, told, until }) => {
      const client = await RawClient.connect(origin);
      await client.write(`GET / HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n\r\n`);
      await until("client end");
      client.close();
      await until("client abort");
      assertEquals(told(), ["client request", "client abort"]);
    },
  ));

Deno.test("tap() tells that an answer broke off, which the client sees as it was", () =>
  withTap(() => {
    let sent = false;
    const body = new ReadableStream({
      pull(controller) {
        if (sent) controller.error(new Error("broken"));
        else controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
        sent = true;
      },
    }, { highWaterMark: 0 });
    return Promise.resolve(new Response(body, SSE));
  }, async ({ origin, told }) => {
    using client = await RawClient.connect(origin);
    await client.write(`GET / HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n\r\n`);
    assertEquals((await client.readResponse()).complete, false);
    assertEquals(told().at(-1), "server abort");
  }));

Deno.test("tap() lets the traffic go on when the recording is full", () =>
  withTap((request) => request.text().then((text) => new Response(text)), async (tapped) => {
    const big = "x".repeat(5_000);
    for (let count = 0; count < 3; count++) {
      const response = await fetch(tapped.origin, { method: "POST", body: big });
      assertEquals(await response.text(), big);
    }
    assertEquals(tapped.recorder.recording().truncated, true);
    assertEquals(tapped.told(), ["client request"]);
  }, 2_000));

Deno.test("tap() keeps back-pressure: it reads a stream no faster than its reader", async () => {
  let made = 0;
  const body = new ReadableStream({
    pull(controller) {
      made++;
      controller.enqueue(new Uint8Array(1_000));
    },
  }, { highWaterMark: 0 });
  const recorder = new Recorder({
    clock: systemClock,
    maxBytes: 100_000,
    hosts: [],
    onLimit: () => {},
  });
  const handler = tap(() => Promise.resolve(new Response(body, SSE)), recorder);
  const response = await handler(new Request("http://x/"));
  const reader = response.body!.getReader();
  for (let count = 1; count <= 5; count++) {
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert(made <= count + 1, `${made} pieces made for ${count} reads`);
  }
  await reader.cancel();
  assertEquals(recorder.recording().entries.at(-1)?.type, "abort");
});
