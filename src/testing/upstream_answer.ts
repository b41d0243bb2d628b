/**
 * Answers of an upstream, made by hand.
 *
 * @module
 */

import { Fields } from "../http/mod.ts";
import { AnswerBody, type UpstreamAnswer } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";

/** An answer whose body a test fills. */
export interface OpenAnswer {
  readonly answer: UpstreamAnswer;
  readonly body: AnswerBody;
  /** Another piece of the body. */
  push(text: string): void;
  /** Whether its reader has given it up. */
  readonly isGivenUp: boolean;
}

type Head = Partial<Pick<UpstreamAnswer, "status" | "kind" | "sessionId">>;

/** An answer with these pieces of a body so far. */
export function openAnswer(head: Head = {}, ...pieces: readonly string[]): OpenAnswer {
  let isGivenUp = false;
  const control = { pause: () => {}, resume: () => {}, abort: () => void (isGivenUp = true) };
  const timer = { clock: new ManualClock(), idleMs: 1_000, untilMs: Infinity };
  const body = new AnswerBody(control, timer);
  const push = (text: string) => body.push(new TextEncoder().encode(text));
  for (const piece of pieces) push(piece);
  const answer: UpstreamAnswer = {
    status: 200,
    kind: "json",
    sessionId: undefined,
    ...head,
    headers: new Fields(),
    body,
  };
  return {
    answer,
    body,
    push,
    get isGivenUp() {
      return isGivenUp;
    },
  };
}

/** An answer with this body. */
export function wholeAnswer(head: Head, ...pieces: readonly string[]): UpstreamAnswer {
  const { answer, body } = openAnswer(head, ...pieces);
  body.finish();
  return answer;
}
