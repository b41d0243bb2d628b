/**
 * A session as an instance holds it while it is in use here.
 *
 * @module
 */

import type { SessionRecord, SessionState } from "./record.ts";

/** What has passed in a session at this instance. */
export interface SessionTraffic {
  /** Requests, of whatever method. */
  requests: number;
  /** Bytes of bodies from the client. */
  bytesIn: number;
  /** Bytes of bodies to the client, so far as they were counted. */
  bytesOut: number;
  /** Events of streams to the client. */
  events: number;
  /** Streams open now. */
  streams: number;
}

/** One session. Made and changed by the table alone. */
export class Session {
  /** The id that the client has: a sealed token. Never sent upstream. */
  readonly id: string;
  /** What is kept of it; replaced as a whole when something changes. */
  record: SessionRecord;
  /** Requests and streams under way. */
  inFlight = 0;
  /** When the session was last used here, on the clock's monotonic scale. */
  lastUsedMs: number;
  /** When the store was last told that it is in use, on the same scale. */
  toldStoreMs: number;
  /** What the store was told then, in milliseconds since 1970. */
  toldLastUsedMs: number;
  /** Whether another instance may have changed the record since it was read. */
  stale = false;
  /** Whether it has been forgotten here. */
  ended = false;
  /** What has passed here. */
  readonly traffic: SessionTraffic = {
    requests: 0,
    bytesIn: 0,
    bytesOut: 0,
    events: 0,
    streams: 0,
  };
  #onEnd: (() => void) | undefined;

  /** A session with this record, used now. */
  constructor(id: string, record: SessionRecord, nowMs: number) {
    this.id = id;
    this.record = record;
    this.lastUsedMs = nowMs;
    this.toldStoreMs = nowMs;
    this.toldLastUsedMs = record.lastUsedMs;
  }

  /**
   * Called once when the session is forgotten here, for whatever reason; at once where it has been already,
   * as may happen to a session that ends while a request of it is looked at.
   */
  set onEnd(onEnd: () => void) {
    if (this.ended) onEnd();
    else this.#onEnd = onEnd;
  }

  /** Says that it has been forgotten here. Harmless again. */
  end(): void {
    const onEnd = this.#onEnd;
    this.ended = true;
    this.#onEnd = undefined;
    onEnd?.();
  }

  /** What its record is found by; safe to tell, since no id can be made of it. */
  get key(): string {
    return this.record.key;
  }

  /** The id that the upstream has. Never sent to a client (R77). */
  get upstreamId(): string {
    return this.record.upstreamId;
  }

  /** The route that the session belongs to; it does not exist on another. */
  get route(): string {
    return this.record.route;
  }

  /** Id of the principal that it belongs to; it does not exist for another (R72). */
  get principal(): string {
    return this.record.principal;
  }

  /** The revision that `initialize` settled, once its answer was seen. */
  get revision(): string | undefined {
    return this.record.revision;
  }

  /** Where it is in its life. */
  get state(): SessionState {
    return this.ended ? "closed" : this.record.state;
  }
}
