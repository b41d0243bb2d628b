/**
 * What the end of an event stream that passes as bytes tells: whether it stands between two events, and
 * whether the last event was an answer. Looks at the end of what came, not at every event. Pure.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const LF = 10;
const CR = 13;

/** An event longer than this, that came in several pieces, is not looked into. */
const MAX_HELD_BYTES = 65_536;

const decoder = new TextDecoder();

/** Follows the bytes of one stream. */
export class StreamTail {
  /** The pieces of an event that is not over; empty between events. */
  #held: Bytes[] = [];
  #heldBytes = 0;
  /** The three bytes before the next piece. */
  #before: readonly number[] = [0, 0, 0];
  #last: "answer" | "other" | "unknown" = "other";
  #sawId = false;

  /** Whether the stream stands between two events, so that something may be put in. */
  get between(): boolean {
    return this.#heldBytes === 0;
  }

  /** What the last whole event was; unknown where it was too long to be looked into. */
  get last(): "answer" | "other" | "unknown" {
    return this.#last;
  }

  /** Whether an event with an id was seen among those that were looked at: the last of each piece. */
  get sawId(): boolean {
    return this.#sawId;
  }

  /** Takes the next bytes, which must not change afterwards. */
  feed(bytes: Bytes): void {
    const { length } = bytes;
    const end = this.#blankLineEnd(bytes, length);
    if (end > 0) {
      const start = this.#blankLineEnd(bytes, textEnd(bytes, end));
      if (start > 0) this.#look([bytes.subarray(start, end)]);
      else if (this.#heldBytes > MAX_HELD_BYTES) this.#last = "unknown";
      else this.#look([...this.#held, bytes.subarray(0, end)]);
      this.#held = [];
      this.#heldBytes = 0;
    }
    if (end < length) {
      this.#heldBytes += length - end;
      if (this.#heldBytes <= MAX_HELD_BYTES) this.#held.push(bytes.subarray(end));
      else this.#held = [];
    }
    this.#before = [-3, -2, -1].map((back) => this.#at(bytes, length + back));
  }

  /** Index behind the last blank line that ends before `end`; 0 where there is none. */
  #blankLineEnd(bytes: Bytes, end: number): number {
    for (let at = end - 1; at >= 0; at--) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) continue;
      const previous = this.#at(bytes, at - 1);
      const before = byte === LF && previous === CR ? this.#at(bytes, at - 2) : previous;
      if (before === LF || before === CR) return at + 1;
    }
    return 0;
  }

  #at(bytes: Bytes, index: number): number {
    return index >= 0 ? bytes[index]! : this.#before[3 + index] ?? 0;
  }

  #look(pieces: readonly Bytes[]): void {
    const text = pieces.map((piece) => decoder.decode(piece)).join("");
    let data = "";
    for (const line of text.split(/\r\n|\n|\r/)) {
      if (line.startsWith("id:") || line === "id") this.#sawId = true;
      else if (line.startsWith("data:")) data += line.slice(5) + "\n";
    }
    // A comment is no event.
    if (data !== "") this.#last = isAnswer(data) ? "answer" : "other";
  }
}

/** Whether text is a JSON-RPC response, or a batch with one. */
export function isAnswer(text: string): boolean {
  if (!text.includes('"result"') && !text.includes('"error"')) return false;
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).some((message) =>
      typeof message === "object" && message !== null && "id" in message &&
      ("result" in message || "error" in message)
    );
  } catch {
    return false;
  }
}

/** Index behind the last byte before `end` that ends no line. */
function textEnd(bytes: Bytes, end: number): number {
  let at = end;
  while (at > 0 && (bytes[at - 1] === LF || bytes[at - 1] === CR)) at--;
  return at;
}
