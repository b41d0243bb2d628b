/**
 * The sessions in use at this instance, in front of the store that keeps them: found by the client's id,
 * bounded in number and time, ended by a reaper that no timer wakes while there is nothing to reap (R82, R85).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { abandon } from "./abandonment.ts";
import { LiveSessions } from "./live_sessions.ts";
import { Readings } from "./readings.ts";
import { Reaper } from "./reaper.ts";
import type { SessionRecord } from "./record.ts";
import { notFound, principalExhausted, sessionsExhausted } from "./refusals.ts";
import { Reservations } from "./reservations.ts";
import { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";
import { stored, then } from "./store_calls.ts";
import { type NewSession, type SessionTableOptions, tellStoreEveryMs } from "./table_options.ts";

/** The sessions of all routes. */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #clock: Clock;
  readonly #store: SessionStore;
  readonly #sessions = new LiveSessions();
  readonly #reservations = new Reservations();
  readonly #readings: Readings;
  readonly #reaper: Reaper;
  readonly #tellStoreMs: number;

  /** An empty table in front of a store. */
  constructor(options: SessionTableOptions) {
    const { clock, store, limits } = options;
    this.#options = options;
    this.#clock = clock;
    this.#store = store;
    this.#tellStoreMs = tellStoreEveryMs(limits.sessionIdleTimeoutMs);
    this.#readings = new Readings(store, (session) => this.#remove(session));
    this.#reaper = new Reaper({
      clock,
      limits,
      sessions: this.#sessions,
      giveUp: (session) => this.#giveUp(session),
      inUse: (session) => this.#touch(session),
      onReaped: () => this.#quietly(() => store.sweep()),
    });
    store.onChange((key) => this.#changedElsewhere(key));
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

  /** Those in use here, in the order in which they came. */
  all(): Iterable<Session> {
    return this.#sessions;
  }

  /**
   * Keeps room for one more session; said before `initialize` goes upstream, so that no session is made
   * there that nobody could reach, however many are on their way.
   *
   * @returns lets go of the room, once: for `open`, and harmless behind it
   * @throws {ProxyError} `sessions_exhausted`, `principal_exhausted`
   */
  reserve(principal: string): () => void {
    this.#ensureRoom(principal);
    return this.#reservations.take(principal);
  }

  /**
   * Keeps a new session and gives it an id of the proxy's own.
   *
   * @param release what `reserve` gave for it
   * @throws {ProxyError} `store_unavailable`; without a reservation `sessions_exhausted` and
   * `principal_exhausted`. Nothing is kept then, and the session is told to be abandoned.
   */
  open(session: NewSession, release = () => {}): Session | Promise<Session> {
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
    const opened = this.#begin(id, record);
    const refuse = (error: unknown): never => {
      opened.end();
      this.#quietly(() => this.#store.delete(key));
      this.#options.onAbandoned?.(opened);
      throw error;
    };
    try {
      const saving = then(stored(() => this.#store.save(record)), () => {
        release();
        return this.#add(opened);
      });
      return saving instanceof Promise ? saving.catch(refuse) : saving;
    } catch (error) {
      return refuse(error);
    }
  }

  /**
   * The session that `id` names on `route` for `principal`, marked as used now.
   *
   * @throws {ProxyError} `session_not_found`, the same whether the id never was, has ended, or belongs to
   * another route or principal (R72, R74, R81); `store_unavailable`; for a session that an earlier run or
   * another instance has left, `sessions_exhausted` and `principal_exhausted`
   */
  find(route: string, principal: string, id: string): Session | Promise<Session> {
    const session = this.#sessions.get(id);
    if (session !== undefined && !session.stale) return this.#checked(session, route, principal);
    const opened = this.#options.ids.open(id, principal);
    if (opened === undefined || opened.route !== route) throw notFound();
    const { key } = opened;
    if (session === undefined) {
      return this.#readings.load(key, (record) => this.#restored(id, record, route, principal));
    }
    return this.#readings.refresh(session).then(() => this.#checked(session, route, principal));
  }

  /**
   * Counts a request or stream of the session as under way; the result ends it, once.
   *
   * @param nowMs the time on the clock's monotonic scale: that of `find` where the session was found for it
   */
  use(session: Session, nowMs = this.#clock.monotonicMs()): () => void {
    let ended = false;
    session.inFlight++;
    session.traffic.requests++;
    this.#touch(session, nowMs);
    // It may have been ended elsewhere since it was found, when there was nothing under way to be ended.
    if (session.stale) this.#quietly(() => this.#readings.refresh(session));
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
    let isKept = false;
    const changed = stored(() =>
      this.#store.update(session.key, (record) => {
        isKept = true;
        return to(record);
      })
    );
    return then(changed, (record) => {
      if (record !== undefined) session.record = record;
      // No record may also mean that there was nothing to change.
      else if (!isKept) this.#remove(session);
      return !session.ended;
    });
  }

  /** The same where nobody waits for it; what fails is told. */
  note(session: Session, to: (record: SessionRecord) => SessionRecord | undefined): void {
    this.#quietly(() => this.change(session, to));
  }

  /** Reads anew what is kept of a session; whether it still is one. */
  async reload(session: Session): Promise<boolean> {
    await this.#readings.reload(session);
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

  /** Gives up a session whose client will never come: its upstream session is of no use. */
  abandon(session: Session): void {
    if (!session.ended) this.#giveUp(session);
  }

  /** Stops the reaper. The sessions stay in the store. */
  stop(): void {
    this.#reaper.stop();
  }

  /** Takes a session in, where there still is room for it. */
  #add(session: Session): Session {
    this.#ensureRoom(session.principal);
    this.#sessions.add(session);
    this.#reaper.watch();
    return session;
  }

  #ensureRoom(principal: string): void {
    this.#reaper.reap();
    const [sessions, reservations] = [this.#sessions, this.#reservations];
    const { maxSessions, maxSessionsPerPrincipal } = this.#options.limits;
    const own = sessions.countOf(principal) + reservations.countOf(principal);
    if (own >= maxSessionsPerPrincipal && !this.#evict(sessions.longestUnusedOf(principal))) {
      throw principalExhausted();
    }
    const all = sessions.size + reservations.size;
    if (all >= maxSessions && !this.#evict(sessions.longestUnused)) throw sessionsExhausted();
  }

  #remove(session: Session): void {
    if (session.ended) return;
    this.#sessions.remove(session);
    if (this.#sessions.size === 0) this.#reaper.watch();
    session.end();
  }

  #checked(session: Session, route: string, principal: string): Session {
    const isTheirs = session.route === route && session.principal === principal;
    if (!isTheirs || session.ended) throw notFound();
    const nowMs = this.#clock.monotonicMs();
    if (this.#reaper.isOver(session, nowMs)) {
      this.#giveUp(session);
      throw notFound();
    }
    this.#touch(session, nowMs);
    return session;
  }

  #begin(id: string, record: SessionRecord): Session {
    const nowMs = this.#clock.monotonicMs();
    const ageMs = this.#clock.now().getTime() - record.createdMs;
    return new Session(id, record, nowMs, nowMs + this.#options.limits.sessionLifetimeMs - ageMs);
  }

  /** A session that another instance, or an earlier run, has left in the store. */
  #restored(
    id: string,
    record: SessionRecord | undefined,
    route: string,
    principal: string,
  ): Session {
    const isTheirs = record?.route === route && record.principal === principal;
    // One that a DELETE was under way for is over, also where that was not the last of it (R81).
    if (!isTheirs || record.state === "closing") throw notFound();
    const session = this.#add(this.#begin(id, record));
    this.#tellStore(session);
    return session;
  }

  #changedElsewhere(key: string | undefined): void {
    this.#readings.changed(key);
    for (const session of key === undefined ? this.#sessions : [this.#sessions.byKey(key)]) {
      if (session === undefined) continue;
      this.#readings.outdate(session);
      // One that was ended elsewhere must not keep its streams here.
      if (session.inFlight > 0) this.#quietly(() => this.#readings.refresh(session));
    }
  }

  #touch(session: Session, nowMs = this.#clock.monotonicMs()): void {
    session.lastUsedMs = nowMs;
    if (session.ended) return;
    this.#sessions.used(session);
    if (session.lastUsedMs - session.toldStoreMs >= this.#tellStoreMs) this.#tellStore(session);
  }

  #tellStore(session: Session): void {
    const nowMs = this.#clock.now().getTime();
    session.toldStoreMs = session.lastUsedMs;
    session.toldLastUsedMs = nowMs;
    this.#quietly(() => this.#store.touch(session.key, nowMs));
  }

  /** Gives up a session that was unused here for long, unless it goes on at another instance. */
  #giveUp(session: Session): void {
    const { key } = session;
    this.#remove(session);
    const isBack = () => this.#readings.isLoading(key) || this.#sessions.byKey(key) !== undefined;
    this.#quietly(() => abandon(this.#options, session, isBack));
  }

  /** Ends a session, if it has been idle long enough to give way to another. */
  #evict(session: Session | undefined): boolean {
    if (session === undefined) return false;
    const idleMs = this.#clock.monotonicMs() - session.lastUsedMs;
    if (idleMs < this.#options.limits.sessionEvictIdleMs) return false;
    this.#giveUp(session);
    return true;
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
