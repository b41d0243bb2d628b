/**
 * What a replay is judged by: pure functions of what both sides saw.
 *
 * Each returns what is wrong, or undefined where the fixture has nothing to judge. One fault of a proxy
 * is to show in one group: what came late is judged by `streaming` alone and is complete if it came at
 * the end; an id that was not translated is `sessions` alone, one that stands elsewhere is `privacy`.
 *
 * A proxy may rightly answer by itself what the recorded server refused (it may know the rule, too),
 * the end of a session, and a resumption (from an event log of its own).
 *
 * @module
 */

import type { Check } from "../suite/mod.ts";
import {
  judgeEnds,
  judgeEventIds,
  judgeEvents,
  judgeOrder,
  judgeTruncation,
} from "./judge_events.ts";
import { type ExchangePlan, fieldOf, mediaType, templateText } from "./plan.ts";
import { comparable, type Outcome, type Transcript } from "./transcript.ts";
import { canonical } from "./values.ts";

/** What is wrong; undefined where there was nothing to judge. */
export type Findings = readonly string[] | undefined;

/** A check, and how a replay is judged by it. */
export interface Judgement extends Check {
  judge(transcript: Transcript): Findings;
}

const SESSION_FIELD = "mcp-session-id";

/** Fields of requests that mean something to an MCP server. */
const REQUEST_FIELDS = /^(content-type|mcp-protocol-version|mcp-method|mcp-name|mcp-param-.+)$/;

/** Fields of answers that mean something to an MCP client. */
const ANSWER_FIELDS = ["retry-after", "allow"] as const;

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

function judged({ outcomes }: Transcript): readonly Outcome[] {
  return outcomes.filter(({ skipped, sent }) => skipped === undefined && sent !== undefined);
}

function each(
  transcript: Transcript,
  applies: (outcome: Outcome) => boolean,
  find: (outcome: Outcome) => readonly string[],
): Findings {
  const own = judged(transcript).filter(applies);
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) => find(outcome).map((what) => `${describe(outcome)}: ${what}`));
}

function judgeOnce(transcript: Transcript): Findings {
  const strays = transcript.strays.map((request) => `nobody sent this to the server: ${request}`);
  const found = each(transcript, () => true, (outcome) => {
    if (outcome.repeats > 0) return [`it reached the server ${outcome.repeats + 1} times`];
    const refused = (outcome.got?.status ?? 0) >= 400 || outcome.problem !== undefined;
    // Refusing what is right is an answer of its own, and judged as one.
    if (outcome.arrived !== undefined || refused || mayAnswerItself(outcome.plan)) return [];
    return ["it never reached the server"];
  });
  return found === undefined ? undefined : [...found, ...strays];
}

function judgeRequestBytes(transcript: Transcript): Findings {
  return each(transcript, ({ arrived, sent }) => arrived !== undefined && sent!.body.length > 0, ({
    arrived,
    sent,
  }) => {
    const [is, was] = [arrived!.body, sent!.body].map((body) =>
      canonical(body, transcript.aliases)
    );
    return is === was ? [] : [`its body arrived as ${is}, sent was ${was}`];
  });
}

function judgeRequestFields(transcript: Transcript): Findings {
  return each(transcript, ({ arrived }) => arrived !== undefined, ({ arrived, sent }) => {
    const wrong: string[] = [];
    for (const [name, value] of sent!.fields) {
      // HTTP+SSE has no such field; that later clients send it all the same means nothing.
      if (transcript.plan.isHttpSse && name === "mcp-protocol-version") continue;
      const came = fieldOf(arrived!.fields, name);
      if (REQUEST_FIELDS.test(name) && came !== value) {
        wrong.push(`${name} arrived as ${came ?? "nothing"}, sent was ${value}`);
      }
    }
    for (const type of ["application/json", "text/event-stream"]) {
      if (!fieldOf(sent!.fields, "accept")?.includes(type)) continue;
      const accept = fieldOf(arrived!.fields, "accept") ?? "nothing";
      if (!accept.includes(type)) wrong.push(`accept arrived as ${accept}, without ${type}`);
    }
    return wrong.concat(resumption(transcript, fieldOf(sent!.fields, "last-event-id"), arrived!));
  });
}

