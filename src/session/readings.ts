/**
 * Reading sessions from the store: once for all who ask at a time, and not from before the latest change.
 *
 * @module
 */

import type { SessionRecord } from "./record.ts";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";
import { stored } from "./store_calls.ts";

/** A session that is being read for the first time. */
interface Loading {
  /** Whether another instance may have changed it since. */
  isStale: boolean;
  session: Promise<Session> | undefined;
}

/** A session that is being read anew. */
interface Refreshing {
  done: Promise<void> | undefined;
}

/** The reading of sessions under way. */
export class Readings {
  readonly #store: SessionStore;
  readonly #onGone: (session: Session) => void;
  readonly #loading = new Map<string, Loading>();
  readonly #refreshing = new Map<Session, Refreshing>();

  /** None yet. `onGone` is told of a session that the store does not have any more. */
  constructor(store: SessionStore, onGone: (session: Session) => void) {
    this.#store = store;
    this.#onGone = onGone;
  }

  /** Whether the session with this key is being read for the first time. */
  isLoading(key: string): boolean {
    return this.#loading.has(key);
  }

  /**
   * The session with this key, which is not held here: what `restore` makes of its record.
   *
   * @throws what `restore` does; {ProxyError} `store_unavailable`
   */
  load(
    key: string,
    restore: (record: SessionRecord | undefined) => Session,
  ): Session | Promise<Session> {
    const underWay = this.#loading.get(key)?.session;
    if (underWay !== undefined) return underWay;
    const record = stored(() => this.#store.load(key));
    if (!(record instanceof Promise)) return restore(record);
    const loading: Loading = { isStale: false, session: undefined };
    this.#loading.set(key, loading);
    loading.session = this.#load(record, loading, restore)
      .finally(() => this.#loading.delete(key));
    return loading.session;
  }

  /** Reads a session anew, for all who ask before it changes again. */
  refresh(session: Session): Promise<void> {
    return this.#refreshing.get(session)?.done ?? this.reload(session);
  }

  /** Reads a session anew, from now. */
  reload(session: Session): Promise<void> {
    const refreshing: Refreshing = { done: undefined };
    this.#refreshing.set(session, refreshing);
    refreshing.done = this.#refresh(session, refreshing);
    return refreshing.done;
  }

  /** Another instance has changed what has this key, or, with undefined, perhaps anything. */
  changed(key: string | undefined): void {
    for (const [loaded, loading] of this.#loading) {
      if (key === undefined || loaded === key) loading.isStale = true;
    }
  }

  /** Another instance has changed a session: what is being read of it may be from before that. */
  outdate(session: Session): void {
    session.stale = true;
    this.#refreshing.delete(session);
  }

  async #load(
    record: Promise<SessionRecord | undefined>,
    loading: Loading,
    restore: (record: SessionRecord | undefined) => Session,
  ): Promise<Session> {
    const session = restore(await record);
    if (!loading.isStale) return session;
    session.stale = true;
    await this.refresh(session);
    if (session.ended) return restore(undefined);
    return session;
  }

  async #refresh(session: Session, refreshing: Refreshing): Promise<void> {
    let record: SessionRecord | undefined;
    let isLatest = false;
    try {
      record = await stored(() => this.#store.load(session.key));
    } finally {
      isLatest = this.#refreshing.get(session) === refreshing;
      if (isLatest) this.#refreshing.delete(session);
    }
    if (isLatest) session.stale = false;
    if (record === undefined) this.#onGone(session);
    else session.record = record;
  }
}
