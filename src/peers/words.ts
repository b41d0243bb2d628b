/**
 * What both ends of a call say to each other, as text. Pure.
 *
 * @module
 */

import { ERROR_TABLE, type ErrorKind, ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import type { Upstream } from "../upstream/mod.ts";

/** What can be called: the methods of an upstream. */
export type Verb = "exchange" | "notify" | "listen" | "terminate";

/** What is called at the other end. */
export type LocalCalls = Pick<Upstream, Verb>;

/** Longest text of a message: twice what two heads of 64 KiB and a chunk need. */
export const MAX_MESSAGE_CHARACTERS = 262_144;

/** Longest sentence of an error, and longest text of its data; data that are longer are left out. */
const MAX_SENTENCE_CHARACTERS = 4_096;
const MAX_DATA_CHARACTERS = 65_536;

/** What a call begins with. */
export interface Opening {
  /** What is called. */
  readonly service: string;
  /** Its method. */
  readonly verb: Verb;
  /** See `UpstreamCall`. */
  readonly era: "session" | "modern";
  /** Names and values of header fields in turn. */
  readonly fields: readonly string[];
  /** See `UpstreamCall`; null for none. */
  readonly sessionId: string | null;
  /** See `UpstreamCall`. */
  readonly principal: string;
  /** See `UpstreamCall`. */
  readonly query: string;
  /** See `UpstreamCall`; false for left out. */
  readonly lastEventId: string | null | false;
  /** Bytes of the body; -1 for none. */
  readonly size: number;
  /** The first of them. */
  readonly bytes: Bytes;
}

/** An error as one end tells it to the other. */
export interface ToldError {
  /** Its kind. */
  readonly kind: ErrorKind;
  /** Its sentence. */
  readonly message: string;
  /** Names and values of its header fields in turn. */
  readonly headers: readonly string[];
  /** Its data; undefined for none. */
  readonly data?: unknown;
}

/** One message. */
export type Word =
  /** To the holder: the first. */
  | ({ readonly say: "open" } & Opening)
  /** To the caller: nothing with this name is called here. */
  | { readonly say: "unknown" }
  /** To the caller: the head of the answer. */
  | {
    readonly say: "head";
    readonly status: number;
    readonly fields: readonly string[];
    readonly sessionId: string | null;
    readonly kind: "json" | "sse" | "other";
  }
  /** The next bytes of the request or of the answer. */
  | { readonly say: "data"; readonly bytes: Bytes }
  /** So many bytes of the body have been taken, from its beginning. */
  | { readonly say: "taken"; readonly count: number }
  /** I am here. */
  | { readonly say: "beat" }
  /** To the holder: nobody wants it any more. */
  | { readonly say: "cancel" }
  /** To the caller: nothing follows; why, if it broke off or never came to an answer. */
  | { readonly say: "end"; readonly error: ToldError | null };

/** A message with its number in what one end of one call says, which begin with 0. */
export interface Message {
  /** The name of the call. */
  readonly call: string;
  /** The instance that says it. */
  readonly from: string;
  /** Its number. */
  readonly number: number;
  /** What is said. */
  readonly word: Word;
}

type Check = (value: unknown) => boolean;
type Say = Word["say"];

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

const isText: Check = (value) => typeof value === "string";
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTexts: Check = (value) =>
  Array.isArray(value) && value.length % 2 === 0 && value.every(isText);
const oneOf = (...values: unknown[]): Check => (value) => values.includes(value);
const either = (...checks: Check[]): Check => (value) => checks.some((check) => check(value));

/** The members that each word has beside `say`, and what they may be in JSON. */
const MEMBERS: Readonly<Record<Say, Readonly<Record<string, Check>>>> = {
  open: {
    service: isText,
    verb: oneOf("exchange", "notify", "listen", "terminate"),
    era: oneOf("session", "modern"),
    fields: isTexts,
    sessionId: either(isText, oneOf(null)),
    principal: isText,
    query: isText,
    lastEventId: either(isText, oneOf(null, false)),
    size: either(isCount, oneOf(-1)),
    bytes: isText,
  },
  unknown: {},
  head: {
    status: (value) => isCount(value) && (value as number) >= 200 && (value as number) < 600,
    fields: isTexts,
    sessionId: either(isText, oneOf(null)),
    kind: oneOf("json", "sse", "other"),
  },
  data: { bytes: isText },
  taken: { count: isCount },
  beat: {},
  cancel: {},
  end: { error: either(oneOf(null), isToldError) },
};

/** A message as text. */
export function messageText({ call, from, number, word }: Message): string {
  const told = "bytes" in word ? { ...word, bytes: word.bytes.toBase64() } : word;
  return JSON.stringify({ call, from, number, ...told });
}

/** The message of a text, with the members that it has here; undefined for what is none. */
export function parseMessage(text: string): Message | undefined {
  if (text.length > MAX_MESSAGE_CHARACTERS) return undefined;
  const value = parsed(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { call, from, number, say, ...given } = value as Record<string, unknown>;
  if (!isName(call) || !isName(from) || !isCount(number)) return undefined;
  if (typeof say !== "string" || !Object.hasOwn(MEMBERS, say)) return undefined;
  const word: Record<string, unknown> = { say };
  for (const [name, check] of Object.entries(MEMBERS[say as Say])) {
    if (!check(given[name])) return undefined;
    word[name] = given[name];
  }
  if (typeof word.bytes === "string") {
    const bytes = bytesOf(word.bytes);
    if (bytes === undefined) return undefined;
    word.bytes = bytes;
  }
  return { call, from, number: number as number, word: word as unknown as Word };
}

/** An error, as the other end is told it. */
export function toldError({ kind, message, headers, data }: ProxyError): ToldError {
  const isShort = data !== undefined &&
    (JSON.stringify(data)?.length ?? Infinity) <= MAX_DATA_CHARACTERS;
  return {
    kind,
    message: message.slice(0, MAX_SENTENCE_CHARACTERS),
    headers: Object.entries(headers).flat(),
    ...(isShort && { data }),
  };
}

/** An error that the other end has told. */
export function errorTold({ kind, message, headers: list, data }: ToldError): ProxyError {
  const headers: Record<string, string> = {};
  for (let at = 0; at < list.length; at += 2) headers[list[at]!] = list[at + 1]!;
  return new ProxyError(kind, message, { headers, data });
}

function isToldError(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, message, headers } = value as Record<string, unknown>;
  return typeof kind === "string" && Object.hasOwn(ERROR_TABLE, kind) && isText(message) &&
    isTexts(headers);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function bytesOf(text: string): Bytes | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