function resumption(
  { aliases }: Transcript,
  sent: string | undefined,
  arrived: { readonly fields: readonly (readonly [string, string])[] },
): string[] {
  const came = fieldOf(arrived.fields, "last-event-id");
  const alias = aliases.find(({ client }) => client === sent);
  if (sent === undefined || alias === undefined || came === alias.server) return [];
  return [`last-event-id arrived as ${came ?? "nothing"}, the server's own was ${alias.server}`];
}

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

function judgeStatus(transcript: Transcript): Findings {
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

function judgeAnswerFields(transcript: Transcript): Findings {
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

function judgeAnswerBytes(transcript: Transcript): Findings {
  const applies = (outcome: Outcome) =>
    // What an acceptance says beside its status, nobody reads (2024-11-05 basic/transports, "HTTP with SSE").
    !(transcript.plan.isHttpSse && outcome.plan.response?.status === 202) && isPassed(outcome) &&
    !outcome.plan.isStream && !outcome.left && outcome.given!.end === "end";
  return each(transcript, applies, ({ given, got }) => {
    const [is, was] = [got!.body, given!.body].map((body) => canonical(body, transcript.aliases));
    return is === was ? [] : [`its body is ${is}, the server's was ${was}`];
  });
}

function judgeFirstEvent(transcript: Transcript): Findings {
  return each(
    transcript,
    ({ given, plan }) => plan.isStream && (given?.blocks.length ?? 0) > 0,
    (outcome) => {
      const { blocksLate, headLate } = outcome;
      // What never came was not late, but lost; what waits with the head is the head's matter.
      if (blocksLate.length === 0 || headLate || isIncomplete(outcome)) return [];
      return [`event ${blocksLate[0]! + 1} was not delivered before the next one was sent`];
    },
  );
}

/** Whether a stream is over for the client, and lacks events. */
function isIncomplete({ given, got }: Outcome): boolean {
  if (given === undefined || got === undefined || got.end === "open") return false;
  return comparable(given.blocks, got.blocks).length < given.blocks.length;
}

function judgeHead(transcript: Transcript): Findings {
  return each(
    transcript,
    ({ given, plan }) => plan.isStream && given !== undefined,
    ({ headLate }) => headLate ? ["the head of the stream waited for its first event"] : [],
  );
}

function judgeTranslated(transcript: Transcript): Findings {
  const known = transcript.sessions.filter(({ client }) => client !== undefined);
  if (known.length === 0) return undefined;
  const same = known.filter(({ client, server }) => client === server)
    .map(({ index }) => `the client was given the server's own id of session ${index}`);
  const wrong = judged(transcript).flatMap((outcome) => {
    const sent = fieldOf(outcome.sent!.fields, SESSION_FIELD);
    const session = known.find(({ client }) => client === sent);
    if (session === undefined || outcome.arrived === undefined) return [];
    const came = fieldOf(outcome.arrived.fields, SESSION_FIELD);
    if (came === session.server) return [];
    return [`${describe(outcome)}: the server got the session id ${came ?? "(none)"}, not its own`];
  });
  return [...same, ...wrong];
}

function judgePrivacy(transcript: Transcript): Findings {
  const translated = transcript.sessions.filter(({ client, server }) =>
    client !== undefined && client !== server
  );
  if (translated.length === 0) return undefined;
  const holds = (
    side: { readonly fields: readonly (readonly [string, string])[]; readonly body: Uint8Array },
    id: string,
  ) => {
    const fields = side.fields.filter(([name]) => name !== SESSION_FIELD);
    return JSON.stringify(fields).includes(id) || new TextDecoder().decode(side.body).includes(id);
  };
  return judged(transcript).flatMap((outcome) =>
    translated.flatMap(({ client, server, index }) => {
      const { got, arrived } = outcome;
      const what = [];
      if (got !== undefined && holds(got, server)) what.push("the client was told the server's");
      if (arrived !== undefined && holds(arrived, client!)) {
        what.push("the server was told the client's");
      }
      return what.map((told) => `${describe(outcome)}: ${told} id of session ${index}`);
    })
  );
}

function judgeAbort(transcript: Transcript): Findings {
  return each(
    transcript,
    ({ cutAfterLeaving }) => cutAfterLeaving !== undefined,
    ({ cutAfterLeaving }) =>
      cutAfterLeaving ? [] : ["the client left, and the server's stream stayed open"],
  );
}

/** Everything that a replay is judged by. */
export const JUDGEMENTS: readonly Judgement[] = [
  {
    id: "once.fixture",
    group: "once",
    title: "Each recorded request reaches the server exactly once",
    source: "the issue of this suite; 2026-07-28 basic/transports/streamable-http; R60, R64",
    judge: judgeOnce,
  },
  {
    id: "request.fixture-bytes",
    group: "request",
    title: "The bodies of recorded requests arrive byte for byte",
    source: "R21, R24, R28",
    judge: judgeRequestBytes,
  },
  {
    id: "request.fixture-fields",
    group: "request",
    title: "The fields of recorded requests that mean something to MCP arrive",
    source: "2025-11-25 basic/transports; 2026-07-28 basic/transports/streamable-http " +
      "(Request Metadata)",
    judge: judgeRequestFields,
  },
  {
    id: "answer.fixture-status",
    group: "answer",
    title: "Recorded answers have their status",
    source: "2025-11-25 basic/transports (Sending Messages to the Server); 2026-07-28 " +
      "basic/transports/streamable-http",
    judge: judgeStatus,
  },
  {
    id: "answer.fixture-fields",
    group: "answer",
    title: "Recorded answers have their Content-Type, Retry-After and Allow",
    source: "2025-11-25 basic/transports; RFC 9110 sections 8.3, 10.2.1, 10.2.3; R64",
    judge: judgeAnswerFields,
  },
  {
    id: "answer.fixture-bytes",
    group: "answer",
    title: "Recorded JSON answers arrive byte for byte",
    source: "R24, R28",
    judge: judgeAnswerBytes,
  },
  {
    id: "events.fixture-complete",
    group: "events",
    title: "Every recorded event arrives, with its type and data",
    source: "HTML 9.2.6; 2025-11-25 basic/transports (Resumability and Redelivery); R39, R47",
    judge: judgeEvents,
  },
  {
    id: "events.fixture-order",
    group: "events",
    title: "Recorded events arrive in their order",
    source: "HTML 9.2.6; 2025-11-25 basic/transports (Listening for Messages from the Server)",
    judge: judgeOrder,
  },
  {
    id: "events.fixture-ids",
    group: "events",
    title: "Events that had an id have one, and the same event the same one",
    source: "2025-11-25 basic/transports (Resumability and Redelivery); R79",
    judge: judgeEventIds,
  },
  {
    id: "events.fixture-clean-end",
    group: "events",
    title: "A stream that the server ended after its response ends cleanly",
    source: "2025-11-25 basic/transports; RFC 9112 section 8",
    judge: judgeEnds,
  },
  {
    id: "streaming.fixture-head",
    group: "streaming",
    title: "The head of a recorded stream does not wait for an event",
    source: "R51; 2025-11-25 basic/transports (Listening for Messages from the Server)",
    judge: judgeHead,
  },
  {
    id: "streaming.fixture-first-event",
    group: "streaming",
    title: "Each recorded event is delivered before the next one is sent",
    source: "R51",
    judge: judgeFirstEvent,
  },
  {
    id: "sessions.fixture-translated",
    group: "sessions",
    title: "The client's session id is the proxy's own, and the server gets back its own",
    source: "2025-11-25 basic/transports (Session Management); R77",
    judge: judgeTranslated,
  },
  {
    id: "privacy.fixture-ids",
    group: "privacy",
    title: "No session id of one side is told to the other",
    source: "R77, R97; 2025-11-25 basic/security_best_practices (Session Hijacking)",
    judge: judgePrivacy,
  },
  {
    id: "cancellation.fixture-abort",
    group: "cancellation",
    title: "A client of 2026-07-28 that leaves ends the server's stream",
    source: "2026-07-28 basic/transports/streamable-http (Cancellation); R54",
    judge: judgeAbort,
  },
  {
    id: "faults.fixture-truncation",
    group: "faults",
    title: "A stream that broke off does not end as if it were whole",
    source: "RFC 9112 section 8; R59",
    judge: judgeTruncation,
  },
];

/** The checks that replays judge. */
export const REPLAY_CHECKS: readonly Check[] = JUDGEMENTS;
