/**
 * A session as an instance holds it while it is in use here.
 *
 * @module
 */

import { inwardId, Replacement } from "../http/mod.ts";
import type { SessionRecord, SessionState } from "./record.ts";

/** What has passed in a session at this instance. */
export interface SessionTraffic {
  /** Requests, of whatever method; the one that opened it counts where it was opened. */
  requests: number;
  /** Bytes of bodies from the client. */
  bytesIn: number;
  /** Bytes of bodies to the client; of what the proxy refuses by itself, none. */
  bytesOut: number;
  /** Events of streams to the client, of those that are looked into. */
  events: number;
  /** Streams held now, those that nobody reads included. */
  streams: number;
}

/** The two names of a session, and each in place of the other. */
export interface SessionNames {
  /** The upstream's, as it stands in JSON. */
  readonly upstream: string;
  /** The client's. */
  readonly client: string;
  /** The client's in place of the upstream's. */
  readonly toClient: Replacement;
  /** The upstream's in place of the client's. */
  readonly toUpstream: Replacement;
}

/** An upstream's id is looked for in messages from this length on. */
const MIN_SEARCHED_CHARACTERS = 16;

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
  /** Its neighbours in the `Roll`, which alone sets them. */
  cameBefore: Session | undefined;
  /** See `cameBefore`. */
  cameAfter: Session | undefined;
  /** When it has lasted as long as it may, on the clock's monotonic scale. */
  readonly endsMs: number;
  #names: SessionNames | undefined;
  /** The upstream's id that `#names` was made of. */
  #namedUpstreamId: string | undefined;
  #onEnd: (() => void) | undefined;

  /** A session with this record, used now. */
  constructor(id: string, record: SessionRecord, nowMs: number, endsMs = Infinity) {
    this.endsMs = endsMs;
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

  /**
   * Its two ids where messages may be searched for them: an upstream's id of a few characters may be part of
   * anything.
   */
  get names(): SessionNames | undefined {
    const { upstreamId, id: client } = this;
    if (this.#namedUpstreamId !== upstreamId) {
      this.#namedUpstreamId = upstreamId;
      this.#names = undefined;
      const spoken = inwardId(upstreamId);
      if (spoken.length < MIN_SEARCHED_CHARACTERS) return undefined;
      // A quote or a backslash in it stands behind a backslash there.
      const upstream = JSON.stringify(spoken).slice(1, -1);
      const toClient = new Replacement(upstream, client);
      this.#names = { upstream, client, toClient, toUpstream: new Replacement(client, upstream) };
    }
    return this.#names;
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
