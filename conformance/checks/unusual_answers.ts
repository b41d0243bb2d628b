/**
 * Answers that are sound, and rarely seen: what a proxy has to pass on.
 *
 * @module
 */

import { answerText, bodyOf, type Fault, JSON_TYPE, OK, rawAnswer } from "./fault.ts";
import { fine } from "./fault_judges.ts";
import { echoResult, rawThenClose } from "./upstreams.ts";

const CHUNKED = "transfer-encoding: chunked\r\n\r\n";

/** Answers that are only unusual. */
export const UNUSUAL: readonly Fault[] = [
  {
    id: "faults.connection-close",
    title: "an answer of a server that closes each connection arrives",
    source: "RFC 9112 9.6",
    judge: fine,
    script: (request, reply) => reply.json(echoResult(request), 200, [["connection", "close"]]),
  },
  {
    id: "faults.http-1-0",
    title: "an answer of HTTP/1.0 arrives",
    source: "RFC 9112 2.3",
    judge: fine,
    script: rawAnswer("HTTP/1.0 200 OK\r\n", "close"),
  },
  {
    id: "faults.ended-by-the-connection",
    title: "JSON of HTTP/1.1 without a length, which the end of its connection ends, arrives",
    source: "RFC 9112 6.3",
    judge: fine,
    script: (request, reply) =>
      rawThenClose(`${OK}${JSON_TYPE}\r\n${bodyOf(request)}`)(request, reply),
  },
  {
    id: "faults.interim-answers",
    title: "an answer behind interim ones (100, 102, 103) arrives",
    source: "RFC 9110 15.2",
    judge: fine,
    script: rawAnswer(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" +
        `HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n${OK}`,
      "finish",
    ),
  },
  {
    id: "faults.trickled",
    title: "an answer that comes byte by byte arrives",
    source: "RFC 9112 2.2",
    judge: fine,
    script: async (request, reply) => {
      for (const character of answerText(bodyOf(request))) {
        await reply.raw(character);
        // What is written in one turn of the event loop would be read in one piece.
        await new Promise((resolve) => setTimeout(resolve));
      }
      // To close it unsaid may cost the next call its answer.
      reply.finish();
    },
  },
  {
    id: "faults.odd-chunks",
    title: "an answer in chunks with extensions, leading zeros and trailers arrives",
    source: "RFC 9112 7.1",
    judge: fine,
    script: async (request, reply) => {
      const chunks = bodyOf(request).replaceAll(
        /.{1,7}/g,
        (piece) => `00${piece.length.toString(16).toUpperCase()};a=b;c="d"\r\n${piece}\r\n`,
      );
      await reply.raw(`${OK}${JSON_TYPE}${CHUNKED}${chunks}0\r\nx-sum: 1\r\n\r\n`);
      reply.finish();
    },
  },
];
