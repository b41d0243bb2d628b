import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Deadlines } from "../deadlines.ts";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { RawClient } from "../testing/raw_client.ts";
import { testServer } from "../testing/server.ts";
import { RequestBody } from "./request_body.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (from: Uint8Array) => new TextDecoder().decode(from);

Deno.test("a body is told from what stands behind it, in whatever pieces it comes (RFC 9112 6.3)", async () => {
  // The second piece of the last is as long as the whole body, and is not all of it.
  for (const pieces of [["abcde"], ["abcdeGET /"], ["ab", "cde"], ["ab", "cdeGE"]]) {
    const body = new RequestBody({ kind: "length", bytes: 5 }, 100);
    const behind = pieces.map((piece) => text(body.take(bytes(piece)))).join("");
    const read = await body.read(new Deadlines(new ManualClock(), 1_000), 1_000);
    assertEquals([text(read), body.done, `${text(read)}${behind}`], [
      "abcde",
      true,
      pieces.join(""),
    ]);
  }
});

Deno.test("a body that comes in one piece is read before or after it has come, once it is whole", async () => {
  const deadlines = new Deadlines(new ManualClock(), 1_000);
  const framing = { kind: "length", bytes: 5 } as const;
  const early = new RequestBody(framing, 5);
  const reading = early.read(deadlines, 1_000);
  assertEquals(early.take(bytes("abcde")).length, 0);
  assertEquals([text(await reading), early.done, deadlines.size], ["abcde", true, 0]);
  const late = new RequestBody(framing, 5);
  late.take(bytes("abcde"));
  assertEquals([text(await late.read(deadlines, 1_000)), deadlines.size], ["abcde", 0]);
});

Deno.test("a body that comes in one piece is refused where it is too large, or its client has gone", async () => {
  const deadlines = new Deadlines(new ManualClock(), 1_000);
  const framing = { kind: "length", bytes: 5 } as const;
  const large = new RequestBody(framing, 4);
  large.take(bytes("abcde"));
  const { kind } = assertThrows(() => void large.read(deadlines, 1_000), ProxyError);
  assertEquals([kind, large.done], ["payload_too_large", true]);
  const broken = new RequestBody(framing, 5);
  const reading = broken.read(deadlines, 1_000);
  broken.fail(new ProxyError("client_closed", "gone"));
  await assertRejects(() => Promise.resolve(reading), ProxyError, "gone");
  assertEquals(broken.take(bytes("abcde")).length, 0);
  assertEquals(deadlines.size, 0);
});

Deno.test("R32 a body in many pieces holds none of the memory that they were read into", async () => {
  const size = 300_000;
  const whole = Uint8Array.from({ length: size }, (_, at) => 97 + at % 26);
  const chunk = (at: number, to: number) => {
    const data = text(whole.subarray(at, to));
    return bytes(`${data.length.toString(16)};some-extension\r\n${data}\r\n`);
  };
  for (const kind of ["length", "chunked"] as const) {
    const framing = kind === "length" ? { kind, bytes: size } : { kind };
    const body = new RequestBody(framing, size);
    const reading = body.read(new Deadlines(new ManualClock(), 1_000), 1_000);
    let last: Uint8Array<ArrayBuffer> = new Uint8Array();
    for (let at = 0, length = 1; at < size; at += length, length = length * 7 % 1_009) {
      const to = Math.min(size, at + length);
      const piece = kind === "chunked" ? chunk(at, to) : whole.slice(at, to);
      assertEquals(body.take(piece).length, 0);
      // What is kept of an earlier piece is a copy by now: its own memory may go.
      last.fill(0);
      last = piece;
    }
    if (kind === "chunked") body.take(bytes("0\r\n\r\n"));
    const read = await reading;
    assertEquals(text(read) === text(whole), true);
    assertEquals(read.buffer.byteLength, size);
  }
});

Deno.test("R32 a body that comes in one piece, whole or as one chunk, is not copied", async () => {
  for (const kind of ["length", "chunked"] as const) {
    const framing = kind === "length" ? { kind, bytes: 5 } : { kind };
    const body = new RequestBody(framing, 100);
    const piece = bytes(kind === "length" ? "abcde" : "5\r\nabcde\r\n0\r\n\r\n");
    body.take(piece);
    const read = await body.read(new Deadlines(new ManualClock(), 1_000), 1_000);
    assertEquals([text(read), read.buffer === piece.buffer], ["abcde", true]);
  }
});

Deno.test("a body that comes behind its head keeps no memory but its own", async () => {
  const memory: number[] = [];
  await using server = testServer(async (request) => {
    const body = await request.body();
    memory.push(body.buffer.byteLength - body.length);
    return { status: 200, fields: new Fields(), body: bytes(body.length.toString()) };
  });
  using client = await RawClient.connect(server.origin);
  for (const length of [10, 500, 1_000]) {
    await client.write(
      `POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`,
    );
    // It asks for the body, so the head was read without it.
    assertEquals((await client.readHead()).status, 100);
    await client.write("x".repeat(length));
    assertEquals((await client.readResponse()).text, length.toString());
  }
  assertEquals(memory, [0, 0, 0]);
});
