/**
 * The sessions in use at this instance, in front of the store that keeps them: found by the client's id,
 * bounded in number and time, ended by a reaper that no timer wakes while there is nothing to reap (R82, R85).
 *
 * The order of the map is the order of last use, so that those to be reaped and the one that gives way
 * stand at its front.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { LiveSessions } from "./live_sessions.ts";
import type { SessionRecord } from "./record.ts";
import { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

/** Makes the ids that clients have, and reads them. `SessionIds` is one. */
export interface IdSealer {
  /** A new id, and the key of its record. */
  mint(session: NamedSession): { readonly id: string; readonly key: string };
  /** What an id holds; undefined for what was not made for this principal (R72, R74). */
  open(id: string, principal: string): NamedSession & { readonly key: string } | undefined;
}

/** What an id names. */
export interface NamedSession {
  /** Name of the route. */
  readonly route: string;
  /** The upstream's session id when it was made. */
  readonly upstreamId: string;
  /** When it was made, in milliseconds since 1970. */
  readonly createdMs: number;
  /** Id of the principal, where an id is made. */
  readonly principal?: string;
}

/** Limits of the table. */
export interface SessionTableLimits {
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** Sessions of one principal at one time. */
  readonly maxSessionsPerPrincipal: number;
  /** How long a session may be unused before it is forgotten, in milliseconds. */
  readonly sessionIdleTimeoutMs: number;
  /** How long a session may last, in use or not, in milliseconds. */
  readonly sessionLifetimeMs: number;
  /** How long the longest idle session must have been idle to give way to a new one. */
  readonly sessionEvictIdleMs: number;
}

/** What a table works with. */
export interface SessionTableOptions {
  /** Time. */
  readonly clock: Clock;
  /** The ids. */
  readonly ids: IdSealer;
  /** Where sessions are kept. */
  readonly store: SessionStore;
  /** Bounds. */
  readonly limits: SessionTableLimits;
  /** Told of a session that was given up here and nowhere goes on: its upstream session is of no use. */
  readonly onAbandoned?: (session: Session) => void;
  /** Told of what the store could not do where nobody waits for it. */
  readonly onStoreFailure?: (error: unknown) => void;
}

/** A session to be opened. */
export interface NewSession {
  /** Name of its route. */
  readonly route: string;
  /** Id of its principal. */
  readonly principal: string;
  /** The upstream's id. */
  readonly upstreamId: string;
  /** The `initialize` message as it went upstream, where it may be sent again. */
  readonly initialize?: string | undefined;
}

/** At most so many sessions are looked at before others get their turn. */
const REAPED_AT_ONCE = 1_000;

/** The store is told of use at least as often as this share of the idle lifetime, and at most once a second. */
const TELL_STORE_SHARE = 10;
const MIN_TELL_STORE_MS = 1_000;
const MAX_TELL_STORE_MS = 60_000;

/**
 * How long a store has to keep what was not used, so that it is there at least as long as the table, which
 * tells it of use now and then, holds the session.
 */
export function storeIdleMs(sessionIdleTimeoutMs: number): number {
  return sessionIdleTimeoutMs + tellStoreEveryMs(sessionIdleTimeoutMs);
}

function tellStoreEveryMs(sessionIdleTimeoutMs: number): number {
  const share = sessionIdleTimeoutMs / TELL_STORE_SHARE;
  return Math.max(MIN_TELL_STORE_MS, Math.min(share, MAX_TELL_STORE_MS));
}

