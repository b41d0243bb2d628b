/**
 * What passes in a session outside of its event streams, which count by themselves.
 *
 * @module
 */

import type { ClientAnswer } from "../http/mod.ts";
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
  if (answer.body instanceof Uint8Array) traffic.bytesOut += answer.body.length;
  else if (body !== undefined && answer.body === body) {
    body.tap((bytes) => {
      traffic.bytesOut += bytes.length;
    });
  }
}
