/**
 * What interceptors give back, checked: a user's module may return anything. Pure.
 *
 * @module
 */

import {
  answerOf,
  hasId,
  isObject,
  kindOf,
  messageOf,
  nameOf,
  replacement,
  responseTo,
  RubbishError,
  sameId,
} from "./message.ts";
import type { EventView, JsonRpcMessage } from "./types.ts";

/** What becomes of a `T`, which is a message or an event. */
export type Move<T> =
  | { readonly kind: "pass" }
  | { readonly kind: "replace"; readonly by: T }
  | { readonly kind: "drop"; readonly why: string }
  | { readonly kind: "expand"; readonly into: readonly T[] }
  | { readonly kind: "answer"; readonly response: JsonRpcMessage };

/** Reads what a hook returned for `original`. Throws `RubbishError`. */
export type VerdictReader<T> = (verdict: unknown, original: T) => Move<T>;

/** Most messages or events that one may become. */
export const MAX_EXPANSION = 1_000;

const PASS = { kind: "pass" } as const;

type Readers<T> = Readonly<Record<string, (value: unknown, original: T) => Move<T>>>;

const MESSAGE = {
  replace: (value: unknown, original: JsonRpcMessage) =>
    ({ kind: "replace", by: replacement(value, original) }) as const,
  drop,
  answer: (value: unknown, original: JsonRpcMessage) => {
    if (kindOf(original) !== "request") {
      throw new RubbishError(`answered a ${kindOf(original)}; only requests can be answered`);
    }
    return { kind: "answer", response: responseTo(original, answerOf(value)) } as const;
  },
};

/** Reads verdicts on messages of the client. */
export const readClientVerdict: VerdictReader<JsonRpcMessage> = reader(MESSAGE);

/** Reads verdicts on messages of the server. */
export const readServerVerdict: VerdictReader<JsonRpcMessage> = reader({
  ...MESSAGE,
  expand: expandMessage,
});

/** Reads verdicts on events. */
export const readEventVerdict: VerdictReader<EventView> = reader<EventView>({
  replace: (value, original) => ({ kind: "replace", by: eventOf(value, original, true) }),
  drop,
  expand: (value, original) => {
    const drafts = list(value);
    return {
      kind: "expand",
      // The id goes to the last one: whoever resumes behind it has seen them all.
      into: drafts.map((draft, at) => eventOf(draft, original, at === drafts.length - 1)),
    };
  },
});

function reader<T>(readers: Readers<T>): VerdictReader<T> {
  const known = Object.keys(readers);
  return (verdict, original) => {
    if (verdict === undefined) return PASS;
    const keys = isObject(verdict)
      ? Object.keys(verdict).filter((key) => verdict[key] !== undefined)
      : [];
    const key = keys[0];
    if (keys.length !== 1 || key === undefined || !known.includes(key)) {
      const found = isObject(verdict) ? "an object with other keys" : nameOf(verdict);
      throw new RubbishError(
        `returned ${found}; return nothing, or an object with one of ${known.join(", ")}`,
      );
    }
    return readers[key]!((verdict as Readonly<Record<string, unknown>>)[key], original);
  };
}

function drop(value: unknown): { readonly kind: "drop"; readonly why: string } {
  if (typeof value !== "string" || value === "") {
    throw new RubbishError(`gave ${nameOf(value)} as the reason of a drop; give one sentence`);
  }
  return { kind: "drop", why: value };
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new RubbishError(`expanded into ${nameOf(value)}, not a list`);
  if (value.length > MAX_EXPANSION) {
    throw new RubbishError(`expanded into ${value.length}; at most ${MAX_EXPANSION} are allowed`);
  }
  return Array.from(value);
}

function expandMessage(value: unknown, original: JsonRpcMessage): Move<JsonRpcMessage> {
  const kind = kindOf(original);
  const into = list(value).map(messageOf);
  const others = into.filter((message) => kindOf(message) !== "notification");
  const isSound = kind === "notification" || !hasId(original)
    ? others.length === 0
    : others.length === 1 && kindOf(others[0]!) === kind && sameId(others[0]!, original);
  if (!isSound) {
    throw new RubbishError(
      kind === "notification"
        ? "expanded a notification into something else; only notifications may come of it"
        : `expanded a ${kind} without keeping it, with its id, exactly once beside notifications`,
    );
  }
  return { kind: "expand", into };
}

function eventOf(value: unknown, original: EventView, keepsId: boolean): EventView {
  if (!isObject(value) || typeof value.data !== "string") {
    throw new RubbishError("made an event without a string as data");
  }
  const event = value.event ?? original.event;
  // R44: a line break in the type would begin a field, and so an event, of its own.
  if (event !== undefined && (typeof event !== "string" || /[\r\n\0]/.test(event))) {
    throw new RubbishError("made an event whose type is no string, or has a line break");
  }
  return Object.freeze({
    ...(keepsId && original.id !== undefined ? { id: original.id } : {}),
    ...(event === undefined ? {} : { event }),
    // R44: a CR ends a line too, so one alone would end the data.
    data: value.data.replace(/\r\n?/g, "\n"),
  });
}
