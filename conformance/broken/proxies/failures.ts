/**
 * Proxies that mishandle departures, failures, and what is only unusual in a server.
 *
 * @module
 */

import { binary } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import { answering, bare, NO_RESULT, NOTHING, pause, said, SESSION } from "../choices.ts";
import type {
  AnswerChange,
  AnswerHead,
  Damage,
  Passing,
  Sides,
  StreamChange,
  Surroundings,
} from "../damage.ts";
import { bytesOf, fieldOf, requestWith } from "../message.ts";
import { blocks, isStream, onStreams, tellsOfFailure } from "../streams.ts";

/** Ends, when one client leaves, the calls of others that are under way. */
function endingOthers(): Sides {
  const underWay = new Set<Passing>();
  const ended = new Set<Passing>();
  return {
    front: {
      request: (request) => void underWay.add(request),
      answer(_, request) {
        underWay.delete(request);
        return ended.delete(request) ? { status: 500, whole: () => new Uint8Array() } : undefined;
      },
      departed(request) {
        underWay.delete(request);
        for (const other of underWay) ended.add(other);
      },
    },
  };
}

const CANCELLED = bytesOf(
  '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
);

/** Tells the server of a session that a client which has left has cancelled its call. */
function cancellingForClients(): Sides {
  let telling: Promise<void> | undefined;
  const tell = async (request: Passing, { connectPast }: Surroundings) => {
    const server = await connectPast();
    await server.write(requestWith(request, { body: CANCELLED }));
    await server.read();
    server.close();
  };
  return {
    front: {
      async request() {
        await telling;
        return undefined;
      },
      answer: () => undefined,
      departed(request, surroundings) {
        if (request.method === "POST" && said(request, SESSION) !== undefined) {
          telling = tell(request, surroundings);
        }
      },
    },
  };
}

/** Refuses those who come back to a stream of a session in which a client has left one. */
function forgettingWhoLeft(): Sides {
  const left = new Set<string>();
  return {
    front: {
      request(request) {
        const isBack = request.method === "GET" && said(request, "last-event-id") !== undefined;
        return isBack && left.has(said(request, SESSION) ?? "") ? { answer: bare(400) } : undefined;
      },
      answer: () => undefined,
      departed(request) {
        const session = said(request, SESSION);
        if (session !== undefined) left.add(session);
      },
    },
  };
}

/** The broken proxies that do not care whether the client is there, or care too much. */
export const CANCELLATION = ofGroup("cancellation", [
  {
    name: "stays-when-the-client-leaves",
    describe: "goes on with a request whose client has gone",
    breaks: [
      "cancellation.stream-closed",
      "cancellation.silent-stream-closed",
      "cancellation.subscription-closed",
      "cancellation.before-the-answer",
      "cancellation.before-the-answer-body-apart",
      "cancellation.inside-a-json-answer",
      "cancellation.unread-stream-closed",
      "cancellation.fifty-departures",
    ],
    make: () => ({ front: { staysWhenClientLeaves: true } }),
  },
  {
    name: "ends-all-when-one-leaves",
    describe: "ends every call that is under way when one client leaves",
    breaks: ["cancellation.ends-no-other", "cancellation.departure-leaves-the-session"],
    make: endingOthers,
  },
  {
    name: "swallows-cancellations",
    describe: "takes notifications/cancelled and does not send it on",
    breaks: ["cancellation.notification-reaches-the-server"],
    make: () => ({
      front: answering((_, text) => text.includes('"notifications/cancelled"'), bare(202)),
    }),
  },
  {
    name: "cancels-for-clients",
    describe: "tells the server of a session that a client which left has cancelled its call",
    breaks: ["cancellation.departure-is-none-in-a-session"],
    make: cancellingForClients,
  },
  {
    name: "forgets-who-has-left",
    withEventLog: true,
    describe: "gives nothing more of its streams to a client of a session that left one",
    breaks: ["cancellation.session-call-goes-on"],
    make: forgettingWhoLeft,
  },
]);

/** Never. */
const NEVER = new Promise<never>(() => {});

/** Changes the answers that tell of a failure with this status. */
function onFailures(status: number, change: AnswerChange): Damage {
  return { answer: (head) => head.status === status ? change : undefined };
}

/** Whether an answer is JSON. */
function isJson({ fields }: AnswerHead): boolean {
  return fieldOf(fields, "content-type")?.toLowerCase().startsWith("application/json") ?? false;
}

const whole = (body: Uint8Array) => body;

/** Takes for an answer what is none, or only a part of one. */
function neverFailing(head: AnswerHead): AnswerChange | undefined {
  if (head.status === 502) return { status: 200, whole: () => bytesOf(NO_RESULT) };
  return isJson(head) ? { hideCut: true, whole } : undefined;
}

const FAILURE: AnswerChange = { status: 500 };

/** What an interim answer becomes where it is taken for the final one. */
const NOT_FINAL = bare(500);

const HAS_EXTENSION = /\r\n0*[0-9a-f]+;/i;

/** The bodies that come in one piece, or two, from a server that does not send byte by byte. */
const SHORT_BODY_BYTES = 1_000;
const FEW_PIECES = 3;

/** Spoils a body that comes in many pieces. */
function spoilingTrickles(): StreamChange {
  let count = 0;
  return { push: (piece) => [++count > FEW_PIECES ? piece.map(() => 120) : piece] };
}

