/**
 * Streams that are open beside others, and calls beside them: none waits for another.
 *
 * @module
 */

import { expectEqual, type Scenario } from "../suite/mod.ts";
import { gated, gates, oneByOne, open, silent } from "./open_stream.ts";
import {
  echoed,
  modernByKey,
  modernProgressCall,
  progressCall,
  sessionByKey,
  sessionCall,
} from "./upstreams.ts";

const T11 = "2025-11-25 basic/transports";

/** The checks of several streams at once. */
export const SIDE_BY_SIDE: readonly Scenario[] = [
  {
    id: "streaming.two-streams-do-not-wait",
    group: "streaming",
    title: "a stream delivers while another one of the session is open and silent",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      const steps = gates(3);
      context.mock.use(sessionByKey({ lively: gated(steps), silent }, { GET: silent }));
      const session = await context.openSession();
      await open(context, progressCall(session, "silent", 1));
      await oneByOne(context, await open(context, progressCall(session, "lively", 2)), steps);
    },
  },
  {
    id: "streaming.calls-beside-an-open-stream",
    group: "streaming",
    title: "calls are answered while streams of the session are open",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      context.mock.use(sessionByKey({ silent }, { GET: silent }));
      const session = await context.openSession();
      await open(context, { method: "GET", fields: session.fields });
      await open(context, progressCall(session, "silent", 1));
      for (const key of ["a", "b", "c"]) {
        const answer = await context.send(sessionCall(session, key, key));
        expectEqual(echoed(answer), key, "what a call beside open streams was answered with");
      }
    },
  },
  {
    id: "streaming.forty-streams-at-once",
    group: "streaming",
    title: "each of 40 streams that are open at once delivers its first event",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey({ stream: gated(gates(1)) }));
      await Promise.all(Array.from({ length: 40 }, async (_, at) => {
        const stream = await open(context, modernProgressCall(context, "stream", at));
        await stream.until(1);
      }));
    },
  },
];
