/**
 * What replayed answers are judged by, event streams left aside: pure functions of what both sides saw.
 *
 * @module
 */

import { each, type Findings, mayAnswerItself } from "./findings.ts";
import { type ExchangePlan, fieldOf, mediaType, templateText } from "./plan.ts";
import type { Outcome, Transcript } from "./transcript.ts";
import { canonical } from "./values.ts";

/** Fields of answers that mean something to an MCP client. */
const ANSWER_FIELDS = ["retry-after", "allow"] as const;

/**
 * Whether a proxy that stands between the eras may make more of a request than the server did: of an
 * `initialize`, which servers of 2026-07-28 refuse (basic/versioning, "Compatibility Matrix").
 */
function isTranslated(
  { plan: { isModern } }: Transcript,
  { requestPieces }: ExchangePlan,
): boolean {
  return isModern && /"method":\s*"initialize"/.test(templateText(requestPieces));
}

/** Whether answers have the status that the server gave. */
export function judgeStatus(transcript: Transcript): Findings {
  return each(transcript, ({ left, got, plan }) => {
    return plan.response !== undefined && (got !== undefined || !left);
  }, ({ got, given, plan, problem }) => {
    if (isTranslated(transcript, plan)) return [];
    if (got === undefined) {
      return [`it had no answer${problem === undefined ? "" : `: ${problem}`}`];
    }
    const wanted = plan.response!.status;
    if (got.status === wanted) return [];
    // A server's own failure may be told as the gateway's.
    if (given !== undefined && wanted >= 500 && got.status >= 500) return [];
    if (given === undefined && mayAnswerItself(plan)) {
      if (wanted >= 400 && wanted !== 404 && got.status >= 400 && got.status < 500) return [];
      if (wanted < 300 && got.status < 300) return [];
    }
    return [`it was answered with ${got.status}, the server's answer was ${wanted}`];
  });
}

/** An answer of the server's that a proxy passes on: no error page, which it may replace. */
function isPassed({ given, got }: Outcome): boolean {
  if (given === undefined || got === undefined || got.status !== given.status) return false;
  return given.status < 400 || mediaType(given.fields) === "application/json";
}

/** Whether answers have those of the server's fields that mean something to MCP. */
export function judgeAnswerFields(transcript: Transcript): Findings {
  return each(transcript, isPassed, ({ given, got }) => {
    const wrong: string[] = [];
    const [was, is] = [mediaType(given!.fields), mediaType(got!.fields)];
    if (given!.body.length > 0 && is !== was) {
      wrong.push(`its content-type is ${is ?? "missing"}, the server's was ${was}`);
    }
    for (const name of ANSWER_FIELDS) {
      const [sent, came] = [fieldOf(given!.fields, name), fieldOf(got!.fields, name)];
      if (sent !== undefined && came === undefined) wrong.push(`${name}: ${sent} is missing`);
    }
    return wrong;
  });
}

/** Whether answers in JSON came as they were given. */
export function judgeAnswerBytes(transcript: Transcript): Findings {
  const applies = (outcome: Outcome) =>
    // What an acceptance says beside its status, nobody reads (2024-11-05 basic/transports, "HTTP with SSE").
    !(transcript.plan.isHttpSse && outcome.plan.response?.status === 202) && isPassed(outcome) &&
    !outcome.plan.isStream && !outcome.left && outcome.given!.end === "end";
  return each(transcript, applies, ({ given, got }) => {
    const [is, was] = [got!.body, given!.body].map((body) => canonical(body, transcript.aliases));
    return is === was ? [] : [`its body is ${is}, the server's was ${was}`];
  });
}
