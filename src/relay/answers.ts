/**
 * The answers on a stream: which are still to come, and which of its events hold the others, so that one
 * which is no longer held can be told from one that the client has.
 *
 * @module
 */

import type { LoggedEvent } from "../event_log/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import { isNumbered, type Outgoing } from "./framing.ts";
import { Pending } from "./pending.ts";
import type { StreamMark } from "./stream_directory.ts";

const encoder = new TextEncoder();

/** The answers to the requests of one stream; at most one place is kept for each request. */
export class Answers {
  readonly #requestIds: readonly string[];
  readonly #pending: Pending;
  /** The numbers of the events with answers, by the exact texts of their requests' ids. */
  readonly #places: Map<string, number>;
  /** The requests without an answer that their client has cancelled. */
  readonly #cancelled = new Set<string>();
  /** The requests whose answers were not passed on yet, where that is not what came. */
  #notPassed: Pending | undefined;

  /** Those to requests with these ids, as an earlier holder of the stream has left them. */
  constructor(
    requestIds: readonly string[],
    mark: Pick<StreamMark, "pending" | "answered"> | undefined,
  ) {
    this.#requestIds = requestIds;
    this.#pending = new Pending(mark?.pending ?? requestIds);
    this.#places = new Map(mark?.answered);
  }

  /** The requests without an answer, and where the answers to the others are. */
  get mark(): Pick<StreamMark, "pending" | "answered"> {
    const answered = this.#places.size === 0 ? undefined : [...this.#places];
    return { pending: this.#wanted(this.#pending.all()), answered };
  }

  /** Whether there is no request without an answer that is waited for. */
  get complete(): boolean {
    if (this.#pending.size === 0) return true;
    return this.#cancelled.size > 0 && this.#wanted(this.#pending.all()).length === 0;
  }

  /**
   * The client has cancelled a request, and is to get no error in place of its answer (2025-06-18
   * basic/utilities/cancellation: the receiver should not send a response), until what this gives is called. An
   * answer that comes all the same passes.
   */
  cancel(requestId: unknown): () => void {
    const found = this.#pending.all().filter((idText) => JSON.parse(idText) === requestId);
    for (const idText of found) this.#cancelled.add(idText);
    return () => found.forEach((idText) => this.#cancelled.delete(idText));
  }

  /** Takes events of the upstream, and what goes to the client for them, numbered from `before + 1` on. */
  take(events: readonly SseEvent[], passing: readonly Outgoing[], before: number): void {
    if (this.#requestIds.length === 0) return;
    if (events === passing) return this.#settle(this.#pending, passing, before);
    for (const { data } of events) if (data !== undefined) this.#pending.settle(data);
    this.#notPassed ??= new Pending(this.#requestIds.filter((idText) => !this.#places.has(idText)));
    this.#settle(this.#notPassed, passing, before);
  }

  /** The requests without an answer, which the proxy answers from now on with events from `before + 1` on. */
  takeAll(before: number): readonly string[] {
    const all = this.#wanted(this.#pending.takeAll());
    all.forEach((idText, at) => this.#places.set(idText, before + 1 + at));
    return all;
  }

  /** The requests with answers behind the event `after` and up to `upTo` that are not among those `held`. */
  lost(after: number, upTo: number, held: readonly LoggedEvent[]): readonly string[] {
    return lostAnswers(this.#places, after, upTo, held);
  }

  #wanted(idTexts: readonly string[]): readonly string[] {
    return this.#cancelled.size === 0
      ? idTexts
      : idTexts.filter((idText) => !this.#cancelled.has(idText));
  }

  #settle(pending: Pending, events: readonly Outgoing[], before: number): void {
    let number = before;
    for (const event of events) {
      if (isNumbered(event)) number++;
      const { data } = event;
      if (data === undefined || pending.size === 0) continue;
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      for (const idText of pending.settle(bytes)) this.#places.set(idText, number);
    }
  }
}

/** See `Answers.lost`, for answers at these places. */
export function lostAnswers(
  places: Iterable<readonly [idText: string, seq: number]>,
  after: number,
  upTo: number,
  held: readonly LoggedEvent[],
): readonly string[] {
  const lost: string[] = [];
  for (const [idText, place] of places) {
    if (place <= after || place > upTo) continue;
    if (!held.some(({ seq }) => seq === place)) lost.push(idText);
  }
  return lost;
}
