/**
 * What a replay is judged by: pure functions of what both sides saw.
 *
 * Each returns what is wrong, or undefined where the fixture has nothing to judge. One fault of a proxy
 * is to show in one group: what came late is judged by `streaming` alone and is complete if it came at
 * the end; an id that was not translated is `sessions` alone, one that stands elsewhere is `privacy`.
 *
 * @module
 */

import type { Check } from "../suite/mod.ts";
import type { Findings } from "./findings.ts";
import { judgeAnswerBytes, judgeAnswerFields, judgeStatus } from "./judge_answers.ts";
import {
  judgeEnds,
  judgeEventIds,
  judgeEvents,
  judgeOrder,
  judgeTruncation,
} from "./judge_events.ts";
import { judgePrivacy, judgeTranslated } from "./judge_ids.ts";
import { judgeOnce, judgeRequestBytes, judgeRequestFields } from "./judge_requests.ts";
import { judgeAbort, judgeFirstEvent, judgeHead } from "./judge_timing.ts";
import type { Transcript } from "./transcript.ts";

/** A check, and how a replay is judged by it. */
export interface Judgement extends Check {
  judge(transcript: Transcript): Findings;
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
