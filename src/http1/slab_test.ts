import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { cutBytes, cutCopy, MAX_CUT_BYTES, SLAB_BYTES } from "./slab.ts";

Deno.test("no two pieces share a byte, whatever their lengths", () => {
  const lengths = Array.from({ length: 200 }, (_, at) => (at * 37) % (MAX_CUT_BYTES + 50));
  const pieces = lengths.map(cutBytes);
  pieces.forEach((piece, at) => {
    assertEquals(piece.length, lengths[at]);
    piece.fill(at);
  });
  pieces.forEach((piece, at) => assert(piece.every((byte) => byte === at % 256), "it was changed"));
});

Deno.test("many small pieces stand in one slab, a large one has memory of its own", () => {
  const small = Array.from({ length: 64 }, () => cutBytes(100));
  assert(new Set(small.map(({ buffer }) => buffer)).size <= 2);
  for (const { buffer } of small) assertEquals(buffer.byteLength, SLAB_BYTES);
  const large = cutBytes(MAX_CUT_BYTES + 1);
  assertEquals(large.buffer.byteLength, MAX_CUT_BYTES + 1);
});

Deno.test("what is written nowhere any more does not stay: a slab is left when it is full", () => {
  const first = cutBytes(MAX_CUT_BYTES);
  for (let cut = 0; cut <= SLAB_BYTES; cut += MAX_CUT_BYTES) cutBytes(MAX_CUT_BYTES);
  assert(cutBytes(1).buffer !== first.buffer);
  const second = cutBytes(1);
  assertStrictEquals(cutBytes(1).buffer, second.buffer);
});

Deno.test("a copy is of its own, whatever is cut behind it", () => {
  const from = new Uint8Array(MAX_CUT_BYTES);
  const copies = Array.from({ length: 100 }, (_, at) => {
    from.fill(at + 1);
    return cutCopy(from, at * 10);
  });
  cutBytes(50).fill(0);
  copies.forEach((copy, at) => {
    assertEquals(copy.length, at * 10);
    assert(copy.every((byte) => byte === at + 1), `copy ${at} was changed`);
    assertEquals(copy.buffer.byteLength, SLAB_BYTES);
  });
});
