/**
 * What a check is, and what comes of it.
 *
 * A check is one rule with an id and a source. A case is one thing done to a proxy; it judges one
 * check or, where it replays a fixture, several.
 *
 * @module
 */

import type { Revision } from "../../fixtures/format/mod.ts";
import type { Context } from "./context.ts";

/** The kinds of checks. Each is proven by a proxy in `conformance/broken/` that fails it alone. */
export const GROUPS = {
  transport: "HTTP itself: framing, smuggling, methods, paths, hop-by-hop fields",
  door: "Host and Origin",
  json: "what is and is not a JSON-RPC message",
  era: "headers of 2026-07-28 against the body, revisions, batches",
  limits: "bodies and other things that are too large",
  once: "one upstream request for each client request",
  request: "the request reaches the server as the client sent it",
  answer: "the answer reaches the client as the server sent it: status, fields, bytes",
  events: "server-sent events: all of them, in order, with their ids, as they were",
  streaming: "streams are delivered as they come; nobody has to wait, nothing is hoarded",
  sessions: "session ids are the proxy's own, and have a lifecycle",
  privacy: "what must not get from one side to the other",
  cancellation: "a client that goes away",
  faults: "an upstream that fails",
  latency: "what the proxy adds",
} as const;

/** The kind of a check. */
export type Group = keyof typeof GROUPS;

/**
 * What a proxy has to be set up with for a check to make sense. A check whose assumptions the run
 * does not make is skipped.
 */
export const ASSUMPTIONS = {
  "short-timeouts":
    "gives up on an answer's head after 1 s and on a silent body after 1 s (event streams excepted)",
  "body-limit-1m": "takes request bodies up to 1 MiB and refuses larger ones",
  "resumes-streams":
    "keeps the events of sessions' streams for clients that come back, goes on with a call whose " +
    "client has left, and takes broken upstream streams up again",
  "short-keep-alive": "sends a comment on event streams that are silent for 4 s",
} as const;

/** The name of an assumption. */
export type Assumption = keyof typeof ASSUMPTIONS;

/** One rule. */
export interface Check {
  /** Stable: `group.rule-in-words`. */
  readonly id: string;
  readonly group: Group;
  /** What the rule says, as a sentence. */
  readonly title: string;
  /** Where it stands: a section of the specification, an RFC, and R numbers of the requirements. */
  readonly source: string;
}

/** What a case found about one check. */
export interface Verdict {
  readonly check: string;
  readonly status: "pass" | "fail";
  /** Where it failed: what happened, and what was expected. */
  readonly message?: string;
}

/** Something done to a proxy. */
export interface Case {
  /** Unique in the suite: the check's id, or `fixtures/<revision>/<name>`. */
  readonly id: string;
  readonly title: string;
  /** The revisions it is about; empty where it is about none. */
  readonly revisions: readonly Revision[];
  readonly assumes: readonly Assumption[];
  /** The checks that it may judge. */
  readonly checks: readonly string[];
  /** Does it; what it throws fails the checks it has not judged. */
  run(context: Context): Promise<readonly Verdict[]>;
}

/** A check that is made by one case of its own. */
export interface Scenario extends Check {
  readonly revisions?: readonly Revision[];
  readonly assumes?: readonly Assumption[];
  /** Returns where the rule holds; throws (`CheckFailure` or any error) where it does not. */
  run(context: Context): Promise<void>;
}

/** The case that makes the check of a scenario. */
export function scenarioCase(scenario: Scenario): Case {
  const { id, title, revisions = [], assumes = [] } = scenario;
  return {
    id,
    title,
    revisions,
    assumes,
    checks: [id],
    async run(context) {
      await scenario.run(context);
      return [{ check: id, status: "pass" }];
    },
  };
}

/** A rule does not hold. */
export class CheckFailure extends Error {
  override readonly name = "CheckFailure";
}

/** Fails the check unless `condition` holds. */
export function expect(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CheckFailure(message);
}

/** Fails the check unless two values are the same, as JSON. */
export function expectEqual(actual: unknown, wanted: unknown, what: string): void {
  const [is, should] = [show(actual), show(wanted)];
  if (is !== should) throw new CheckFailure(`${what} is ${is}, expected ${should}`);
}

/** Fails the check unless the value is one of these. */
export function expectOneOf<T>(actual: T, wanted: readonly T[], what: string): void {
  if (wanted.includes(actual)) return;
  throw new CheckFailure(`${what} is ${show(actual)}, expected one of ${show(wanted)}`);
}

const MAX_SHOWN_CHARS = 600;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}
