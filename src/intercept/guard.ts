/**
 * Calls the hooks of interceptors: each with its deadline, none able to harm more than the one
 * message it was called for (R48, R88).
 *
 * A hook that never returns from synchronous code cannot be stopped: nothing else runs meanwhile.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { Logger } from "../telemetry/mod.ts";
import { RubbishError } from "./message.ts";
import type { Interceptor } from "./types.ts";

/** An interceptor in a pipeline. */
export interface PipelineEntry {
  /** What sees the messages. */
  readonly interceptor: Interceptor;
  /** Longest time that one call of a hook may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What becomes of a message on which it failed: an error in its place, or it passes unchanged. */
  readonly onError: "pass" | "fail";
}

/** Deadline of a hook where none is configured, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 5_000;

/** What guards have in common. */
export interface GuardOptions {
  /** Time. */
  readonly clock: Clock;
  /** Told of every failure, without contents of messages (R96). */
  readonly log: Logger;
  /** Name of the route that the interceptors are of, for the log. */
  readonly route?: string | undefined;
}

/** A value, or a promise of it. */
export type Soon<T> = T | Promise<T>;

/** Goes on at once where the value is there, and later where it is a promise. */
export function whenThere<T, R>(value: Soon<T>, use: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** A hook that could not be used. */
export interface Failed {
  /** Tells it from what a hook gave. */
  readonly kind: "failed";
  /** What to tell whoever waits for the message. */
  readonly error: ProxyError;
}

/**
 * Calls a hook and reads what it returns. Never throws or rejects. Makes no promise where the hook
 * makes none.
 */
export function guarded<T>(
  options: GuardOptions,
  entry: PipelineEntry,
  hook: string,
  call: () => unknown,
  read: (returned: unknown) => T,
): Soon<T | Failed> {
  const failed = (cause: unknown) => failure(options, entry, hook, cause);
  try {
    const returned = call();
    if (!isThenable(returned)) return read(returned);
    return withDeadline(options, entry, hook, returned, read);
  } catch (cause) {
    return failed(cause);
  }
}

function withDeadline<T>(
  options: GuardOptions,
  entry: PipelineEntry,
  hook: string,
  returned: PromiseLike<unknown>,
  read: (returned: unknown) => T,
): Promise<T | Failed> {
  const { timeoutMs } = entry;
  return new Promise((resolve) => {
    let over = false;
    const timer = options.clock.after(timeoutMs, () => settle(() => late(options, entry, hook)));
    const settle = (make: () => T | Failed) => {
      if (over) return;
      over = true;
      timer.cancel();
      resolve(make());
    };
    // Promise.resolve, because what a user's module returns may be no Promise, only look like one.
    Promise.resolve(returned).then(
      (value) => settle(() => readSafely(options, entry, hook, value, read)),
      (cause) => settle(() => failure(options, entry, hook, cause)),
    );
  });
}

function readSafely<T>(
  options: GuardOptions,
  entry: PipelineEntry,
  hook: string,
  value: unknown,
  read: (returned: unknown) => T,
): T | Failed {
  try {
    return read(value);
  } catch (cause) {
    return failure(options, entry, hook, cause);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

function late({ log, route }: GuardOptions, entry: PipelineEntry, hook: string): Failed {
  const { interceptor: { name }, timeoutMs, onError } = entry;
  log.warn("interceptor too slow", { route, interceptor: name, hook, timeoutMs, onError });
  return {
    kind: "failed",
    error: new ProxyError(
      "interceptor_timeout",
      `The interceptor ${name} did not finish with this message within ${timeoutMs} ms.`,
    ),
  };
}

/** The failure of a hook, told in the log; what a user's module says may quote the message (R96). */
export function failure(
  { log, route }: GuardOptions,
  { interceptor: { name }, onError }: PipelineEntry,
  hook: string,
  cause: unknown,
): Failed {
  const why = cause instanceof RubbishError ? cause.message : `threw ${thrownName(cause)}`;
  const at = placeOf(cause);
  log.warn("interceptor failed", { route, interceptor: name, hook, why, at, onError });
  return {
    kind: "failed",
    error: new ProxyError(
      "interceptor_failed",
      `The interceptor ${name} failed on this message; whoever runs the proxy finds why in its log.`,
      { cause },
    ),
  };
}

/** What was thrown, in words that hold nothing of it but its kind. */
function thrownName(cause: unknown): string {
  if (cause === undefined || cause === null) return String(cause);
  if (typeof cause === "string") return `a string of ${cause.length} characters, no Error`;
  if (typeof cause !== "object") return `a ${typeof cause}, no Error`;
  try {
    if (!(cause instanceof Error)) return `${kindName(cause)}, no Error`;
    const name = /^\w{1,64}$/.test(cause.name) ? cause.name : "an Error";
    return cause.message === "" ? `${name} without a message` : name;
  } catch {
    return "an object that cannot be looked at";
  }
}

/** The class of an object, unless its name may have been made of something else. */
function kindName(thrown: object): string {
  const name: unknown = thrown.constructor?.name;
  return typeof name === "string" && /^\w{1,64}$/.test(name) ? `an object of ${name}` : "an object";
}

/**
 * Where an error was thrown: its first stack frame, which follows the name and the message. The name is the one
 * that it had when it was made, which the constructor of a subclass may have changed since.
 */
function placeOf(cause: unknown): string | undefined {
  try {
    if (!(cause instanceof Error) || cause instanceof RubbishError) return undefined;
    const { message, stack } = cause;
    if (typeof stack !== "string") return undefined;
    const name = /^[\w.$]{1,64}/.exec(stack)?.[0];
    const head = message === "" ? `${name}\n` : `${name}: ${message}\n`;
    // Where the message is another one now, nothing tells it from the frames.
    if (!stack.startsWith(head)) return undefined;
    const [frame] = stack.slice(head.length).split("\n", 1);
    return /\(?(\S+:\d+:\d+)\)?$/.exec(frame!)?.[1]?.replace(/^\(/, "");
  } catch {
    return undefined;
  }
}
