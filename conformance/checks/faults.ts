/**
 * An upstream that fails: what the client may see of it, and that the next call works.
 *
 * @module
 */

import type { MockRequest, MockScript, Reply } from "../mock/mod.ts";
import { type Assumption, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { broken, fine, type Judge, refused, unanswered, wireErrorOnly } from "./fault_judges.ts";
import {
  echoed,
  echoResult,
  expectWorks,
  keyOf,
  modernByKey,
  modernCall,
  progress,
  rawThenClose,
  sessionByKey,
  sessionCall,
  soon,
} from "./upstreams.ts";

const KINDS = '2026-07-28 basic/transports/streamable-http "Sending Messages" 6';
const BAD_GATEWAY = "RFC 9110 15.6.3";
const INCOMPLETE = "RFC 9112 8";
const OK = "HTTP/1.1 200 OK\r\n";
const JSON_TYPE = "content-type: application/json\r\n";
const CHUNKED = "transfer-encoding: chunked\r\n\r\n";

/** One way in which a server answers a call. */
interface Fault {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly judge: Judge;
  readonly script: MockScript;
  /** That of 2026-07-28 where it is left out. */
  readonly era?: "session";
  readonly assumes?: readonly Assumption[];
}

function bodyOf(request: MockRequest): string {
  return JSON.stringify(echoResult(request));
}

/** A whole answer with these lines of its head before the length, and what follows it. */
function rawAnswer(before: string, after: "close" | "finish"): MockScript {
  return async (request, reply) => {
    const body = bodyOf(request);
    await reply.raw(`${before}${JSON_TYPE}content-length: ${body.length}\r\n\r\n${body}`);
    reply[after]();
  };
}

const REFUSED: readonly Fault[] = [
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

const BROKEN: readonly Fault[] = [
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

const UNANSWERED: readonly Fault[] = [
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

const UNUSUAL: readonly Fault[] = [
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
      const body = bodyOf(request);
      const text = `${OK}${JSON_TYPE}content-length: ${body.length}\r\n\r\n${body}`;
      for (const character of text) {
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

/** The check of one fault: what the client sees, and that the next call works. */
function faultScenario({ script, judge, era, ...check }: Fault): Scenario {
  return {
    ...check,
    group: "faults",
    revisions: [era === "session" ? "2025-11-25" : "2026-07-28"],
    async run(context) {
      context.mock.use((era === "session" ? sessionByKey : modernByKey)({ subject: script }));
      const session = era === "session" ? await context.openSession() : undefined;
      const call = (key: string) =>
        session === undefined ? modernCall(context, key) : sessionCall(session, key);
      judge(await context.send(call("subject")).catch(wireErrorOnly));
      await expectWorks(context, call, "afterwards");
    },
  };
}

const OTHERS: readonly Scenario[] = [
  {
    id: "faults.no-answer-in-time",
    group: "faults",
    title: "a server that does not answer in time is answered with 504",
    source: "RFC 9110 15.6.5, R61",
    revisions: ["2026-07-28"],
    assumes: ["short-timeouts"],
    async run(context) {
      context.mock.use(modernByKey({ subject: (_, reply) => reply.gone }));
      const { status } = await context.send(modernCall(context, "subject"));
      expectEqual(status, 504, "the status of a call that the server did not answer");
      await expectWorks(context, (key) => modernCall(context, key), "afterwards");
    },
  },
  {
    id: "faults.second-answer-discarded",
    group: "faults",
    title: "a second answer to one request never becomes the answer to another",
    source: "RFC 9112 9.2, R8",
    revisions: ["2026-07-28"],
    run: secondAnswer,
  },
  {
    id: "faults.answer-before-the-request",
    group: "faults",
    title: "an answer that a connection brings while it is unused answers nothing",
    source: "RFC 9112 9.2, R8",
    revisions: ["2026-07-28"],
    run: earlyAnswer,
  },
  {
    id: "faults.stalled-calls-beside-others",
    group: "faults",
    title: "30 calls that the server does not answer hold up no other",
    source: "RFC 9110 15.6.5",
    revisions: ["2026-07-28"],
    run: stalledBesideOthers,
  },
];

const POISON = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}';

/** A whole answer in bytes. */
function answerText(body: string): string {
  return `${OK}${JSON_TYPE}content-length: ${body.length}\r\n\r\n${body}`;
}

async function secondAnswer(context: Context): Promise<void> {
  const twice: MockScript = async (request, reply) => {
    await reply.raw(answerText(bodyOf(request)) + answerText(POISON));
    reply.finish();
  };
  context.mock.use(modernByKey({ twice }));
  for (let at = 0; at < 5; at++) {
    const first = await context.send(modernCall(context, "twice"));
    // What comes with its answer may cost a call its answer; it must not give it another one.
    if (first.status === 200) expectEqual(echoed(first), "twice", "the answer to the call");
    await expectWorks(context, (key) => modernCall(context, key), "behind a double answer");
  }
}

async function earlyAnswer(context: Context): Promise<void> {
  const late = Promise.withResolvers<Reply>();
  const script: MockScript = async (request, reply) => {
    await reply.raw(answerText(bodyOf(request)));
    late.resolve(reply);
    reply.finish();
  };
  context.mock.use(modernByKey({ subject: script }));
  await context.send(modernCall(context, "subject"));
  const reply = await context.within(late.promise, "the answer of the server");
  await reply.raw(answerText(POISON));
  for (let at = 0; at < 5; at++) {
    const key = `behind ${at}`;
    const answer = await context.send(modernCall(context, key));
    // The connection may break under a call that was on its way; another answer it must not get.
    if (answer.status === 200) expectEqual(echoed(answer), key, "the answer to a later call");
  }
}

async function stalledBesideOthers(context: Context): Promise<void> {
  const stalled = new Map<string, Reply>();
  const all = Promise.withResolvers<void>();
  const stall: MockScript = async (request, reply) => {
    stalled.set(keyOf(request)!, reply);
    if (stalled.size === 30) all.resolve();
    await reply.gone;
  };
  const keys = Array.from({ length: 30 }, (_, at) => `stalled ${at}`);
  context.mock.use(modernByKey(Object.fromEntries(keys.map((key) => [key, stall]))));
  for (const key of keys) {
    const client = await context.connect();
    await client.write(context.bytes(modernCall(context, key)));
  }
  expect(await soon(all.promise.then(() => true)), `${stalled.size} of 30 calls came at once`);
  for (let at = 0; at < 5; at++) {
    await expectWorks(context, (key) => modernCall(context, key), "beside 30 that stall");
  }
  const over = [...stalled.values()].filter((reply) => reply.isGone).length;
  expectEqual(over, 0, "the number of stalled calls that ended before the others were answered");
}

/** The checks of upstreams that fail. */
export const FAULTS: readonly Scenario[] = [
  ...[...REFUSED, ...BROKEN, ...UNANSWERED, ...UNUSUAL].map(faultScenario),
  ...OTHERS,
];
