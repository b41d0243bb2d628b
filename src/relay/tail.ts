/**
 * What has passed of an event stream that passes as bytes: whether it stands between two events, whether an
 * answer was among them, and whether a client may come back with an event id. Looks into the last event of what
 * came, and into those before it only where something is in them that is looked for. Pure.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const LF = 10;
const CR = 13;

/** An event longer than this, that came in several pieces, is not looked into. */
const MAX_HELD_BYTES = 65_536;

/** But for its beginning, which mostly tells that it is no answer. */
const BEGINNING_BYTES = 1_024;

/** How requests and notifications of the SDKs begin; what begins so is no response. */
const NO_RESPONSE = /^\s*\{"(?:jsonrpc":"2\.0",")?method"/;

/** What every response has; one pattern, because to look for two texts takes four times as long. */
const PART_OF_ANSWER = /"(?:result|error)"/;

/** Follows the bytes of one stream. */
export class StreamTail {
  /** The pieces of an event that is not over; empty between events; the beginning alone of one too long. */
  #held: Bytes[] = [];
  #heldBytes = 0;
  /** The three bytes before the next piece; a stream begins where a line does. */
  #before: readonly number[] = [0, 0, LF];
  #answered: "yes" | "no" | "unknown" = "no";
  readonly #wantsIds: boolean;
  #sawId = false;
  #sawData = false;

  /** A stream of which nothing has come; `wantsIds` says whether somebody asks for `sawId`. */
  constructor(wantsIds = true) {
    this.#wantsIds = wantsIds;
  }

  /** Whether the stream stands between two events, so that something may be put in. */
  get between(): boolean {
    return this.#heldBytes === 0;
  }

  /** Whether an answer was among the whole events; unknown where one was too long to be looked into. */
  get answered(): "yes" | "no" | "unknown" {
    return this.#answered;
  }

  /** Whether an event had an id to come back with; the last id holds for all events behind it. */
  get sawId(): boolean {
    return this.#sawId;
  }

  /** Whether there was an event with data. */
  get sawData(): boolean {
    return this.#sawData;
  }

  /** Takes the next bytes, which must not change afterwards. */
  feed(bytes: Bytes): void {
    const { length } = bytes;
    const end = this.#blankLineEnd(bytes, length);
    if (end > 0) {
      this.#lookInto(bytes, end);
      this.#held = [];
      this.#heldBytes = 0;
    }
    if (end < length) {
      if (this.#heldBytes <= MAX_HELD_BYTES) this.#held.push(bytes.subarray(end));
      this.#heldBytes += length - end;
      if (this.#heldBytes > MAX_HELD_BYTES) this.#held = [beginningOf(this.#held)];
    }
    this.#before = [-3, -2, -1].map((back) => this.#at(bytes, length + back));
  }

  /** Looks into what ends at the blank line before `end`. */
  #lookInto(bytes: Bytes, end: number): void {
    const isLong = this.#heldBytes > MAX_HELD_BYTES;
    const start = this.#blankLineEnd(bytes, textEnd(bytes, end));
    if (start > 0) {
      const text = textOf([...this.#held, bytes.subarray(0, start)]);
      if (isLong) this.#lookIntoLong(text);
      if (this.#mayTell(text)) this.#look(text);
    }
    const last = textOf([...(start > 0 ? [] : this.#held), bytes.subarray(start, end)]);
    if (start === 0 && isLong) this.#lookIntoLong(last);
    else this.#look(last);
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

  /** Whether something may stand in these events that is not known yet. */
  #mayTell(text: string): boolean {
    if (!this.#sawData) return true;
    if (this.#answered !== "yes" && PART_OF_ANSWER.test(text)) return true;
    if (this.#sawId || !this.#wantsIds) return false;
    return text.startsWith("id:") || text.includes("\nid:") || text.includes("\rid:");
  }

  /** Looks into whole events. */
  #look(text: string): void {
    let data: string | undefined;
    for (const line of text.split(LINE_END)) {
      if (line === "") {
        this.#event(data);
        data = undefined;
      } else if (line.startsWith("data:") || line === "data") {
        data = `${data ?? ""}${line.slice(5)}\n`;
      } else this.#sawId ||= isId(line);
    }
    this.#event(data);
  }

  /** Looks into the beginning of an event that was too long, and what came with its end. */
  #lookIntoLong(text: string): void {
    const lines = text.slice(0, BEGINNING_BYTES).split(LINE_END);
    this.#sawId ||= text.split(LINE_END).slice(0, -1).some(isId);
    const data = lines.find((line) => line.startsWith("data:"));
    if (data !== undefined) this.#sawData = true;
    if (data !== undefined && NO_RESPONSE.test(data.slice(5))) return;
    if (this.#answered === "no") this.#answered = "unknown";
  }

  #event(data: string | undefined): void {
    if (data === undefined) return;
    this.#sawData = true;
    if (this.#answered !== "yes" && isAnswer(data)) this.#answered = "yes";
  }
}

const LINE_END = /\r\n|\n|\r/;

/** Whether a line gives an id; an empty one says that there is none (WHATWG HTML 9.2.6). */
function isId(line: string): boolean {
  return line.startsWith("id:") && line !== "id:" && line !== "id: ";
}

function textOf(pieces: readonly Bytes[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("");
}

/** A copy of the first bytes, so that the rest is not kept. */
function beginningOf(pieces: readonly Bytes[]): Bytes {
  const beginning = new Uint8Array(BEGINNING_BYTES);
  let length = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, BEGINNING_BYTES - length);
    beginning.set(part, length);
    length += part.length;
  }
  return beginning.subarray(0, length);
}

/** Whether text is a JSON-RPC response, or a batch with one. */
export function isAnswer(text: string): boolean {
  if (!PART_OF_ANSWER.test(text) || NO_RESPONSE.test(text)) return false;
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
