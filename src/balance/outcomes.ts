/**
 * What an answer or a failure says of the target it came from.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type ErrorKind, ProxyError } from "../errors.ts";
import { Fields, retryAfterMs } from "../http/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { Outcome } from "./health.ts";

type Judge = (error: ProxyError) => Outcome | undefined;

const broken: Judge = () => ({ kind: "broken" });

/** Where a connection was closed here, nothing says how far the exchange had come. */
const closed: Judge = ({ progress }) => progress && { kind: "broken" };

/**
 * What failures say. The others say nothing of the target: `client_closed` and `upstream_saturated` are about
 * this side, `upstream_status` may be about the client's credentials, unless it has a status to pass on.
 */
const OUTCOMES: Partial<Readonly<Record<ErrorKind, Judge>>> = {
  upstream_unreachable: ({ progress }) => ({
    kind: progress?.requestSent === true ? "broken" : "unreachable",
  }),
  upstream_connect_timeout: () => ({ kind: "connect_timeout" }),
  upstream_timeout: () => ({ kind: "timeout" }),
  upstream_closed: closed,
  upstream_protocol: broken,
};

/** What a call that failed after `afterMs` milliseconds says of its target; undefined for nothing. */
export function outcomeOfError(error: unknown, afterMs: number, clock: Clock): Outcome | undefined {
  if (!(error instanceof ProxyError)) return undefined;
  const { kind, upstreamStatus: status } = error;
  if (kind !== "upstream_status" || status === undefined) return OUTCOMES[kind]?.(error);
  const headers = new Fields(Object.entries(error.headers).flat());
  return outcomeOfHead({ status, headers }, afterMs, clock);
}

/** What an answer whose head was there after `headMs` milliseconds says of its target; undefined for nothing. */
export function outcomeOfAnswer(
  answer: UpstreamAnswer,
  headMs: number,
  clock: Clock,
): Outcome | undefined {
  const { failure } = answer;
  if (failure === undefined) return outcomeOfHead(answer, headMs, clock);
  return outcomeOfError(failure, headMs, clock);
}

/**
 * What the end of an answer says of its target beside its head; undefined for nothing. Only a connection tells
 * how far the exchange had come: what has no such word was ended here.
 */
export function outcomeOfEnd(failure: ProxyError | undefined): Outcome | undefined {
  if (failure?.progress === undefined) return undefined;
  return failure.kind === "upstream_closed" || failure.kind === "upstream_protocol"
    ? { kind: "broken" }
    : undefined;
}

/** What the head of an answer says of its target. */
export function outcomeOfHead(
  { status, headers }: Pick<UpstreamAnswer, "status" | "headers">,
  headMs: number,
  clock: Clock,
): Outcome {
  if (status !== 429 && status !== 503) return { kind: "answered", status, headMs };
  return {
    kind: "answered",
    status,
    headMs,
    retryAfterMs: retryAfterMs(headers, clock.now().getTime()),
  };
}

/** Whether an outcome counts as a failure of the server, for the figures. */
export function isFailure(outcome: Outcome): boolean {
  return outcome.kind !== "answered" || (outcome.status >= 500 && outcome.status !== 501);
}
