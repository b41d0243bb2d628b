/**
 * Learning from the answer to a request what it said, while the answer itself passes untouched.
 *
 * @module
 */

import { watchEvents } from "../sse/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";

/** Watches at most this many bytes of an answer. */
const MAX_WATCHED_BYTES = 1_048_576;

/** A JSON-RPC response that was answered with a result. */
export type Result = Readonly<Record<string, unknown>>;

/** Calls `settled` with the result of the one request that `answer` answers when it goes by, if it does. */
export function watchResult(answer: UpstreamAnswer, settled: (result: Result) => void): void {
  const tell = (text: string) => {
    const result = resultOf(text);
    if (result !== undefined) settled(result);
  };
  if (answer.kind === "sse") answer.body.tap(watchEvents(tell, MAX_WATCHED_BYTES));
  else watchJson(answer, tell);
}

function watchJson(answer: UpstreamAnswer, tell: (text: string) => void): void {
  const decoder = new TextDecoder();
  let text = "";
  answer.body.tap((bytes) => {
    if (text.length < MAX_WATCHED_BYTES) text += decoder.decode(bytes, { stream: true });
  });
  answer.body.whenOver(() => tell(text));
}

/** `result` of a JSON-RPC response; undefined where the text is none, or is an error. */
export function resultOf(text: string): Result | undefined {
  if (!text.includes('"result"')) return undefined;
  try {
    const message = JSON.parse(text) as { result?: unknown } | null;
    const result = message?.result;
    return typeof result === "object" && result !== null ? result as Result : undefined;
  } catch {
    return undefined;
  }
}
