/**
 * From the bytes of a request body to the JSON-RPC messages in it.
 *
 * The bytes themselves are what goes upstream; what is made here only serves to decide. Keys are
 * matched exactly (R21), duplicates where the proxy looks are refused (R22), ids keep their spelling (R24).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { MAX_KEPT_PARSED, Parsed } from "./parsed.ts";
import { elements, type Member, members, nestingWithin, type Span } from "./scan.ts";
import { usualBody } from "./usual_message.ts";

/** The three kinds of JSON-RPC message. */
export type MessageKind = "request" | "notification" | "response";

/** One message of a request body. */
export interface Message {
  /** Which of the three it is. */
  readonly kind: MessageKind;
  /** The method; absent for a response. */
  readonly method?: string;
  /** The id exactly as it was written (`1`, `"1"`, `1.0`); absent for a notification. */
  readonly idText?: string;
  /** `params` as parsed; absent where the message has none. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

type Params = Readonly<Record<string, unknown>>;

/** A whole request body: one message, or several where it was a JSON array. */
export interface ParsedBody {
  /** All of it. */
  readonly text: string;
  /** Whether it was an array. */
  readonly batch: boolean;
  /** At least one. */
  readonly messages: readonly Message[];
}

/** How much JSON is accepted. */
export interface JsonLimits {
  /** Arrays and objects inside one another. */
  readonly maxDepth: number;
  /** Messages in one batch. */
  readonly maxBatchMessages: number;
}

/** Several times faster than one that is strict, which only says why where it was needed. */
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What stands for bytes that are no UTF-8; it may also have been sent as it is. */
const REPLACEMENT = "\ufffd";

/**
 * Parses a request body.
 *
 * @throws {ProxyError} `parse_error` for bytes that are not JSON (R27, R28) or too deep (R26), and
 * `invalid_request` for JSON that is no JSON-RPC message (R25), has a key twice (R22), or is a
 * batch that is empty or too long.
 */
export function parseBody(bytes: Uint8Array, limits: JsonLimits): ParsedBody {
  return usualBody(bytes, limits.maxDepth) ?? parseAny(bytes, limits);
}

/**
 * Parses a request body of any kind.
 *
 * @throws {ProxyError} see `parseBody`
 */
export function parseAny(bytes: Uint8Array, limits: JsonLimits): ParsedBody {
  const text = decode(bytes);
  if (!nestingWithin(text, limits.maxDepth)) {
    throw new ProxyError(
      "parse_error",
      `The body nests arrays and objects more than ${limits.maxDepth} deep, which is the limit here.`,
    );
  }
  const value = parseJson(text);
  const isLong = text.length > MAX_KEPT_PARSED;
  const kept = (message: Message, at?: number): Message =>
    isLong ? new LongMessage(message, bytes, at) : message;
  if (!Array.isArray(value)) {
    return { text, batch: false, messages: [kept(toMessage(text, 0, value))] };
  }
  return { text, batch: true, messages: toMessages(text, value, limits).map(kept) };
}

/** A message of a long body, which keeps nothing of it but its bytes. A spread does not take its `params` along. */
class LongMessage implements Message {
  readonly kind: MessageKind;
  readonly method?: string;
  readonly idText?: string;
  readonly #params: Parsed<Params> | undefined;

  /** The same as `message`, which is the only one in `bytes`, or that number `at` of a batch. */
  constructor({ kind, method, idText, params }: Message, bytes: Uint8Array, at?: number) {
    this.kind = kind;
    if (method !== undefined) this.method = detached(method);
    if (idText !== undefined) this.idText = detached(idText);
    if (params === undefined) return;
    this.#params = new Parsed(params, () => {
      const whole = JSON.parse(lenient.decode(bytes));
      return (at === undefined ? whole : whole[at]).params;
    });
  }

  /** See `Message`. */
  get params(): Params | undefined {
    return this.#params?.value;
  }
}

/** The same text in memory of its own: a part of a text otherwise keeps the whole in memory. */
function detached(text: string): string {
  return JSON.parse(JSON.stringify(text));
}

