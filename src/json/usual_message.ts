/**
 * The usual message, read in one pass over its bytes: a request or notification, short, in ASCII, with its keys and
 * its method written plainly.
 *
 * Between two calls the code of `TextDecoder` and `JSON.parse` goes out of the processor's caches, and a message of
 * a hundred bytes takes them 40 us then (bench/NOTES.md); of most messages nothing has to be known but what stands
 * here. Whatever is unusual or doubtful is left to them, who say as well what is wrong with it: what is read here is
 * what they would have read (RFC 8259), never more.
 *
 * @module
 */

import { asciiText, isThere, usualMethod } from "./ascii_text.ts";
import type { Message, ParsedBody } from "./message.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  COMMA,
  DELETE,
  MINUS,
  OPEN_BRACE,
  QUOTE,
  SPACE,
} from "./characters.ts";
import { isDigit, skipColon, skipSpace, skipValue, UNUSUAL } from "./skip.ts";

/** Longest message that is read here, in bytes: of a long one `JSON.parse` is the faster reader. */
export const MAX_USUAL_BYTES = 4_096;

/** Deepest nesting that is read here. */
export const MAX_USUAL_DEPTH = 64;

/** Most members of an object in which keys are looked for that stand twice. */
export const MAX_USUAL_MEMBERS = 16;

const VERSION_TEXT = '"2.0"';

/** The objects in which keys may not stand twice (R22), each in the one before it. */
const ENVELOPE = 0;
const PARAMS = 1;
const META = 2;

const NUMBERS_A_MEMBER = 2;
const NUMBERS_A_LEVEL = NUMBERS_A_MEMBER * MAX_USUAL_MEMBERS;

/** Of each member: where its key begins and ends, between the quotes; of one message, since it is read at once. */
const MEMBERS = new Int32Array(3 * NUMBERS_A_LEVEL);
const COUNTS = new Int32Array(3);

/** What has to be known of a message: where the value of each of these begins and ends; 0 where there is none. */
const ID = 0;
const METHOD = 2;
const GIVEN = 4;
const VERSION = 6;
const OUTCOME = 8;
const ABOUT = 10;
const VALUES = new Int32Array(12);
/** A key of which nothing has to be known. */
const OTHER = -1;

/** A message of which `params` are parsed when somebody asks for them; a spread does not take them along. */
export class UsualMessage implements Message {
  readonly kind: "request" | "notification";
  readonly method: string;
  readonly idText?: string;
  /** Whether `params` has a member `_meta`. */
  readonly hasMeta: boolean;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #parsed: Readonly<Record<string, unknown>> | undefined;

  /** Its `params` stand in `bytes` from `start` to `end`; nowhere where these are the same. */
  constructor(
    method: string,
    idText: string | undefined,
    hasMeta: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ) {
    this.kind = idText === undefined ? "notification" : "request";
    this.method = method;
    if (idText !== undefined) this.idText = idText;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.hasMeta = hasMeta;
  }

  /** See `Message`. */
  get params(): Readonly<Record<string, unknown>> | undefined {
    if (this.#start === this.#end) return undefined;
    return this.#parsed ??= JSON.parse(asciiText(this.#bytes, this.#start, this.#end));
  }
}

/** A body that is one usual message. */
export class UsualBody implements ParsedBody {
  readonly batch = false;
  readonly messages: readonly [UsualMessage];
  readonly #bytes: Uint8Array;

  /** The message in these bytes. */
  constructor(bytes: Uint8Array, message: UsualMessage) {
    this.#bytes = bytes;
    this.messages = [message];
  }

