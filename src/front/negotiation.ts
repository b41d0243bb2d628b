/**
 * Learning from the answer to `initialize` which revision the two sides settled on.
 *
 * The answer itself passes untouched; this only watches a bounded copy of it.
 *
 * @module
 */

import { createParser } from "eventsource-parser";
import type { UpstreamAnswer } from "../upstream/mod.ts";

/** Watches at most this many bytes of an answer. */
const MAX_WATCHED_BYTES = 1_048_576;

/** Calls `settled` with the negotiated revision when it goes by, if it does. */
export function watchNegotiation(
  answer: UpstreamAnswer,
  settled: (revision: string) => void,
): void {
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: (event) => tell(event.data) });
  let watchedBytes = 0;
  let json = "";

  function tell(text: string): void {
    const revision = negotiatedRevision(text);
    if (revision !== undefined) settled(revision);
  }

  answer.body.tap((bytes) => {
    watchedBytes += bytes.length;
    if (watchedBytes > MAX_WATCHED_BYTES) return;
    const text = decoder.decode(bytes, { stream: true });
    if (answer.kind === "sse") parser.feed(text);
    else json += text;
  });
  if (answer.kind === "json") answer.body.done.then(() => tell(json));
}

/** `result.protocolVersion` of an `InitializeResult`; undefined where the text is none. */
export function negotiatedRevision(text: string): string | undefined {
  if (!text.includes('"protocolVersion"')) return undefined;
  try {
    const message = JSON.parse(text) as { result?: { protocolVersion?: unknown } } | null;
    const revision = message?.result?.protocolVersion;
    return typeof revision === "string" ? revision : undefined;
  } catch {
    return undefined;
  }
}
