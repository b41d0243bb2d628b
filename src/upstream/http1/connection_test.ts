import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { streamOf } from "../../http/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import { SLAB_BYTES } from "../../http1/slab.ts";
import { HIGH_WATER_BYTES } from "../answer_body.ts";
import type { HttpAnswer, HttpRequest } from "../http_client.ts";
import { Call } from "./call.ts";
import { Connection } from "./connection.ts";

/** A socket that fills every read to the brim from `answers`, one answer for each request written. */
function fakeSocket(answers: readonly string[]) {
  let text = "";
  let number = 0;
  let wake: (() => void) | undefined;
  let isClosed = false;
  const socket = {
    async read(target: Uint8Array): Promise<number | null> {
      while (text === "" && !isClosed) await new Promise<void>((resolve) => wake = resolve);
      if (isClosed) return null;
      const { written } = new TextEncoder().encodeInto(text, target);
      text = text.slice(written);
      return written;
    },
    write(bytes: Uint8Array): Promise<number> {
      text += answers[number++];
      wake?.();
      return Promise.resolve(bytes.length);
    },
    close() {
      isClosed = true;
      wake?.();
    },
  };
  return socket as unknown as Deno.Conn;
}

function call(clock: ManualClock, onWhole?: HttpRequest["onWhole"]): Call {
  return new Call({
    onWhole,
    method: "POST",
    path: "/",
    fields: [],
    body: null,
    signal: new AbortController().signal,
    timeouts: { headersMs: 1_000, totalMs: 1_000, bodyIdleMs: 1_000, streamIdleMs: 1_000 },
  }, clock);
}

Deno.test("a connection whose answer ended while it was held back serves again", async () => {
  // The last read takes more than waits for a reader, and the end of the answer with it.
  const length = HIGH_WATER_BYTES + 20_000;
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${"x".repeat(length)}`;
  const clock = new ManualClock();
  let free = 0;
  const events = { streaming: () => {}, free: () => void free++, gone: () => {} };
  const connection = new Connection(fakeSocket([answer, answer, answer]), "x", clock, events);
  for (let count = 1; count <= 3; count++) {
    const { body } = await connection.exchange(call(clock));
    await new Promise<void>((resolve) => body.whenOver(() => resolve()));
    assertEquals((await new Response(streamOf(body)).text()).length, length);
    assertEquals(free, count);
  }
  connection.close();
});

Deno.test("what follows the beginning of a body has memory of its own, and a next answer is cut again", async () => {
  const reads: string[] = [];
  let wake: (() => void) | undefined;
  let isClosed = false;
  const socket = {
    async read(target: Uint8Array): Promise<number | null> {
      while (reads.length === 0 && !isClosed) await new Promise<void>((done) => wake = done);
      return isClosed ? null : new TextEncoder().encodeInto(reads.shift()!, target).written;
    },
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {
      isClosed = true;
      wake?.();
    },
  } as unknown as Deno.Conn;
  const clock = new ManualClock();
  const events = { streaming: () => {}, free: () => {}, gone: () => {} };
  const connection = new Connection(socket, "x", clock, events);
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
  const memoryOf = async (...pieces: string[]) => {
    reads.push(...pieces);
    wake?.();
    const { body } = await connection.exchange(call(clock));
    const memory: number[] = [];
    for (let read = await body.next(); read !== null; read = await body.next()) {
      memory.push(...read.map(({ buffer }) => buffer.byteLength));
    }
    return memory;
  };
  assertEquals(await memoryOf(head + "01234", "56789"), [SLAB_BYTES, 5]);
  assertEquals(await memoryOf(head + "0123456789"), [SLAB_BYTES]);
  assertEquals(await memoryOf(head + "01", "23", "456789"), [SLAB_BYTES, 2, 6]);
  connection.close();
});

Deno.test("a whole answer is told before its connection is free, one that goes on is not told", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
  const long = `HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n${"x".repeat(4_000)}`;
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
  const clock = new ManualClock();
  const order: unknown[] = [];
  const events = { streaming: () => {}, free: () => void order.push("free"), gone: () => {} };
  const socket = fakeSocket([`${head}{}`, long, chunked, `${head}[]`]);
  const connection = new Connection(socket, "x", clock, events);
  const answers: HttpAnswer[] = [];
  for (let count = 0; count < 4; count++) {
    const answer = await connection.exchange(call(clock, (whole) => order.push(whole)));
    answers.push(answer);
    await new Promise<void>((resolve) => answer.body.whenOver(() => resolve()));
  }
  assertEquals(order, [answers[0], "free", "free", "free", answers[3], "free"]);
  connection.close();
});

Deno.test("a connection that is closed takes no request, and says that nothing was sent", async () => {
  const clock = new ManualClock();
  const events = { streaming: () => {}, free: () => {}, gone: () => {} };
  const connection = new Connection(fakeSocket([]), "x", clock, events);
  connection.close();
  const error = await assertRejects(() => connection.exchange(call(clock)), ProxyError);
  assertEquals([error.kind, error.progress], [
    "upstream_closed",
    { requestSent: false, answerBegun: false },
  ]);
});

Deno.test("R8 what comes while nobody has asked closes the connection", async () => {
  const gone = Promise.withResolvers<void>();
  const events = { streaming: () => {}, free: () => {}, gone: () => gone.resolve() };
  const socket = fakeSocket(["HTTP/1.1 200 OK\r\n"]);
  const connection = new Connection(socket, "x", new ManualClock(), events);
  connection.rest();
  await socket.write(new Uint8Array(1));
  await gone.promise;
});

Deno.test("R49 a body that nobody reads is read no further than it is held", async () => {
  const length = 20 * HIGH_WATER_BYTES;
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`;
  const socket = fakeSocket([head + "x".repeat(length)]);
  let taken = 0;
  const counted = {
    read: async (target: Uint8Array) => {
      const read = await socket.read(target);
      taken += read ?? 0;
      return read;
    },
    write: (bytes: Uint8Array) => socket.write(bytes),
    close: () => socket.close(),
  } as unknown as Deno.Conn;
  const clock = new ManualClock();
  const events = { streaming: () => {}, free: () => {}, gone: () => {} };
  const connection = new Connection(counted, "x", clock, events);
  const { body } = await connection.exchange(call(clock));
  // All that goes on by itself has gone on behind one turn of the event loop.
  const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
  await turn();
  assertLess(taken, 3 * HIGH_WATER_BYTES);
  await body.next();
  await turn();
  assertLess(taken, 5 * HIGH_WATER_BYTES);
  assertEquals((await new Response(streamOf(body)).text()).length > 15 * HIGH_WATER_BYTES, true);
  connection.close();
});
