/**
 * The requests that a stream still has to answer.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const decoder = new TextDecoder();

const NONE: readonly string[] = [];

/** How requests and notifications of the SDKs begin; what begins so is no response. */
const METHOD = new TextEncoder().encode('{"method"');
const VERSION_AND_METHOD = new TextEncoder().encode('{"jsonrpc":"2.0","method"');

/** Requests by the exact texts of their ids. */
export class Pending {
  readonly #idTexts: Set<string>;

  /** Requests that have no answer. */
  constructor(idTexts: readonly string[]) {
    this.#idTexts = new Set(idTexts);
  }

  /** How many have no answer. */
  get size(): number {
    return this.#idTexts.size;
  }

  /**
   * Takes the data of an event: if it holds answers, those requests have theirs.
   *
   * @returns which
   */
  settle(data: Bytes): readonly string[] {
    if (this.#idTexts.size === 0 || data.length === 0) return NONE;
    if (beginsWith(data, data[2] === METHOD[2] ? METHOD : VERSION_AND_METHOD)) return NONE;
    return answeredIds(decoder.decode(data)).flatMap((id) => this.#settle(id));
  }

  /** All that have no answer. */
  all(): readonly string[] {
    return [...this.#idTexts];
  }

  /** All that have no answer; they count as answered from now on. */
  takeAll(): readonly string[] {
    const all = [...this.#idTexts];
    this.#idTexts.clear();
    return all;
  }

  #settle(id: unknown): readonly string[] {
    // Where there is one request the answer is to it, however the server spells the id.
    if (this.#idTexts.size === 1) return this.takeAll();
    for (const idText of this.#idTexts) {
      if (JSON.parse(idText) !== id) continue;
      this.#idTexts.delete(idText);
      return [idText];
    }
    return NONE;
  }
}

function beginsWith(data: Bytes, beginning: Uint8Array): boolean {
  if (data.length < beginning.length) return false;
  for (let at = 0; at < beginning.length; at++) if (data[at] !== beginning[at]) return false;
  return true;
}

/** The ids of the responses in the data of an event; none where it holds no JSON-RPC (R47). */
function answeredIds(text: string): unknown[] {
  if (!text.includes('"result"') && !text.includes('"error"')) return [];
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).flatMap((message) => {
      if (typeof message !== "object" || message === null || !("id" in message)) return [];
      return "result" in message || "error" in message ? [message.id] : [];
    });
  } catch {
    return [];
  }
}
