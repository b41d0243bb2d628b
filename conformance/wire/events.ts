/**
 * Server-sent events off the wire, block by block, with nothing thrown away: also comments, blocks
 * without data (the priming event of 2025-11-25) and `retry` are told. By the grammar of the HTML
 * standard, section 9.2.5.
 *
 * @module
 */

import type { Body } from "./reader.ts";

/** What stood between two empty lines. */
export interface Block {
  /** The `event` field; "message" where there was none. */
  readonly event: string;
  /** The `data` lines joined by LF; null where there was no such line. */
  readonly data: string | null;
  readonly id: string | null;
  readonly retry: string | null;
  readonly comments: readonly string[];
}

/** Splits text into blocks. */
export class BlockParser {
  #line = "";
  #afterCr = false;
  #start = true;
  #lines: string[] = [];

  /** The blocks that `text` completes. */
  push(text: string): Block[] {
    const blocks: Block[] = [];
    for (const character of text) {
      if (this.#start) {
        this.#start = false;
        if (character === "\uFEFF") continue;
      }
      if (character === "\n" && this.#afterCr) {
        this.#afterCr = false;
        continue;
      }
      this.#afterCr = character === "\r";
      if (character !== "\r" && character !== "\n") {
        this.#line += character;
        continue;
      }
      if (this.#line !== "") this.#lines.push(this.#line);
      else if (this.#lines.length > 0) blocks.push(this.#finish());
      this.#line = "";
    }
    return blocks;
  }

  #finish(): Block {
    const lines = this.#lines.splice(0).map((line) => {
      const colon = line.indexOf(":");
      if (colon === -1) return [line, ""] as const;
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")] as const;
    });
    const values = (name: string) => lines.filter(([key]) => key === name).map(([, text]) => text);
    const data = values("data");
    return {
      event: values("event").at(-1) || "message",
      data: data.length === 0 ? null : data.join("\n"),
      id: values("id").at(-1) ?? null,
      retry: values("retry").at(-1) ?? null,
      comments: values(""),
    };
  }
}

/** Reads the events of an answer. */
export class EventReader {
  readonly #body: Body;
  readonly #parser = new BlockParser();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #waiting: Block[] = [];

  constructor(body: Body) {
    this.#body = body;
  }

  /** The next block; null at the end of the stream. */
  async next(): Promise<Block | null> {
    while (this.#waiting.length === 0) {
      const piece = await this.#body.next();
      if (piece === null) return null;
      this.#waiting.push(...this.#parser.push(this.#decoder.decode(piece, { stream: true })));
    }
    return this.#waiting.shift()!;
  }

  /** The next block that carries data, as a browser would see it; comments alone are passed over. */
  async nextEvent(): Promise<Block | null> {
    for (;;) {
      const block = await this.next();
      if (block === null || block.data !== null) return block;
    }
  }
}
