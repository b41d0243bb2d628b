/**
 * What passes in a session outside of its event streams, which count by themselves.
 *
 * @module
 */

import { type ClientAnswer, ReplacedSource } from "../http/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";

/** Counts the body of a request. */
export function countRequest({ traffic }: Session, bytes: number): void {
  traffic.bytesIn += bytes;
}

/** Counts the `initialize` that has opened the session, which belonged to none when it came. */
export function countOpening(session: Session, bytes: number): void {
  session.traffic.requests++;
  countRequest(session, bytes);
}

/** Counts an answer: at once where it is whole, and as it comes where the body of the upstream's passes. */
export function countAnswer({ traffic }: Session, answer: ClientAnswer, body?: UpstreamBody): void {
  const took = (bytes: Uint8Array) => void (traffic.bytesOut += bytes.length);
  if (answer.body instanceof Uint8Array) took(answer.body);
  else if (answer.body instanceof ReplacedSource) answer.body.tap(took);
  else if (body !== undefined && answer.body === body) body.tap(took);
}
