/**
 * JSON-RPC messages inside the pipeline: their kind, their id, a checked copy of what an
 * interceptor made. Pure.
 *
 * @module
 */

import { ExactNumber, MAX_MESSAGE_DEPTH } from "./codec.ts";
import type { Answer, JsonRpcMessage } from "./types.ts";

/** What an interceptor gave back is not what it may give; the message says what is wrong with it. */
export class RubbishError extends Error {
  /** The sentence goes on after "The interceptor x". */
  constructor(message: string) {
    super(message);
    this.name = "RubbishError";
  }
}

/** The kind of a message. Whatever has no method counts as a response. */
export type Kind = "request" | "notification" | "response";

/** The kind of a message that may come from a lenient server. */
export function kindOf(message: JsonRpcMessage): Kind {
  if (!Object.hasOwn(message, "method")) return "response";
  return Object.hasOwn(message, "id") ? "request" : "notification";
}

/** Whether somebody waits for what carries this message's id. */
export function hasId(message: JsonRpcMessage): boolean {
  return Object.hasOwn(message, "id");
}

/** Whether two messages have the same id, written in the same way (R24), or both none. */
export function sameId(a: JsonRpcMessage, b: JsonRpcMessage): boolean {
  if (hasId(a) !== hasId(b)) return false;
  if (a.id instanceof ExactNumber && b.id instanceof ExactNumber) {
    return a.id.source === b.id.source;
  }
  return a.id === b.id;
}

/** The response to a request. */
export function responseTo(request: JsonRpcMessage, answer: Answer): JsonRpcMessage {
  return Object.freeze({ jsonrpc: "2.0", id: request.id, ...answer });
}

/**
 * A frozen copy of a message that an interceptor made in the place of `original`.
 *
 * @throws {RubbishError} unless it is a JSON-RPC message of the same kind with the same id.
 */
export function replacement(value: unknown, original: JsonRpcMessage): JsonRpcMessage {
  const message = messageOf(value);
  const kind = kindOf(original);
  if (kindOf(message) !== kind) {
    throw new RubbishError(`made a ${kindOf(message)} of a ${kind}; the kind must stay as it is`);
  }
  if (!sameId(message, original)) {
    throw new RubbishError(`changed the id of a ${kind}; ids must stay exactly as they are`);
  }
  return message;
}

/**
 * A frozen copy of a JSON-RPC message that an interceptor made.
 *
 * @throws {RubbishError} unless it is one.
 */
export function messageOf(value: unknown): JsonRpcMessage {
  if (!isObject(value)) {
    throw new RubbishError(`gave ${nameOf(value)} for a message, not an object`);
  }
  const message = jsonOf(value) as JsonRpcMessage;
  if (message.jsonrpc !== "2.0") {
    throw new RubbishError('made a message without "jsonrpc": "2.0", which every message has');
  }
  const isResponse = Object.hasOwn(message, "result") || Object.hasOwn(message, "error");
  if (Object.hasOwn(message, "method") ? isResponse : !isResponse) {
    throw new RubbishError("made a message that has not either a method, or a result or error");
  }
  if (Object.hasOwn(message, "result") && Object.hasOwn(message, "error")) {
    throw new RubbishError("made a response with both a result and an error");
  }
  if (Object.hasOwn(message, "method") && typeof message.method !== "string") {
    throw new RubbishError("made a message whose method is no string");
  }
  if (isResponse && Object.hasOwn(message, "error")) checkError(message.error);
  return message;
}

/**
 * A checked copy of an answer.
 *
 * @throws {RubbishError} unless it is a result or a JSON-RPC error.
 */
export function answerOf(value: unknown): Answer {
  const answer = isObject(value) ? jsonOf(value) as Record<string, unknown> : undefined;
  const keys = answer === undefined ? [] : Object.keys(answer);
  if (keys.length !== 1 || (keys[0] !== "result" && keys[0] !== "error")) {
    throw new RubbishError("gave an answer that is neither {result} nor {error: {code, message}}");
  }
  if (keys[0] === "error") checkError(answer!.error);
  return answer as unknown as Answer;
}

function checkError(error: unknown): void {
  const isError = isObject(error) && typeof error.message === "string" &&
    (Number.isSafeInteger(error.code) || error.code instanceof ExactNumber);
  if (!isError) {
    throw new RubbishError("made an error without a whole number as code and a string as message");
  }
}

/**
 * A frozen copy of a JSON value; members that are undefined are left out, as JSON does.
 *
 * A copy, because the interceptor keeps what it gave and might change it later.
 *
 * @throws {RubbishError} where it is none, or nested too deep.
 */
export function jsonOf(value: unknown, depth = 0): unknown {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value instanceof ExactNumber) return value;
  if (depth >= MAX_MESSAGE_DEPTH) {
    throw new RubbishError(`gave a value nested more than ${MAX_MESSAGE_DEPTH} deep`);
  }
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item) => jsonOf(item, depth + 1)));
  }
  if (!isPlain(value)) throw new RubbishError(`gave ${nameOf(value)} where only JSON may stand`);
  // fromEntries makes a member of `__proto__` like of any other key (R23).
  return Object.freeze(Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, jsonOf(member, depth + 1)]),
  ));
}

/** Whether a value is an object and no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof ExactNumber);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What a value is, in a few words that tell nothing of what is in it (R96). */
export function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return Number.isFinite(value) ? "a number" : String(value);
  if (typeof value !== "object") return value === undefined ? "nothing" : `a ${typeof value}`;
  return isPlain(value) ? "an object" : "an object of a class";
}
