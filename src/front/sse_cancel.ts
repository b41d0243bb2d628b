/**
 * R54: HTTP+SSE knows no way to come back, so what a client that has gone had begun is cancelled upstream.
 *
 * @module
 */

import type { UpstreamCall } from "../upstream/mod.ts";
import type { SseRouteOptions } from "./sse_route.ts";

/** How long cancellations may take before the session is ended upstream, in milliseconds. */
const FAREWELL_MS = 2_000;

/** Cancellations of one client that are sent at one time. */
const CANCELLED_AT_ONCE = 4;

/**
 * Cancels requests of a client that has gone, as far as there is time; never rejects.
 *
 * @param call what the upstream is told beside them; it is aborted when the time is up
 */
export async function cancelUpstream(
  idTexts: readonly string[],
  call: Omit<UpstreamCall, "signal">,
  { upstream, clock, logger, route }: SseRouteOptions,
): Promise<void> {
  const control = new AbortController();
  const { signal } = control;
  const timer = clock.after(FAREWELL_MS, () => control.abort());
  const left = [...idTexts];
  const tell = async () => {
    for (let id = left.shift(); id !== undefined && !signal.aborted; id = left.shift()) {
      try {
        (await upstream.notify({ ...call, signal }, cancellation(id))).body.discard();
      } catch (error) {
        logger.debug("a cancellation was lost", { route, error });
      }
    }
  };
  await Promise.all(Array.from({ length: CANCELLED_AT_ONCE }, tell));
  timer.cancel();
}

function cancellation(idText: string): Uint8Array {
  return new TextEncoder().encode(
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${idText},` +
      `"reason":"The client has gone."}}`,
  );
}
