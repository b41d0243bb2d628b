/**
 * Event streams that are changed while they pass. Text here is Latin-1, so that no byte is lost.
 *
 * @module
 */

import { binary } from "../wire/mod.ts";
import type { AnswerChange, AnswerHead, Damage, Followed, StreamChange } from "./damage.ts";
import { fieldOf, unbinary } from "./message.ts";

/** Whether an answer is an event stream. */
export function isStream({ fields }: AnswerHead): boolean {
  return fieldOf(fields, "content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
}

/** Whether an event is the proxy's own error in place of an answer that did not come. */
export function tellsOfFailure(block: string): boolean {
  return block.includes('"code":-31502');
}

/** Does something to each event stream on its way to the client. */
export function onStreams(change: (head: AnswerHead) => AnswerChange): Damage {
  return { answer: (head) => isStream(head) ? change(head) : undefined };
}

const BLOCK_END = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))/g;

/** Splits text into blocks, each with the empty line that ends it; linear in what it is given. */
class BlockSplitter {
  #open: string[] = [];
  #tail = "";

  /** The blocks that `text` completes. */
  push(text: string): string[] {
    const whole: string[] = [];
    let done = -this.#tail.length;
    for (const match of (this.#tail + text).matchAll(BLOCK_END)) {
      const end = match.index + match[0].length - this.#tail.length;
      whole.push(this.#open.splice(0).join("") + text.slice(Math.max(0, done), end));
      done = end;
    }
    const rest = text.slice(Math.max(0, done));
    if (rest !== "") this.#open.push(rest);
    this.#tail = done > 0 ? rest.slice(-3) : (this.#tail + text).slice(-3);
    return whole;
  }

  /** What belongs to no whole block. */
  get open(): string {
    return this.#open.join("");
  }
}

/** Where a block stands in its stream. */
export interface Place {
  /** Counted from 0. */
  readonly number: number;
  /** Whether the stream ends behind it. */
  readonly last: boolean;
  /** What follows the piece that completes it. */
  readonly followed: Followed;
}

/** Changes a stream block by block. */
export function blocks(change: (block: string, place: Place) => string): StreamChange {
  const splitter = new BlockSplitter();
  let number = 0;
  return {
    push(piece, followed) {
      const whole = splitter.push(binary(piece));
      const ends = whole.length > 0 && followed === "end" && splitter.open === "";
      const changed = whole.map((block, at) => {
        const last = ends && at === whole.length - 1;
        return change(block, { number: number++, last, followed });
      });
      return [unbinary(changed.join(""))];
    },
    end: () => [unbinary(splitter.open)],
  };
}

/** Changes a stream line by line; lines are given without their ends. */
export function lines(change: (line: string) => string | null): StreamChange {
  return blocks((block) =>
    block.replaceAll(/([^\r\n]+)(\r\n|\n|\r)/g, (_, line: string, end: string) => {
      const changed = change(line);
      return changed === null ? "" : changed + end;
    })
  );
}

/** Changes a stream piece by piece as text. */
export function pieces(change: (piece: string) => string): StreamChange {
  return { push: (piece) => [unbinary(change(binary(piece)))] };
}
