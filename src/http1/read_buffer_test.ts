import { assertEquals } from "@std/assert";
import { ReadBuffer } from "./read_buffer.ts";
import { SLAB_BYTES } from "./slab.ts";

/** The sizes of the targets of reads that fill so many bytes each, as far as there is room. */
function sizes(lengths: readonly number[]): number[] {
  const buffer = new ReadBuffer();
  return lengths.map((length) => {
    const size = buffer.target().length;
    buffer.taken(Math.min(size, length), true);
    return size;
  });
}

Deno.test("ReadBuffer grows while reads fill it, up to 64 KiB, and shrinks when little comes", () => {
  const much = Array(6).fill(100_000);
  assertEquals(sizes(much), [1_024, 4_096, 16_384, 65_536, 65_536, 65_536]);
  const little = sizes([...much, ...Array(8).fill(10)]).slice(6);
  assertEquals(little, [65_536, 65_536, 16_384, 4_096, 1_024, 1_024, 1_024, 1_024]);
});

Deno.test("ReadBuffer learns the size of messages that come again and again", () => {
  // The first does not fit; the others are read at once.
  assertEquals(sizes([1_500, 476, 1_500, 1_500, 1_500]), [1_024, 4_096, 4_096, 4_096, 4_096]);
});

Deno.test("ReadBuffer hands out memory of its own", () => {
  for (const isFirst of [true, false]) {
    const buffer = new ReadBuffer();
    const taken = [1, 2, 3].map((byte) => {
      buffer.target()[0] = byte;
      return buffer.taken(1, isFirst);
    });
    assertEquals(taken.map((bytes) => [...bytes]), [[1], [2], [3]]);
  }
});

Deno.test("ReadBuffer cuts what begins a message from a slab, and nothing else: that may wait", () => {
  const buffer = new ReadBuffer();
  const memory = (isFirst: boolean) => {
    buffer.target();
    return buffer.taken(10, isFirst).buffer.byteLength;
  };
  assertEquals([memory(true), memory(false), memory(true)], [SLAB_BYTES, 10, SLAB_BYTES]);
});
