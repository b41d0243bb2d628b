/**
 * One way in which a server fails, or is only unusual, and the check that is made of it.
 *
 * @module
 */

import type { MockRequest, MockScript } from "../mock/mod.ts";
import type { Assumption, Scenario } from "../suite/mod.ts";
import { type Judge, wireErrorOnly } from "./fault_judges.ts";
import {
  echoResult,
  expectWorks,
  modernByKey,
  modernCall,
  sessionByKey,
  sessionCall,
} from "./upstreams.ts";

/** The first line of an answer. */
export const OK = "HTTP/1.1 200 OK\r\n";

/** The line of its head that says what it is. */
export const JSON_TYPE = "content-type: application/json\r\n";

/** One way in which a server answers a call. */
export interface Fault {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly judge: Judge;
  readonly script: MockScript;
  /** That of 2026-07-28 where it is left out. */
  readonly era?: "session";
  readonly assumes?: readonly Assumption[];
}

/** The body that answers a call well. */
export function bodyOf(request: MockRequest): string {
  return JSON.stringify(echoResult(request));
}

/** A whole answer, with these lines of its head before its type and length. */
export function answerText(body: string, before = OK): string {
  return `${before}${JSON_TYPE}content-length: ${body.length}\r\n\r\n${body}`;
}

/** Gives a whole answer with these lines of its head before its type, and what follows it. */
export function rawAnswer(before: string, after: "close" | "finish"): MockScript {
  return async (request, reply) => {
    await reply.raw(answerText(bodyOf(request), before));
    reply[after]();
  };
}

/** The check of one fault: what the client sees, and that the next call works. */
export function faultScenario({ script, judge, era, ...check }: Fault): Scenario {
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
