/**
 * Giving a client that comes back what the log has for it, in pages, and telling it of what is gone.
 *
 * @module
 */

import type { LoggedEvent } from "../event_log/mod.ts";
import { type Attachment, HIGH_WATER_BYTES } from "./attachment.ts";
import type { Outgoing } from "./framing.ts";
import type { Keeper } from "./keeper.ts";
import { gapNotice } from "./notices.ts";

/** What catching up takes. */
export interface CatchingUp {
  /** The client. */
  readonly attachment: Attachment;
  /** Whether it still is who reads the stream. */
  readonly isCurrent: () => boolean;
  /** Number of the newest event, kept or not. */
  readonly newest: () => number;
  /** What is kept. */
  readonly keeper: Keeper;
  /** The requests whose answers are in (`after`, `upTo`] and not among the events `held`. */
  readonly lost: (
    after: number,
    upTo: number,
    held: readonly LoggedEvent[],
  ) => readonly string[];
  /** What it is told where events are gone. */
  readonly missed: () => readonly Outgoing[];
  /** Settles when the client has room for more, or reads no more. */
  readonly room: () => Promise<void>;
  /** Called once it has everything, in the same turn: what comes from then on is its at once. */
  readonly done: () => void;
}

/** Gives a client what is kept behind `seq`, until it has everything; rejects where that cannot be read. */
export async function catchUp(seq: number, how: CatchingUp): Promise<void> {
  const { attachment, isCurrent, newest, keeper, lost, missed, room, done } = how;
  for (let at = seq; isCurrent() && (at < newest() || keeper.keeping !== undefined);) {
    if (keeper.keeping !== undefined) {
      await keeper.keeping;
      continue;
    }
    const upTo = newest();
    const { events } = await keeper.after(at, HIGH_WATER_BYTES);
    if (!isCurrent()) return;
    const last = events.at(-1)?.seq ?? upTo;
    // The log knows nothing of an event that it could not take.
    if (last - at !== events.length) {
      attachment.push(gapNotice(at, last, lost(at, last, events), missed()));
    }
    for (const { seq, bytes } of events) attachment.push(bytes, seq, 1);
    at = last;
    await room();
  }
  if (isCurrent()) done();
}
