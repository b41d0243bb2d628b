/**
 * What a client may see of the answer of an upstream that fails.
 *
 * @module
 */

import { type Answer, expect, expectEqual } from "../suite/mod.ts";
import { WireError } from "../wire/mod.ts";
import { browserView } from "./event_view.ts";
import { echoed, messageIn } from "./upstreams.ts";

/** What a client may see of an answer; throws where it saw something else. */
export type Judge = (answer: Answer | WireError) => void;

/** An answer that is none is refused with a status of the proxy's. */
export const refused: Judge = (answer) => {
  if (answer instanceof WireError) throw answer;
  const { status, text } = answer;
  const shown = JSON.stringify(text.slice(0, 200));
  expect(status >= 500, `the client got status ${status} with ${shown}, expected 502`);
};

/** An answer that breaks off is refused, seen to break off, or ended with an error. */
export const broken: Judge = (answer) => {
  // No whole answer, not even a head, is seen to break off too.
  if (answer instanceof WireError) return;
  const { status, complete, text } = answer;
  const told = status >= 500 || !complete || /"error"\s*:/.test(text);
  expect(
    told,
    `an answer that broke off reached the client as whole, with status ${status}: ` +
      JSON.stringify(text.slice(0, 200)),
  );
};

/** A call that its stream left without an answer has failed: for the client too. */
export const unanswered: Judge = (answer) => {
  if (answer instanceof WireError) return;
  const { status, complete, text, message } = answer;
  const { events } = browserView(new TextEncoder().encode(text));
  const messages = [message, ...events.map(({ data }) => messageIn(data))];
  expect(
    status >= 500 || !complete || messages.some(isErrorOfTheCall),
    `a stream that ended without an answer to the call ended as well for the client, with status ` +
      `${status}, and no error with its id: ${JSON.stringify(text.slice(0, 200))}`,
  );
};

function isErrorOfTheCall(message: unknown): boolean {
  return typeof message === "object" && message !== null && "error" in message &&
    "id" in message && message.id === 1;
}

/** An answer that is only unusual arrives. */
export const fine: Judge = (answer) => {
  if (answer instanceof WireError) throw answer;
  expectEqual(answer.status, 200, "the status of the answer");
  expectEqual(echoed(answer), "subject", "the text of the answer");
  expect(answer.complete, "the answer was cut");
};

/** An error in what the client reads, as a value; others are thrown on. */
export function wireErrorOnly(error: unknown): WireError {
  if (error instanceof WireError) return error;
  throw error;
}
