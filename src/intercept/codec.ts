/**
 * JSON-RPC messages as values and back, with every number as it was written (R24).
 *
 * `JSON.parse` makes 9007199254740992 of 9007199254740993 and 1 of 1.0. Here such a number becomes
 * an `ExactNumber`, which is written back as it came. Texts without such numbers, nearly all, are
 * parsed by `JSON.parse` alone: its reviver costs seven times as much.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { nestingWithin } from "../json/mod.ts";
import type { JsonRpcMessage } from "./types.ts";

/** What V8 has and TypeScript does not know yet. */
const ExactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

/**
 * A number that JavaScript would write in another way than it came: too large, too exact, `1.0`,
 * `1e3`, `-0`. It calculates and compares as the nearest number.
 */
export class ExactNumber {
  /** The number as it was written. */
  readonly source: string;

  /** Of a text that is a JSON number. */
  constructor(source: string) {
    this.source = source;
    Object.freeze(this);
  }

  /** The nearest JavaScript number. */
  valueOf(): number {
    return Number(this.source);
  }

  /** The number as it was written. */
  toString(): string {
    return this.source;
  }

  /** For `JSON.stringify`, which writes the number as it came. */
  toJSON(): unknown {
    return ExactJson.rawJSON(this.source);
  }
}

/** Deepest nesting of arrays and objects in a message that interceptors look at. */
export const MAX_MESSAGE_DEPTH = 512;

/**
 * Finds every number that might not come back as it was written, and some that would: those with a
 * fraction, an exponent, 16 digits or more, or a minus before a 0, also where they stand in a string.
 */
const PERHAPS_INEXACT = /(?:^|[[:,\s])-?(?:(?<=-)0|\d{16}|\d{1,15}[.eE])/;

/**
 * Parses a text into frozen messages: one, or those of a batch.
 *
 * @throws {ProxyError} `parse_error` where it is not JSON or nested too deep, `invalid_request`
 * where what it holds are no objects (R47: what then happens is for the caller to say).
 */
export function parseMessages(
  text: string,
): { readonly batch: boolean; readonly messages: readonly JsonRpcMessage[] } {
  // A text cannot nest deeper than it is long.
  if (text.length > MAX_MESSAGE_DEPTH && !nestingWithin(text, MAX_MESSAGE_DEPTH)) {
    throw new ProxyError(
      "parse_error",
      `The message nests arrays and objects more than ${MAX_MESSAGE_DEPTH} deep, which is the limit for interceptors.`,
    );
  }
  const value = parseExactly(text);
  const batch = Array.isArray(value);
  const messages: unknown[] = batch ? value : [value];
  if (messages.length === 0 || !messages.every(isMessage)) {
    throw new ProxyError("invalid_request", "A JSON-RPC message must be a JSON object.");
  }
  for (const message of messages) freezeDeep(message);
  return { batch, messages: messages as JsonRpcMessage[] };
}

/** A message as text. */
export function stringifyMessage(message: JsonRpcMessage): string {
  return JSON.stringify(message);
}

function parseExactly(text: string): unknown {
  try {
    return PERHAPS_INEXACT.test(text) ? ExactJson.parse(text, keepExact) : JSON.parse(text);
  } catch {
    // What the parser says quotes the message, of which nothing may stand in a log (R96).
    throw new ProxyError("parse_error", "The message is not valid JSON.");
  }
}

function keepExact(_key: string, value: unknown, { source }: { readonly source?: string }) {
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  return new ExactNumber(source);
}

function isMessage(value: unknown): value is JsonRpcMessage {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof ExactNumber);
}

/** Freezes what `JSON.parse` made. */
function freezeDeep(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return;
  const children: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const child of children) freezeDeep(child);
  Object.freeze(value);
}
