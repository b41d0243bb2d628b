/**
 * What the judgements of a replay find, and over which exchanges they look: pure functions of what both
 * sides saw.
 *
 * A proxy may rightly answer by itself what the recorded server refused (it may know the rule, too),
 * the end of a session, and a resumption (from an event log of its own).
 *
 * @module
 */

import { type ExchangePlan, fieldOf } from "./plan.ts";
import type { Outcome, Transcript } from "./transcript.ts";

/** What is wrong; undefined where there was nothing to judge. */
export type Findings = readonly string[] | undefined;

/** An exchange in a few words, for messages. */
export function describe({ plan }: Outcome): string {
  const piece = plan.requestPieces[0];
  const method = piece?.type === "data" ? /"method":\s*"([^"]+)"/.exec(piece.text)?.[1] : undefined;
  return `exchange ${plan.number} (${[plan.request.method, method].filter(Boolean).join(" ")})`;
}

/** Whether a proxy may answer a request without its server (see the module). */
export function mayAnswerItself({ request, response, resumes }: ExchangePlan): boolean {
  if (request.method === "DELETE" || resumes !== undefined) return true;
  if (fieldOf(request.fields, "last-event-id") !== undefined) return true;
  return response !== undefined && response.status >= 400;
}

/** The exchanges in which the client sent what it was to send. */
export function judged({ outcomes }: Transcript): readonly Outcome[] {
  return outcomes.filter(({ skipped, sent }) => skipped === undefined && sent !== undefined);
}

/** What is wrong with the exchanges to which this applies; undefined where there are none. */
export function each(
  transcript: Transcript,
  applies: (outcome: Outcome) => boolean,
  find: (outcome: Outcome) => readonly string[],
): Findings {
  const own = judged(transcript).filter(applies);
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) => find(outcome).map((what) => `${describe(outcome)}: ${what}`));
}
