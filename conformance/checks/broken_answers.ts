/**
 * Answers that begin well, and break off, stall or end without what was asked for.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { type Fault, JSON_TYPE, OK } from "./fault.ts";
import { broken, unanswered } from "./fault_judges.ts";
import { progress, rawThenClose } from "./upstreams.ts";

const INCOMPLETE = "RFC 9112 8";
const CHUNKED = "transfer-encoding: chunked\r\n\r\n";

/** Answers that break off or stall. */
export const BROKEN: readonly Fault[] = [
  {
    id: "faults.short-json",
    title: "JSON that is shorter than its Content-Length is not passed on as whole",
    source: `${INCOMPLETE}, R59`,
    judge: broken,
    script: rawThenClose(`${OK}${JSON_TYPE}content-length: 500\r\n\r\n{"jsonrpc":"2.0"}`),
  },
  {
    id: "faults.short-large-json",
    title: "nor is JSON of 200 KB that breaks off",
    source: `${INCOMPLETE}, R59`,
    judge: broken,
    script: rawThenClose(
      `${OK}${JSON_TYPE}content-length: 300000\r\n\r\n{"jsonrpc":"2.0","x":"${"x".repeat(200_000)}`,
    ),
  },
  {
    id: "faults.truncated-chunked-json",
    title: "nor is JSON in chunks without the last one",
    source: `${INCOMPLETE}, RFC 9112 7.1, R59`,
    judge: broken,
    script: rawThenClose(`${OK}${JSON_TYPE}${CHUNKED}11\r\n{"jsonrpc":"2.0"}\r\n`),
  },
  {
    id: "faults.malformed-chunk",
    title: "nor is JSON in chunks one of which has a size that is no number",
    source: "RFC 9112 7.1",
    judge: broken,
    script: rawThenClose(`${OK}${JSON_TYPE}${CHUNKED}11\r\n{"jsonrpc":"2.0"}\r\nxyz\r\n`),
  },
  {
    id: "faults.reset-inside-json",
    title: "nor is JSON that a reset cuts",
    source: `${INCOMPLETE}, R59`,
    judge: broken,
    script: async (_, reply) => {
      await reply.head(200, [["content-type", "application/json"]]);
      await reply.write('{"jsonrpc":"2.0",');
      reply.reset();
    },
  },
  {
    id: "faults.truncated-stream",
    title: "a stream that the server's connection ends without a last chunk does not end cleanly",
    source: `${INCOMPLETE}, R59`,
    judge: broken,
    script: async (_, reply) => {
      await reply.stream();
      await reply.event({ data: progress(1) });
      reply.close();
    },
  },
  {
    id: "faults.reset-stream",
    title: "nor does one that a reset cuts",
    source: `${INCOMPLETE}, R59`,
    judge: broken,
    script: async (_, reply) => {
      await reply.stream();
      await reply.event({ data: progress(1) });
      reply.reset();
    },
  },
  {
    id: "faults.stalled-json",
    title: "JSON that stalls is given up in time and not passed on as whole",
    source: "RFC 9110 15.6.5, R62",
    judge: broken,
    assumes: ["short-timeouts"],
    script: async (_, reply) => {
      await reply.head(200, [["content-type", "application/json"]]);
      await reply.write('{"jsonrpc":"2.0",');
    },
  },
];

/** Ends a stream cleanly that has brought no answer, and no event id to come back with. */
const endWithoutAnswer: MockScript = async (_, reply) => {
  await reply.stream();
  await reply.event({ data: progress(1) });
  await reply.end();
};

/** Streams that end without the answer. */
export const UNANSWERED: readonly Fault[] = [
  {
    id: "faults.ended-without-answer",
    title: "a stream that the server ends cleanly without the answer is no success",
    source: '2026-07-28 basic/transports/streamable-http "Receiving Messages", R58',
    judge: unanswered,
    script: endWithoutAnswer,
  },
  {
    id: "faults.ended-without-answer-in-a-session",
    title: "nor is one in a session that cannot be resumed, since its events have no ids",
    source: '2025-11-25 basic/transports "Sending Messages to the Server" 6, R58',
    judge: unanswered,
    era: "session",
    script: endWithoutAnswer,
  },
];
