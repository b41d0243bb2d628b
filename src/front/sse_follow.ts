/**
 * A stream of the upstream, followed to its end for a client of HTTP+SSE.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery"; R57.
 *
 * @module
 */

import { isStop } from "../errors.ts";
import type { CancelSignal } from "../http/mod.ts";
import { Reconnect } from "../relay/mod.ts";
import { headerForm } from "../rpc/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import type { EventRelay } from "./sse_relay.ts";
import type { SseSession } from "./sse_session.ts";

/** How a stream of the upstream is followed to its end. */
export interface Follow {
  /** What passes it on; it tells of each read with messages in it, and whether they had event ids. */
  readonly relay: (onDelivered: (withIds: boolean) => void) => EventRelay;
  /** Whether nothing more is expected of it. */
  readonly isDone: () => boolean;
  /** Told of each body that is read from now on. */
  readonly keep: (body: UpstreamBody) => void;
  /** Whether it can be taken up again behind this event. */
  readonly mayGoOn: (lastEventId: string | undefined) => boolean;
  /** See `Reconnect`. */
  readonly listen: (lastEventId: string | undefined, ids: number) => Promise<UpstreamAnswer>;
  /** Aborted when it is not wanted any more. */
  readonly signal: CancelSignal;
  /** See `Reconnect`. */
  readonly standing: boolean;
  /** What its client has to be told once it was taken up again; left out where nothing is. */
  readonly missed?: () => readonly SseEvent[];
}

/**
 * Passes a stream on, and takes it up again where it breaks off, since the client cannot (R57): by its last
 * event id, as 2025-11-25 basic/transports has it of clients.
 *
 * @param first left out where it is to be asked for
 * @returns what it broke off with, if it did
 */
export async function followStream(
  client: Pick<SseSession, "route" | "over">,
  first: UpstreamBody | undefined,
  follow: Follow,
): Promise<unknown> {
  const { clock, backOff } = client.route;
  const { listen, signal, standing } = follow;
  const reconnect = new Reconnect({ clock, backOff, listen, standing, onSessionGone: () => {} });
  const relay = follow.relay((withIds) => reconnect.delivered(withIds));
  const stop = () => reconnect.stop();
  signal.addEventListener("abort", stop);
  try {
    const isOver = () => client.over || signal.aborted;
    // Servers that give an answer again forget the end behind it: the official v1 SDK does.
    const isEnough = () => isRest && follow.isDone();
    let isRest = false;
    let body = first ?? await reconnect.again(undefined, undefined, isOver);
    while (body !== undefined) {
      follow.keep(body);
      const { lastEventId, retryMs, failure } = await relay.pass(body, isEnough);
      isRest = true;
      if (isOver() || follow.isDone()) return undefined;
      if (isStop(failure) || !follow.mayGoOn(lastEventId)) return failure;
      body = await reconnect.after(lastEventId, retryMs, isOver, failure === undefined);
      if (body !== undefined) await relay.tell(follow.missed?.() ?? []);
    }
    return undefined;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** An event id as a header field. */
export function fieldOf(lastEventId: string | undefined): string | null {
  return lastEventId === undefined ? null : headerForm(lastEventId);
}
