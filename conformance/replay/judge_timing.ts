/**
 * What is judged of the time at which things come and go: pure functions of what both sides saw.
 *
 * @module
 */

import { each, type Findings } from "./findings.ts";
import { comparable, type Outcome, type Transcript } from "./transcript.ts";

/** Whether each event was delivered before the next one was sent. */
export function judgeFirstEvent(transcript: Transcript): Findings {
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

/** Whether the heads of streams came without waiting for an event. */
export function judgeHead(transcript: Transcript): Findings {
  return each(
    transcript,
    ({ given, plan }) => plan.isStream && given !== undefined,
    ({ headLate }) => headLate ? ["the head of the stream waited for its first event"] : [],
  );
}

/** Whether the server's stream ended when the client left. */
export function judgeAbort(transcript: Transcript): Findings {
  return each(
    transcript,
    ({ cutAfterLeaving }) => cutAfterLeaving !== undefined,
    ({ cutAfterLeaving }) =>
      cutAfterLeaving ? [] : ["the client left, and the server's stream stayed open"],
  );
}
