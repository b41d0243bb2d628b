/**
 * Stdin as lines, each within a cap.
 *
 * @module
 */

import { LineReader } from "../channel/mod.ts";
import type { Bytes } from "../http/mod.ts";

/** The lines of `input`, without their ends and without blank ones; undefined for one of more than `maxBytes`. */
export async function* linesOf(
  input: ReadableStreamDefaultReader<Bytes>,
  maxBytes: number,
): AsyncGenerator<Bytes | undefined> {
  // A line that is cut has one byte more than a line may have: that is what tells it.
  const lines = new LineReader(maxBytes + 1, "cut");
  const within = (line: Bytes) => line.length > maxBytes ? undefined : line;
  for (let read = await input.read(); !read.done; read = await input.read()) {
    for (const line of lines.feed(read.value)) if (!isBlank(line)) yield within(line);
  }
  // A client that closes stdin may have left the end of its last line out.
  const rest = lines.rest();
  if (rest !== undefined && !isBlank(rest)) yield within(rest);
}

const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

function isBlank(line: Bytes): boolean {
  return line.every((byte) => SPACES.has(byte));
}
