/**
 * Learning from the answer to `initialize` which revision the two sides settled on.
 *
 * The answer itself passes untouched; this only watches a bounded copy of it.
 *
 * @module
 */

import { watchEvents } from "../sse/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";

/** Watches at most this many bytes of an answer. */
const MAX_WATCHED_BYTES = 1_048_576;

/** Calls `settled` with the negotiated revision when it goes by, if it does. */
export function watchNegotiation(
  answer: UpstreamAnswer,
  settled: (revision: string) => void,
): void {
  const tell = (text: string) => {
    const revision = negotiatedRevision(text);
    if (revision !== undefined) settled(revision);
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

/** `result.protocolVersion` of an `InitializeResult`; undefined where the text is none. */
function negotiatedRevision(text: string): string | undefined {
  if (!text.includes('"protocolVersion"')) return undefined;
  try {
    const message = JSON.parse(text) as { result?: { protocolVersion?: unknown } } | null;
    const revision = message?.result?.protocolVersion;
    return typeof revision === "string" ? revision : undefined;
  } catch {
    return undefined;
  }
}