/** Takes for a failure any answer that is not written as most are. */
function refusingUnusual(head: AnswerHead): AnswerChange | undefined {
  const { fields, startLine, status } = head;
  if (status !== 200 || !isJson(head)) return undefined;
  if (startLine.startsWith("HTTP/1.0")) return FAILURE;
  if (fieldOf(fields, "connection") === "close") return FAILURE;
  const length = fieldOf(fields, "content-length");
  if (length === undefined && fieldOf(fields, "transfer-encoding") === undefined) return FAILURE;
  if (length === undefined) {
    return {
      whole: (body, bytes) =>
        HAS_EXTENSION.test(binary(bytes.subarray(0, 4_096))) ? bytesOf("{}") : body,
    };
  }
  return Number(length) < SHORT_BODY_BYTES ? { stream: spoilingTrickles() } : undefined;
}

/** Gives the next call an answer that no call had asked for. */
function keepingStrays(): Damage {
  let stray: Uint8Array | undefined;
  return {
    answer(head, request) {
      if (!isJson(head)) return undefined;
      if (request.bytes.length === 0) return { whole: (body) => stray = body };
      const given = stray;
      stray = undefined;
      return given === undefined ? undefined : { whole: () => given };
    },
  };
}

/** How many calls are under way at the most, where more should be. */
const MAX_CALLS = 20;

/** How long a call counts that is not answered, in ms: the next case must find nothing of it. */
const MAX_CALL_MS = 1_000;

/** Lets calls wait while too many others have no answer. */
function servingFew(): Sides {
  const underWay = new Map<Passing, number>();
  const isFull = () => {
    const since = performance.now() - MAX_CALL_MS;
    for (const [request, startedMs] of underWay) if (startedMs < since) underWay.delete(request);
    return underWay.size >= MAX_CALLS;
  };
  return {
    front: {
      async request(request) {
        while (isFull()) await pause(5);
        underWay.set(request, performance.now());
        return undefined;
      },
      answer: (_, request) => void underWay.delete(request),
    },
  };
}

/** The broken proxies that mishandle failures. */
export const FAULTS = ofGroup("faults", [
  {
    name: "hides-truncation",
    describe:
      "ends an answer that was cut as if it had been complete, without an error in its place",
    breaks: [
      "faults.truncated-stream",
      "faults.reset-stream",
      "faults.ended-without-answer",
      "faults.ended-without-answer-in-a-session",
    ],
    make: () => ({
      front: {
        answer: (head: AnswerHead) =>
          isStream(head)
            ? { hideCut: true, stream: blocks((block) => tellsOfFailure(block) ? "" : block) }
            : undefined,
      },
    }),
  },
  {
    name: "takes-breaks-for-ends",
    withEventLog: true,
    describe: "takes a stream that broke for one that the server has closed",
    breaks: ["faults.broken-stream-taken-up"],
    make: () => ({
      back: onStreams(() => ({ hideCut: true, stream: { push: (piece) => [piece] } })),
    }),
  },
  {
    name: "answers-for-a-dead-server",
    describe: "answers 200 where the server closes the connection without an answer",
    breaks: ["faults.closed-before-the-head", "faults.reset-before-the-head"],
    make: () => ({ back: { request: () => undefined, unanswered: NOTHING } }),
  },
  {
    name: "never-fails",
    describe: "answers 200 where the server gave no answer, or a part of one",
    breaks: [
      "faults.html-with-200",
      "faults.no-content-type",
      "faults.no-content",
      "faults.accepted",
      "faults.empty-json",
      "faults.text-in-a-session",
      "faults.two-lengths",
      "faults.no-http",
      "faults.closed-inside-the-head",
      "faults.endless-head",
      "faults.short-json",
      "faults.short-large-json",
      "faults.truncated-chunked-json",
      "faults.malformed-chunk",
      "faults.reset-inside-json",
    ],
    make: () => ({ front: { answer: neverFailing } }),
  },
  {
    name: "refuses-unusual-answers",
    describe: "takes for failures answers that are right, but written as few are",
    breaks: [
      "faults.connection-close",
      "faults.http-1-0",
      "faults.ended-by-the-connection",
      "faults.interim-answers",
      "faults.trickled",
      "faults.odd-chunks",
    ],
    make: () => ({ back: { answer: refusingUnusual, interim: NOT_FINAL } }),
  },
  {
    name: "gives-strays-to-the-next",
    describe: "answers a call with what a connection had brought before",
    breaks: ["faults.second-answer-discarded", "faults.answer-before-the-request"],
    make: () => ({ back: keepingStrays() }),
  },
  {
    name: "serves-few-at-a-time",
    describe: "lets calls wait while twenty others have no answer",
    breaks: ["faults.stalled-calls-beside-others"],
    make: servingFew,
  },
  {
    name: "hangs-on-timeouts",
    needsTimeouts: true,
    describe: "does not answer where the server did not",
    breaks: ["faults.no-answer-in-time", "faults.stalled-json"],
    make: () => ({ front: onFailures(504, { wait: NEVER }) }),
  },
  {
    name: "answers-timeouts-with-500",
    needsTimeouts: true,
    describe: "answers 500 where the server did not answer in time",
    breaks: ["faults.no-answer-in-time"],
    make: () => ({ front: onFailures(504, { status: 500 }) }),
  },
]);