function decode(bytes: Uint8Array): string {
  const text = lenient.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  try {
    return strict.decode(bytes);
  } catch (cause) {
    throw new ProxyError(
      "parse_error",
      "The body is not valid UTF-8; JSON-RPC messages must be UTF-8.",
      { cause },
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What the parser says quotes the body, of which nothing may stand in a log (R96).
    throw new ProxyError("parse_error", "The body is not valid JSON; send one JSON-RPC message.");
  }
}

function toMessages(text: string, values: unknown[], limits: JsonLimits): Message[] {
  if (values.length === 0) throw invalid("The batch is empty; send at least one JSON-RPC message.");
  if (values.length > limits.maxBatchMessages) {
    throw invalid(
      `The batch holds ${values.length} messages; at most ${limits.maxBatchMessages} are accepted.`,
    );
  }
  const spans: Span[] = elements(text);
  return values.map((value, index) => toMessage(text, spans[index]!.start, value));
}

function toMessage(text: string, start: number, value: unknown): Message {
  if (!isObject(value)) throw invalid("A JSON-RPC message must be a JSON object.");
  const envelope = members(text, start);
  refuseDuplicates(envelope, "the message");
  const idText = readId(text, envelope, value);
  try {
    return readMessage(text, envelope, value, idText);
  } catch (error) {
    throw error instanceof ProxyError ? error.withId(idText) : error;
  }
}

function readMessage(
  text: string,
  envelope: readonly Member[],
  value: Record<string, unknown>,
  idText: string | undefined,
): Message {
  if (value.jsonrpc !== "2.0") throw invalid('A JSON-RPC message must have "jsonrpc": "2.0".');
  const isResponse = Object.hasOwn(value, "result") || Object.hasOwn(value, "error");
  if (!Object.hasOwn(value, "method")) return readResponse(value, idText, isResponse);
  if (typeof value.method !== "string") throw invalid("The method must be a string.");
  if (isResponse) throw invalid("A JSON-RPC message has either a method or a result or error.");
  const base = idText === undefined
    ? { kind: "notification" as const, method: value.method }
    : { kind: "request" as const, method: value.method, idText };
  if (!Object.hasOwn(value, "params")) return base;
  if (!isObject(value.params)) throw invalid("The params must be a JSON object.");
  refuseDuplicateParams(text, envelope);
  return { ...base, params: value.params };
}

function readResponse(
  value: Record<string, unknown>,
  idText: string | undefined,
  isResponse: boolean,
): Message {
  if (!isResponse) {
    throw invalid("A JSON-RPC message must have a method, or a result or error; this has neither.");
  }
  if (Object.hasOwn(value, "result") && Object.hasOwn(value, "error")) {
    throw invalid("A JSON-RPC response has either a result or an error; this has both.");
  }
  if (idText === undefined) throw invalid("A JSON-RPC response must have the id of its request.");
  return { kind: "response", idText };
}

/** The id's own text, or undefined where there is none (R24, R25). */
function readId(
  text: string,
  envelope: readonly Member[],
  value: Record<string, unknown>,
): string | undefined {
  const member = envelope.find((candidate) => candidate.key === "id");
  if (member === undefined) return undefined;
  if (typeof value.id !== "string" && typeof value.id !== "number") {
    throw invalid("The id must be a string or a number.");
  }
  return text.slice(member.start, member.end);
}

/** Refuses a repeated key in `params` and in `params._meta`, which the proxy reads (R22). */
function refuseDuplicateParams(text: string, envelope: readonly Member[]): void {
  const params = envelope.find((member) => member.key === "params")!;
  const inner = members(text, params.start);
  refuseDuplicates(inner, "params");
  const meta = inner.find((member) => member.key === "_meta");
  if (meta !== undefined && text[meta.start] === "{") {
    refuseDuplicates(members(text, meta.start), "params._meta");
  }
}

/** Up to so many keys are compared with each other, which is cheaper than a set of them. */
const FEW_KEYS = 8;

function refuseDuplicates(found: readonly Member[], where: string): void {
  if (!(found.length <= FEW_KEYS ? repeatsAmongFew(found) : repeats(found))) return;
  throw invalid(`A key stands twice in ${where}; which one counts would be a guess.`);
}

function repeatsAmongFew(found: readonly Member[]): boolean {
  for (let later = 1; later < found.length; later++) {
    const { key } = found[later]!;
    for (let earlier = 0; earlier < later; earlier++) if (found[earlier]!.key === key) return true;
  }
  return false;
}

function repeats(found: readonly Member[]): boolean {
  return new Set(found.map(({ key }) => key)).size < found.length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(sentence: string): ProxyError {
  return new ProxyError("invalid_request", sentence);
}
