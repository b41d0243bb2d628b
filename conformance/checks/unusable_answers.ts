/**
 * Answers that are none from their heads on: what a proxy has to answer with 502.
 *
 * @module
 */

import { bodyOf, type Fault, JSON_TYPE, OK } from "./fault.ts";
import { refused } from "./fault_judges.ts";
import { rawThenClose } from "./upstreams.ts";

const KINDS = '2026-07-28 basic/transports/streamable-http "Sending Messages" 6';
const BAD_GATEWAY = "RFC 9110 15.6.3";
const INCOMPLETE = "RFC 9112 8";

/** Answers that are unusable from their heads on. */
export const REFUSED: readonly Fault[] = [
  {
    id: "faults.html-with-200",
    title: "a page in HTML with status 200 is no answer to a call",
    source: `${KINDS}, R63`,
    judge: refused,
    script: (_, reply) => reply.whole(200, [["content-type", "text/html"]], "<p>Welcome!</p>"),
  },
  {
    id: "faults.no-content-type",
    title: "a body of no type is no answer to a call",
    source: `${KINDS}, R63`,
    judge: refused,
    script: (_, reply) => reply.whole(200, [], "hello"),
  },
  {
    id: "faults.no-content",
    title: "204 is no answer to a call",
    source: `${KINDS}, R63`,
    judge: refused,
    script: (_, reply) => reply.empty(204),
  },
  {
    id: "faults.empty-json",
    title: "JSON without a byte is no answer to a call",
    source: `${KINDS}, R63`,
    judge: refused,
    script: (_, reply) => reply.whole(200, [["content-type", "application/json"]], ""),
  },
  {
    id: "faults.accepted",
    title: "202 is no answer to a call",
    source: `${KINDS}, R63`,
    judge: refused,
    script: (_, reply) => reply.empty(202),
  },
  {
    id: "faults.text-in-a-session",
    title: "nor is plain text in a session",
    source: '2025-11-25 basic/transports "Sending Messages to the Server" 5, R63',
    judge: refused,
    era: "session",
    script: (_, reply) => reply.whole(200, [["content-type", "text/plain"]], "hello"),
  },
  {
    id: "faults.two-lengths",
    title: "an answer of two lengths is answered with 502",
    source: "RFC 9112 6.3, rule 5, R7",
    judge: refused,
    script: async (request, reply) => {
      const body = bodyOf(request);
      const lengths = `content-length: ${body.length}\r\ncontent-length: 5\r\n`;
      await rawThenClose(`${OK}${JSON_TYPE}${lengths}\r\n${body}`)(request, reply);
    },
  },
  {
    id: "faults.no-http",
    title: "bytes that are no HTTP are answered with 502",
    source: BAD_GATEWAY,
    judge: refused,
    script: rawThenClose("hello, this is no HTTP at all\r\n\r\n"),
  },
  {
    id: "faults.closed-before-the-head",
    title: "a connection that is closed before the answer is answered with 502",
    source: BAD_GATEWAY,
    judge: refused,
    script: (_, reply) => reply.close(),
  },
  {
    id: "faults.reset-before-the-head",
    title: "a connection that is reset before the answer is answered with 502",
    source: BAD_GATEWAY,
    judge: refused,
    script: (_, reply) => reply.reset(),
  },
  {
    id: "faults.closed-inside-the-head",
    title: "a head that breaks off is answered with 502",
    source: `${BAD_GATEWAY}, ${INCOMPLETE}`,
    judge: refused,
    script: rawThenClose(`${OK}content-type: applica`),
  },
  {
    id: "faults.endless-head",
    title: "a head of 2 MiB is answered with 502",
    source: "RFC 9110 5.4, RFC 6585 5",
    judge: refused,
    script: async (_, reply) => {
      await reply.raw(`${OK}${JSON_TYPE}`);
      for (let at = 0; at < 32 && !reply.isGone; at++) {
        await reply.raw(`x-filler-${at}: ${"x".repeat(65_000)}\r\n`);
      }
      reply.close();
    },
  },
];