/** The sessions of all routes. */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #limits: SessionTableLimits;
  readonly #clock: Clock;
  readonly #store: SessionStore;
  readonly #sessions = new LiveSessions();
  /** Sessions that are being read from the store, by their ids. */
  readonly #loading = new Map<string, Promise<Session>>();
  readonly #tellStoreMs: number;
  #reaper: Timer | undefined;
  #closed = false;

  /** An empty table in front of a store. */
  constructor(options: SessionTableOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#tellStoreMs = tellStoreEveryMs(options.limits.sessionIdleTimeoutMs);
    this.#store.onChange((key) => this.#changedElsewhere(key));
  }

  /** How many sessions are in use here. */
  get size(): number {
    return this.#sessions.size;
  }

  /** How many principals have sessions here. */
  get principals(): number {
    return this.#sessions.principals;
  }

  /** The one in use here whose record has this key, whoever it belongs to: for who looks after the proxy. */
  byKey(key: string): Session | undefined {
    return this.#sessions.byKey(key);
  }

  /** At most `limit` of those in use here that came after `after`, or the first ones; use moves none. */
  page(limit: number, after?: Session): readonly Session[] {
    return this.#sessions.page(limit, after);
  }

  /** Those in use here, the longest unused first. */
  all(): Iterable<Session> {
    return this.#sessions;
  }

  /**
   * Makes sure that one more session can be kept; said before `initialize` goes upstream, so that no session
   * is made there that nobody could reach.
   *
   * @throws {ProxyError} `sessions_exhausted`, `principal_exhausted`
   */
  ensureRoom(principal: string): void {
    this.#reap();
    const { maxSessions, maxSessionsPerPrincipal } = this.#limits;
    if (this.#sessions.countOf(principal) >= maxSessionsPerPrincipal && !this.#evict(principal)) {
      throw new ProxyError(
        "principal_exhausted",
        "This caller has as many sessions as it may; end one with DELETE, or try again later.",
        { headers: { "retry-after": "10" } },
      );
    }
    if (this.#sessions.size < maxSessions || this.#evict()) return;
    throw new ProxyError(
      "sessions_exhausted",
      "The proxy holds as many sessions as it may; try again later.",
      { headers: { "retry-after": "10" } },
    );
  }

  /**
   * Keeps a new session and gives it an id of the proxy's own.
   *
   * @throws {ProxyError} `store_unavailable`
   */
  open(session: NewSession): Session | Promise<Session> {
    const createdMs = this.#clock.now().getTime();
    const { route, principal, upstreamId, initialize } = session;
    const { id, key } = this.#options.ids.mint({ route, principal, upstreamId, createdMs });
    const record: SessionRecord = {
      key,
      route,
      principal,
      state: "initialising",
      upstreamId,
      generation: 0,
      createdMs,
      lastUsedMs: createdMs,
      ...(initialize === undefined ? {} : { initialize }),
      subscriptions: [],
    };
    const saved = stored(() => this.#store.save(record));
    // Several initialize requests may have passed ensureRoom before the first was answered.
    if (this.#sessions.size >= this.#limits.maxSessions) this.#dropOldest();
    if (saved instanceof Promise) return saved.then(() => this.#add(id, record));
    return this.#add(id, record);
  }

  /**
   * The session that `id` names on `route` for `principal`, marked as used now.
   *
   * @throws {ProxyError} `session_not_found`, the same whether the id never was, has ended, or belongs to
   * another route or principal (R72, R74, R81); `store_unavailable`
   */
  find(route: string, principal: string, id: string): Session | Promise<Session> {
    const session = this.#sessions.get(id);
    if (session !== undefined && !session.stale) return this.#checked(session, route, principal);
    const opened = this.#options.ids.open(id, principal);
    if (opened === undefined || opened.route !== route) throw notFound();
    if (session !== undefined) {
      return this.#refresh(session).then(() => this.#checked(session, route, principal));
    }
    const loading = this.#loading.get(id);
    if (loading !== undefined) return loading;
    const record = stored(() => this.#store.load(opened.key));
    if (!(record instanceof Promise)) return this.#restored(id, record, route, principal);
    const restoring = record.then((found) => this.#restored(id, found, route, principal))
      .finally(() => this.#loading.delete(id));
    this.#loading.set(id, restoring);
    return restoring;
  }

  /** Counts a request or stream of the session as under way; the result ends it, once. */
  use(session: Session): () => void {
    let ended = false;
    session.inFlight++;
    session.traffic.requests++;
    return () => {
      if (ended) return;
      ended = true;
      session.inFlight--;
      this.#touch(session);
    };
  }

  /**
   * Changes what is kept of a session, at all instances.
   *
   * @returns whether it still is a session
   */
  change(
    session: Session,
    to: (record: SessionRecord) => SessionRecord | undefined,
  ): boolean | Promise<boolean> {
    const changed = stored(() => this.#store.update(session.key, to));
    if (changed instanceof Promise) return changed.then((record) => this.#settle(session, record));
    return this.#settle(session, changed);
  }

  /** The same where nobody waits for it; what fails is told. */
  note(session: Session, to: (record: SessionRecord) => SessionRecord | undefined): void {
    this.#quietly(() => this.change(session, to));
  }

  /** Reads anew what is kept of a session; whether it still is one. */
  async reload(session: Session): Promise<boolean> {
    await this.#refresh(session);
    return !session.ended;
  }

  /** See `SessionStore.lock`. */
  lock(session: Session, holdMs: number): ReturnType<SessionStore["lock"]> {
    return stored(() => this.#store.lock(session.key, holdMs));
  }

  /** Forgets a session, here and in the store. */
  close(session: Session): void {
    if (session.ended) return;
    this.#remove(session);
    this.#quietly(() => this.#store.delete(session.key));
  }

  /** Stops the reaper. The sessions stay in the store. */
  stop(): void {
    this.#closed = true;
    this.#reaper?.cancel();
  }

  #add(id: string, record: SessionRecord): Session {
    const session = new Session(id, record, this.#clock.monotonicMs());
    this.#sessions.add(session);
    this.#watch();
    return session;
  }

  #remove(session: Session): void {
    if (session.ended) return;
    session.ended = true;
    this.#sessions.remove(session);
    session.onEnd?.();
  }

  #checked(session: Session, route: string, principal: string): Session {
    const isTheirs = session.route === route && session.principal === principal;
    if (!isTheirs || session.ended) throw notFound();
    if (this.#isOver(session)) {
      this.#giveUp(session);
      throw notFound();
    }
    this.#touch(session);
    return session;
  }

  /** A session that another instance, or an earlier run, has left in the store. */
  #restored(
    id: string,
    record: SessionRecord | undefined,
    route: string,
    principal: string,
  ): Session {
    if (record === undefined || record.route !== route || record.principal !== principal) {
      throw notFound();
    }
    const known = this.#sessions.byKey(record.key);
    if (known !== undefined) return this.#checked(known, route, principal);
    if (this.#sessions.size >= this.#limits.maxSessions) this.#dropOldest();
    const session = this.#add(id, record);
    this.#tellStore(session);
    return session;
  }

  #settle(session: Session, record: SessionRecord | undefined): boolean {
    // No record may also mean that there was nothing to change.
    if (record === undefined) return !session.ended;
    session.record = record;
    return true;
  }

  async #refresh(session: Session): Promise<void> {
    session.stale = false;
    try {
      const record = await stored(() => this.#store.load(session.key));
      if (record === undefined) this.#remove(session);
      else session.record = record;
    } catch (error) {
      session.stale = true;
      throw error;
    }
  }

  #changedElsewhere(key: string | undefined): void {
    const changed = key === undefined ? this.#sessions : [this.#sessions.byKey(key)];
    for (const session of changed) {
      if (session === undefined) continue;
      session.stale = true;
      // One that was ended elsewhere must not keep its streams here.
      if (session.inFlight > 0) this.#quietly(() => this.#refresh(session));
    }
  }

  #touch(session: Session): void {
    session.lastUsedMs = this.#clock.monotonicMs();
    if (session.ended) return;
    this.#sessions.used(session);
    if (session.lastUsedMs - session.toldStoreMs >= this.#tellStoreMs) this.#tellStore(session);
  }

  #tellStore(session: Session): void {
    session.toldStoreMs = session.lastUsedMs;
    this.#quietly(() => this.#store.touch(session.key, this.#clock.now().getTime()));
  }

  #idleMs(session: Session): number {
    return this.#clock.monotonicMs() - session.lastUsedMs;
  }

  #isOver(session: Session): boolean {
    const ageMs = this.#clock.now().getTime() - session.record.createdMs;
    if (ageMs >= this.#limits.sessionLifetimeMs) return true;
    return session.inFlight === 0 && this.#idleMs(session) >= this.#limits.sessionIdleTimeoutMs;
  }

  /** Gives up a session that was unused here for long, unless it goes on at another instance. */
  #giveUp(session: Session): void {
    this.#remove(session);
    this.#quietly(async () => {
      const record = await this.#store.load(session.key);
      if (record !== undefined && this.#usedElsewhere(session, record)) return;
      await this.#store.delete(session.key);
      this.#options.onAbandoned?.(session);
    });
  }

  #usedElsewhere(session: Session, record: SessionRecord): boolean {
    const { sessionLifetimeMs, sessionIdleTimeoutMs } = this.#limits;
    const nowMs = this.#clock.now().getTime();
    if (nowMs - record.createdMs >= sessionLifetimeMs) return false;
    // What this instance knows of its last use may be newer than what the store was told.
    const idleMs = Math.min(nowMs - record.lastUsedMs, this.#idleMs(session));
    return idleMs < sessionIdleTimeoutMs;
  }

  /** Gives up what is over, a bounded part at a time. */
  #reap(): void {
    let seen = 0;
    for (const session of this.#sessions) {
      if (++seen > REAPED_AT_ONCE) break;
      if (this.#isOver(session)) this.#giveUp(session);
      else if (session.inFlight > 0 && this.#idleMs(session) > 0) this.#touch(session);
      else if (this.#idleMs(session) < this.#limits.sessionIdleTimeoutMs) break;
    }
    this.#watch();
  }

  /** Wakes the reaper when the session that is unused for longest may be over; not at all without one. */
  #watch(): void {
    const { oldest } = this.#sessions;
    if (oldest === undefined || this.#closed) {
      this.#reaper?.cancel();
      this.#reaper = undefined;
      return;
    }
    if (this.#reaper !== undefined) return;
    const { sessionIdleTimeoutMs, sessionLifetimeMs } = this.#limits;
    const dueMs = Math.min(sessionIdleTimeoutMs - this.#idleMs(oldest), sessionLifetimeMs);
    // A session in use is told to the store well before the store would let it go.
    const delayMs = Math.max(Math.min(dueMs, sessionIdleTimeoutMs / 2), MIN_TELL_STORE_MS);
    this.#reaper = this.#clock.after(delayMs, () => {
      this.#reaper = undefined;
      this.#reap();
      this.#quietly(() => this.#store.sweep());
    });
  }

  /** Ends the longest idle session, of a principal where one is named, if it has been idle long enough. */
  #evict(principal?: string): boolean {
    const { sessionEvictIdleMs } = this.#limits;
    for (const session of this.#sessions) {
      if (this.#idleMs(session) < sessionEvictIdleMs) return false;
      if (session.inFlight > 0) continue;
      if (principal !== undefined && session.principal !== principal) continue;
      this.#abandon(session);
      return true;
    }
    return false;
  }

  #dropOldest(): void {
    const oldest = this.#sessions.oldestUnused() ?? this.#sessions.oldest;
    if (oldest !== undefined) this.#abandon(oldest);
  }

  #abandon(session: Session): void {
    this.close(session);
    this.#options.onAbandoned?.(session);
  }

  /** Does what nobody waits for; what fails is told. */
  #quietly(act: () => unknown): void {
    const tell = (error: unknown) => this.#options.onStoreFailure?.(error);
    try {
      const acting = act();
      if (acting instanceof Promise) acting.catch(tell);
    } catch (error) {
      tell(error);
    }
  }
}

function notFound(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "This session does not exist or has ended; start a new one with initialize.",
  );
}

/** Asks the store; what it cannot do is a `ProxyError`. */
function stored<T>(ask: () => T | Promise<T>): T | Promise<T> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(refuse) : answer;
  } catch (error) {
    return refuse(error);
  }
}

function refuse(error: unknown): never {
  if (error instanceof ProxyError) throw error;
  throw new ProxyError(
    "store_unavailable",
    "The proxy cannot reach the store of its sessions; try again later.",
    { cause: error, headers: { "retry-after": "5" } },
  );
}
