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

/** Follows the bytes of one stream. */
export class StreamTail {
  /** The pieces of an event that is not over; empty between events. */
  #held: Bytes[] = [];
  #heldBytes = 0;
  /** The three bytes before the next piece; a stream begins where a line does. */
  #before: readonly number[] = [0, 0, LF];
  #last: "answer" | "other" | "unknown" = "other";
  #sawId = false;
  #sawData = false;

  /** Whether the stream stands between two events, so that something may be put in. */
  get between(): boolean {
    return this.#heldBytes === 0;
  }

  /** What the last whole event with data was; unknown where it was too long to be looked into. */
  get last(): "answer" | "other" | "unknown" {
    return this.#last;
  }

  /**
   * Whether an id was seen among what was looked at: the last event with data of each piece, and what
   * stands behind it.
   */
  get sawId(): boolean {
    return this.#sawId;
  }

  /** Whether there was an event with data, as far as events were looked into. */
  get sawData(): boolean {
    return this.#sawData;
  }

  /** Takes the next bytes, which must not change afterwards. */
  feed(bytes: Bytes): void {
    const { length } = bytes;
    const end = this.#blankLineEnd(bytes, length);
    if (end > 0) {
      this.#lookBack(bytes, end);
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

  /** Looks into what ends at the blank line before `end`, and so on back until there is data. */
  #lookBack(bytes: Bytes, end: number): void {
    for (let upTo = end;;) {
      const start = this.#blankLineEnd(bytes, textEnd(bytes, upTo));
      if (start === 0 && this.#heldBytes > MAX_HELD_BYTES) return void (this.#last = "unknown");
      const held = start === 0 ? this.#held : [];
      if (this.#look([...held, bytes.subarray(start, upTo)]) || start === 0) return;
      upTo = start;
    }
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

  /** Whether there is data, without which it is no event. */
  #look(pieces: readonly Bytes[]): boolean {
    const decoder = new TextDecoder();
    const texts = pieces.map((piece) => decoder.decode(piece, { stream: true }));
    let data: string | undefined;
    for (const line of texts.join("").split(/\r\n|\n|\r/)) {
      if (line.startsWith("id:") || line === "id") this.#sawId = true;
      else if (line.startsWith("data:") || line === "data") {
        data = `${data ?? ""}${line.slice(5)}\n`;
      }
    }
    if (data === undefined) return false;
    this.#sawData = true;
    this.#last = isAnswer(data) ? "answer" : "other";
    return true;
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
