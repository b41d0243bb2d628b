import { assertEquals, assertRejects } from "@std/assert";
import { HttpFormatError } from "./http_message.ts";
import { BodyCollector, type ByteSource, HttpReader, writeAll } from "./http_reader.ts";

/** A source that gives the text in pieces of one size and then ends. */
function sourceOf(text: string, pieceBytes: number): ByteSource {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return {
    read(into) {
      if (at === bytes.length) return Promise.resolve(null);
      const count = Math.min(pieceBytes, into.length, bytes.length - at);
      into.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
}

const message = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

Deno.test("HttpReader reads one message after the other wherever the reads are cut", async () => {
  for (let pieceBytes = 1; pieceBytes <= message.length * 3; pieceBytes += 3) {
    const reader = new HttpReader(sourceOf(message.repeat(3), pieceBytes), 64);
    for (let count = 0; count < 3; count++) {
      const head = await reader.readHead(new Set(["content-length"]));
      assertEquals(head?.fields.get("content-length"), "5");
      const body = new BodyCollector(16);
      await reader.readBody(5, body.sink);
      assertEquals(body.text(), "hello");
    }
    assertEquals(await reader.readHead(new Set()), null);
  }
});

Deno.test("HttpReader ends with an error on a cut message and on a head over its buffer", async () => {
  const cutHead = new HttpReader(sourceOf("HTTP/1.1 200", 64), 64);
  await assertRejects(() => cutHead.readHead(new Set()), HttpFormatError, "inside a head");
  const cutBody = new HttpReader(sourceOf("abc", 64), 64);
  await assertRejects(() => cutBody.readBody(5, () => {}), HttpFormatError, "inside a body");
  const long = new HttpReader(sourceOf("x".repeat(100), 7), 64);
  await assertRejects(() => long.readHead(new Set()), HttpFormatError, "larger than the buffer");
});

Deno.test("BodyCollector refuses a body over its capacity and can be used again", () => {
  const body = new BodyCollector(4);
  body.sink(new TextEncoder().encode("abcd"));
  assertEquals(body.length, 4);
  let refused = false;
  try {
    body.sink(new Uint8Array(1));
  } catch (error) {
    refused = error instanceof HttpFormatError;
  }
  assertEquals(refused, true);
  body.reset();
  body.sink(new TextEncoder().encode("x"));
  assertEquals(body.text(), "x");
});

Deno.test("writeAll() goes on after a partial write", async () => {
  let written = "";
  const target = {
    write(bytes: Uint8Array): Promise<number> {
      written += new TextDecoder().decode(bytes.subarray(0, 2));
      return Promise.resolve(Math.min(2, bytes.length));
    },
  };
  await writeAll(target, new TextEncoder().encode("hello"));
  assertEquals(written, "hello");
});
