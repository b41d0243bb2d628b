/**
 * One upstream request for each client request. These alone count requests, and say nothing about
 * what the client gets.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { type Assumption, expectEqual, type Scenario } from "../suite/mod.ts";
import { ANSWER_MS, arrivals, expectOnce, ownKey, prepared } from "./arrivals.ts";
import { IN_SESSIONS } from "./once_in_sessions.ts";
import {
  echoKey,
  echoResult,
  keyOf,
  modernByKey,
  modernCall,
  progress,
  soon,
} from "./upstreams.ts";

const MODERN = '2026-07-28 basic/transports/streamable-http "Sending Messages"';
const T11 = '2025-11-25 basic/transports "Sending Messages to the Server"';
const IDEMPOTENT = "RFC 9110 9.2.2";

/** A call that something happens to. */
interface OneCall {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly era: "modern" | "session";
  readonly assumes?: readonly Assumption[];
  readonly script: MockScript;
}

const ONE_CALL: readonly OneCall[] = [
  {
    id: "once.answered",
    title: "a call that is answered reaches the server once",
    source: MODERN,
    era: "modern",
    script: echoKey,
  },
  {
    id: "once.answered-with-a-stream",
    title: "a call that is answered with a stream reaches the server once",
    source: T11,
    era: "session",
    script: async (request, reply) => {
      await reply.stream();
      await reply.event({ id: "1", data: progress(1) });
      await reply.event({ id: "2", data: echoResult(request) });
      await reply.end();
    },
  },
  {
    id: "once.closed-without-an-answer",
    title: "a call whose reused connection is closed without an answer is not sent again",
    source: `${IDEMPOTENT}, RFC 9112 9.3.1, R60`,
    era: "session",
    script: (_, reply) => reply.close(),
  },
  {
    id: "once.reset-without-an-answer",
    title: "a call whose reused connection is reset is not sent again",
    source: `${IDEMPOTENT}, RFC 9112 9.3.1, R60`,
    era: "modern",
    script: (_, reply) => reply.reset(),
  },
  {
    id: "once.closed-inside-the-head",
    title: "a call is not sent again where the head of its answer breaks off",
    source: IDEMPOTENT,
    era: "modern",
    script: async (_, reply) => {
      await reply.raw("HTTP/1.1 200 OK\r\ncontent-ty");
      reply.close();
    },
  },
  {
    id: "once.closed-inside-the-body",
    title: "a call is not sent again where the body of its answer breaks off",
    source: IDEMPOTENT,
    era: "session",
    script: async (_, reply) => {
      await reply.head(200, [["content-type", "application/json"], ["content-length", "500"]]);
      await reply.write('{"jsonrpc":');
      reply.close();
    },
  },
  {
    id: "once.reset-inside-a-stream",
    title: "a call is not sent again where its stream breaks off; its client may do that",
    source: `${IDEMPOTENT}; 2026-07-28 basic/transports/streamable-http "Receiving Messages"`,
    era: "modern",
    script: async (_, reply) => {
      await reply.stream();
      await reply.event({ data: progress(1) });
      reply.reset();
    },
  },
  {
    id: "once.no-http",
    title: "a call is not sent again where its answer is no HTTP",
    source: IDEMPOTENT,
    era: "session",
    script: async (_, reply) => {
      await reply.raw("this is no HTTP\r\n\r\n");
      reply.close();
    },
  },
  {
    id: "once.timeout-before-the-head",
    title: "a call is not sent again where its answer does not come in time",
    source: IDEMPOTENT,
    era: "modern",
    assumes: ["short-timeouts"],
    script: (_, reply) => reply.gone,
  },
  {
    id: "once.timeout-inside-the-body",
    title: "a call is not sent again where the body of its answer stalls",
    source: IDEMPOTENT,
    era: "session",
    assumes: ["short-timeouts"],
    script: async (_, reply) => {
      await reply.head(200, [["content-type", "application/json"]]);
      await reply.write('{"jsonrpc":');
    },
  },
  {
    id: "once.slow-answer",
    title: "a call whose answer takes its time is not sent a second time meanwhile",
    source: IDEMPOTENT,
    era: "modern",
    script: async (request, reply) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await reply.json(echoResult(request));
    },
  },
];

/** The check of one call: after another one, so that the connection to the server may be reused. */
function oneCallScenario({ script, era, ...check }: OneCall): Scenario {
  return {
    ...check,
    group: "once",
    revisions: [era === "modern" ? "2026-07-28" : "2025-11-25"],
    async run(context) {
      const key = ownKey(check.id);
      const { call } = await prepared(context, era, { [key]: script });
      await expectOnce(context, call, key);
    },
  };
}

const OTHERS: readonly Scenario[] = [
  {
    id: "once.error-status",
    group: "once",
    title: "a call that is answered with 429, 500, 502, 503 or 504 is not sent again",
    source: `${IDEMPOTENT}, R64`,
    revisions: ["2025-11-25"],
    async run(context) {
      const statuses = ["429", "500", "502", "503", "504"];
      const script = (status: string): MockScript => (_, reply) =>
        reply.json({ error: "try later" }, Number(status), [["retry-after", "0"]]);
      const entries = statuses.map((status) => [ownKey(status), script(status)] as const);
      const { call } = await prepared(context, "session", Object.fromEntries(entries));
      for (const [key] of entries) await expectOnce(context, call, key);
    },
  },
  {
    id: "once.unused-connection-closed",
    group: "once",
    title: "a call is not sent twice where the server closes the connection that it would reuse",
    source: "RFC 9112 9.3.1, R60",
    revisions: ["2026-07-28"],
    async run(context) {
      const answerAndClose: MockScript = async (request, reply) => {
        await reply.json(echoResult(request));
        reply.close();
      };
      context.mock.use(modernByKey({ before: answerAndClose }));
      for (let at = 0; at < 10; at++) {
        await soon(context.send(modernCall(context, "before")), ANSWER_MS);
        const key = ownKey(`call ${at}`);
        const { status } = await context.send(modernCall(context, key));
        const count = arrivals(context, key);
        // Not at all is right too, where the client is told so.
        if (count === 0 && status >= 500) continue;
        expectEqual(count, 1, "the number of times that the call reached the server");
      }
    },
  },
  {
    id: "once.concurrent",
    group: "once",
    title: "each of 100 calls that are made at once reaches the server once",
    source: MODERN,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey());
      const keys = Array.from({ length: 100 }, (_, at) => ownKey(`call ${at}`));
      await Promise.all(keys.map((key) => context.send(modernCall(context, key))));
      const arrived = context.mock.requests.map((request) => keyOf(request) ?? "")
        .filter((key) => keys.includes(key));
      expectEqual(arrived.length, 100, "the number of calls that reached the server");
      expectEqual(new Set(arrived).size, 100, "the number of different calls among them");
    },
  },
];

/** The checks of requests that must not be sent twice. */
export const ONCE: readonly Scenario[] = [
  ...ONE_CALL.map(oneCallScenario),
  ...OTHERS,
  ...IN_SESSIONS,
];
