/**
 * What a replay saw on both sides of the proxy, for the judgements, which are pure functions of it.
 *
 * @module
 */

import type { Block, Fields } from "../wire/mod.ts";
import { counts, type ExchangePlan, type Plan } from "./plan.ts";
import type { Alias } from "./values.ts";

/** A request, as the driver sent it or as it reached the mock. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly body: Uint8Array;
}

/** What the mock sent. */
export interface Given {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** The blocks of its event stream that count. */
  readonly blocks: readonly Block[];
  readonly end: "end" | "abort" | "open";
}

/** What the client saw. */
export interface Got {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** All blocks of its event stream. */
  readonly blocks: readonly Block[];
  /** "open" where the client left, or nothing more came within the patience. */
  readonly end: "complete" | "cut" | "open";
}

/** What came of one exchange. */
export interface Outcome {
  readonly plan: ExchangePlan;
  /** Why the client could not send its request, where it could not; nothing is judged then. */
  readonly skipped: string | undefined;
  readonly sent: SeenRequest | undefined;
  /** As it reached the mock the first time. */
  readonly arrived: SeenRequest | undefined;
  /** How often it reached the mock again. */
  readonly repeats: number;
  readonly given: Given | undefined;
  readonly got: Got | undefined;
  /** What was wrong with the answer as HTTP, or that there was none. */
  readonly problem: string | undefined;
  /** Whether the client closed its connection before the answer was over. */
  readonly left: boolean;
  /** Whether the head of a stream was not there when it was waited for. */
  readonly headLate: boolean;
  /** The positions of the given blocks that were not there when they were waited for. */
  readonly blocksLate: readonly number[];
  /** Whether the mock's connection was cut after the client left; undefined where not looked at. */
  readonly cutAfterLeaving: boolean | undefined;
}

/** A session of the fixture and its ids. */
export interface SeenSession {
  readonly index: number;
  readonly server: string;
  readonly client: string | undefined;
}

/** One replay. */
export interface Transcript {
  readonly plan: Plan;
  /** The origin of the proxy, where it serves this fixture. */
  readonly proxyOrigin: string;
  readonly outcomes: readonly Outcome[];
  /** The sessions that the server gave. */
  readonly sessions: readonly SeenSession[];
  readonly aliases: readonly Alias[];
  /** Requests that no client sent, in words. */
  readonly strays: readonly string[];
  /** The value of `{{event:n}}` on the server's side. */
  eventId(index: number): string;
  /** A recorded text as the server says it. */
  serverText(template: string): string;
}

/**
 * The client's blocks that count, without a priming block that the proxy put in front: a proxy with
 * an event log of its own sends one where the server sent none (2025-11-25 basic/transports,
 * "Resumability and Redelivery").
 */
export function comparable(given: readonly Block[], got: readonly Block[]): readonly Block[] {
  const own = got.filter(counts);
  const isFirstAdded = primings(own) > primings(given) || lacksRetry(given[0], own[0]);
  return isFirstAdded ? own.slice(1) : own;
}

/** Whether the server's priming event says how long to wait and this one, which it therefore is not, does not. */
function lacksRetry(given: Block | undefined, got: Block | undefined): boolean {
  if (given === undefined || got === undefined) return false;
  return isPriming(given) && isPriming(got) && given.retry !== null && got.retry === null;
}

/** How many events at the start only prime. */
function primings(blocks: readonly Block[]): number {
  const at = blocks.findIndex((block) => !isPriming(block));
  return at === -1 ? blocks.length : at;
}

function isPriming({ data, id }: Block): boolean {
  return (data === null || data === "") && id !== null;
}

/** The part of an endpoint's URL that names the session, as far as can be told: a long word in it. */
export function idInUrl(url: string): string | undefined {
  const words = url.replace(/^https?:\/\/[^/]*/, "").match(/[A-Za-z0-9_.~%-]{16,}/g) ?? [];
  return words.toSorted((a, b) => a.length - b.length).at(-1);
}
