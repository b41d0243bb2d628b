/**
 * Reading the answer to a request that the proxy itself has sent.
 *
 * @module
 */

import type { CancelSignal } from "../http/mod.ts";
import { EventParser, EventTooLargeError } from "../sse/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import { type Result, resultOf } from "./response_watch.ts";

/** An answer to the proxy itself has at most so many bytes. */
const MAX_BYTES = 1_048_576;

/**
 * The result in an answer, JSON or event stream; undefined where it has none. The rest is given up.
 *
 * @throws {ProxyError} where the answer breaks off, or `signal` is aborted before the result is there
 */
export async function firstResult(
  answer: UpstreamAnswer,
  signal: CancelSignal,
): Promise<Result | undefined> {
  const { status, kind, body } = answer;
  const giveUp = () => body.discard();
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    if (status !== 200) return undefined;
    if (kind === "json") {
      const bytes = await body.bytesWithin(MAX_BYTES);
      return bytes === null ? undefined : resultOf(new TextDecoder().decode(bytes));
    }
    return kind === "sse" ? await firstEvent(answer) : undefined;
  } catch (error) {
    if (error instanceof EventTooLargeError) return undefined;
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
    body.discard();
  }
}

async function firstEvent({ body }: UpstreamAnswer): Promise<Result | undefined> {
  const parser = new EventParser({ maxEventBytes: MAX_BYTES });
  const decoder = new TextDecoder();
  let seenBytes = 0;
  for (let coming = await body.next(); coming !== null; coming = await body.next()) {
    for (const piece of coming) {
      seenBytes += piece.length;
      for (const { data } of parser.feed(piece)) {
        const result = data && resultOf(decoder.decode(data));
        if (result !== undefined) return result;
      }
    }
    if (seenBytes > MAX_BYTES) return undefined;
  }
  return undefined;
}