  /** See `ParsedBody`. */
  get text(): string {
    return asciiText(this.#bytes, 0, this.#bytes.length);
  }
}

/** `params._meta` of a message, as parsed; undefined where there is none. */
export function metaOf(message: Message): unknown {
  if (message instanceof UsualMessage && !message.hasMeta) return undefined;
  return message.params?._meta;
}

/** The message that `bytes` are, where it is a usual one. */
export function usualBody(bytes: Uint8Array, maxDepth: number): UsualBody | undefined {
  if (bytes.length > MAX_USUAL_BYTES) return undefined;
  const start = skipSpace(bytes, 0);
  if (bytes[start] !== OPEN_BRACE) return undefined;
  COUNTS[ENVELOPE] = COUNTS[PARAMS] = COUNTS[META] = 0;
  for (let at = 0; at < VALUES.length; at++) VALUES[at] = 0;
  const end = readMembers(bytes, start, Math.min(maxDepth, MAX_USUAL_DEPTH), ENVELOPE);
  if (end === UNUSUAL || skipSpace(bytes, end) !== bytes.length) return undefined;
  if (repeats(bytes, ENVELOPE) || repeats(bytes, PARAMS) || repeats(bytes, META)) return undefined;
  const message = toMessage(bytes);
  return message && new UsualBody(bytes, message);
}

function toMessage(bytes: Uint8Array): UsualMessage | undefined {
  if (VALUES[OUTCOME] !== 0 || VALUES[METHOD] === 0) return undefined;
  if (!isThere(bytes, VALUES[VERSION]!, VALUES[VERSION + 1]!, VERSION_TEXT)) return undefined;
  const method = methodAt(bytes, VALUES[METHOD]!, VALUES[METHOD + 1]!);
  if (method === undefined || !hasId(bytes) || !hasParams(bytes)) return undefined;
  const idText = VALUES[ID] === 0 ? undefined : asciiText(bytes, VALUES[ID]!, VALUES[ID + 1]!);
  const hasMeta = VALUES[ABOUT] !== 0;
  return new UsualMessage(method, idText, hasMeta, bytes, VALUES[GIVEN]!, VALUES[GIVEN + 1]!);
}

/** The method whose value stands there; undefined where it is no text, or has an escape. */
function methodAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (bytes[start] !== QUOTE) return undefined;
  for (let at = start + 1; at < end - 1; at++) if (bytes[at] === BACKSLASH) return undefined;
  return usualMethod(bytes, start + 1, end - 1) ?? asciiText(bytes, start + 1, end - 1);
}

/** R25: a text or a number, or none. */
function hasId(bytes: Uint8Array): boolean {
  if (VALUES[ID] === 0) return true;
  const first = bytes[VALUES[ID]!];
  return first === QUOTE || first === MINUS || isDigit(first);
}

/** An object, or none. */
function hasParams(bytes: Uint8Array): boolean {
  return VALUES[GIVEN] === 0 || bytes[VALUES[GIVEN]!] === OPEN_BRACE;
}

/** Whether a key stands twice. */
function repeats(bytes: Uint8Array, level: number): boolean {
  const first = level * NUMBERS_A_LEVEL;
  const behind = first + COUNTS[level]! * NUMBERS_A_MEMBER;
  for (let later = first + NUMBERS_A_MEMBER; later < behind; later += NUMBERS_A_MEMBER) {
    for (let earlier = first; earlier < later; earlier += NUMBERS_A_MEMBER) {
      if (isSameKey(bytes, earlier, later)) return true;
    }
  }
  return false;
}

function isSameKey(bytes: Uint8Array, one: number, other: number): boolean {
  const start = MEMBERS[one]!;
  const length = MEMBERS[one + 1]! - start;
  const otherStart = MEMBERS[other]!;
  if (MEMBERS[other + 1]! - otherStart !== length) return false;
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== bytes[otherStart + at]) return false;
  }
  return true;
}

/** Reads an object whose members are wanted, and those inside it; the index behind it. */
function readMembers(bytes: Uint8Array, open: number, depth: number, level: number): number {
  if (depth <= 0) return UNUSUAL;
  COUNTS[level] = 0;
  let at = skipSpace(bytes, open + 1);
  if (bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    const keyEnd = skipKey(bytes, at);
    if (keyEnd === UNUSUAL || !addKey(level, at + 1, keyEnd - 1)) return UNUSUAL;
    const start = skipColon(bytes, keyEnd);
    if (start === UNUSUAL) return UNUSUAL;
    const known = knownKey(bytes, at + 1, keyEnd - 1, level);
    const isInner = (known === GIVEN || known === ABOUT) && bytes[start] === OPEN_BRACE;
    const end = isInner
      ? readMembers(bytes, start, depth - 1, level + 1)
      : skipValue(bytes, start, depth - 1);
    if (end === UNUSUAL) return UNUSUAL;
    if (known !== OTHER) {
      VALUES[known] = start;
      VALUES[known + 1] = end;
    }
    at = skipSpace(bytes, end);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return UNUSUAL;
    at = skipSpace(bytes, at + 1);
  }
}

/** Keeps where a key stands; whether there was room. */
function addKey(level: number, start: number, end: number): boolean {
  const count = COUNTS[level]!;
  if (count === MAX_USUAL_MEMBERS) return false;
  const at = level * NUMBERS_A_LEVEL + count * NUMBERS_A_MEMBER;
  MEMBERS[at] = start;
  MEMBERS[at + 1] = end;
  COUNTS[level] = count + 1;
  return true;
}

/** Which of those a key is of which something has to be known. */
function knownKey(bytes: Uint8Array, start: number, end: number, level: number): number {
  if (level === PARAMS) return isThere(bytes, start, end, "_meta") ? ABOUT : OTHER;
  if (level !== ENVELOPE) return OTHER;
  switch (end - start) {
    case 2:
      return isThere(bytes, start, end, "id") ? ID : OTHER;
    case 5:
      return isThere(bytes, start, end, "error") ? OUTCOME : OTHER;
    case 6:
      if (isThere(bytes, start, end, "method")) return METHOD;
      if (isThere(bytes, start, end, "params")) return GIVEN;
      return isThere(bytes, start, end, "result") ? OUTCOME : OTHER;
    case 7:
      return isThere(bytes, start, end, "jsonrpc") ? VERSION : OTHER;
    default:
      return OTHER;
  }
}

/** The index behind the key that opens at `at`, which has no escape and nothing beyond ASCII. */
function skipKey(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return UNUSUAL;
  for (at++; at < bytes.length; at++) {
    const code = bytes[at]!;
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH || code < SPACE || code > DELETE) return UNUSUAL;
  }
  return UNUSUAL;
}
