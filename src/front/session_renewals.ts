/**
 * Making sessions anew that the upstream has lost: the `initialize` that began one is sent once more, and what
 * the client had set is set again, once for all who ask at a time, at whatever instance (R64, R66).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import {
  Deadline,
  initializeAnew,
  letGo,
  type NewUpstreamSession,
  RENEWAL_MS,
  restore,
} from "./renewal.ts";

/** What recovering works with. */
export interface RecoveryOptions {
  /** The server. */
  readonly upstream: Upstream;
  /** The sessions. */
  readonly sessions: SessionTable;
  /** Where it is told. */
  readonly logger: Logger;
  /** Time. */
  readonly clock: Clock;
  /** How long the server may take to start where it is a program, in milliseconds; 0 where it is left out. */
  readonly startMs?: number | undefined;
  /** Told of a session that was made anew. */
  readonly onRenewed?: ((session: Session) => void) | undefined;
}

/**
 * How much longer than it can take one instance may make a session anew before another may try, in
 * milliseconds, so that no two do it at a time.
 */
const SPARE_HOLD_MS = 10_000;

/** How often an instance looks whether another has made the session anew, in milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * How often a session is made anew in `RENEWALS_WINDOW_MS`. One that is lost more often ends: each time may
 * cost the upstream a request for each subscription, for one request of a client.
 */
export const MAX_RENEWALS = 5;

/** How often the messages that make it anew are sent where a server breaks off: they do nothing else. */
const MAX_ATTEMPTS = 2;

/** The time in which renewals of a session are counted, in milliseconds. */
export const RENEWALS_WINDOW_MS = 10_000;

/** Makes sessions of one route anew. */
export class Renewals {
  readonly #options: RecoveryOptions;
  readonly #underWay = new Map<Session, Promise<boolean>>();
  /** When sessions were made anew, on the clock's monotonic scale. */
  readonly #renewedMs = new WeakMap<Session, number[]>();

  /** For one route. */
  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /**
   * Makes the upstream session anew, once for all who ask at a time, at whatever instance.
   *
   * @returns false where the session cannot go on
   * @throws {ProxyError} where the upstream cannot begin one now
   */
  async renew(
    session: Session,
    generation: number,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    // What is under way may be the end of an earlier renewal than the one that is needed.
    while (!session.ended && session.record.generation <= generation) {
      let renewing = this.#underWay.get(session);
      if (renewing === undefined) {
        renewing = this.#renewOnce(session, generation, call, refusal)
          .finally(() => this.#underWay.delete(session));
        this.#underWay.set(session, renewing);
      }
      if (!await renewing) return false;
    }
    return !session.ended;
  }

  /** Ends a session that cannot go on, and tells why. */
  giveUp(session: Session, why: string): false {
    this.#options.logger.warn("session lost by the upstream server and not made anew", {
      session: session.key,
      why,
    });
    this.#options.sessions.close(session);
    return false;
  }

  /** True only where the session is of a later generation then. */
  async #renewOnce(
    session: Session,
    generation: number,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    const { sessions, clock } = this.#options;
    const holdMs = this.#renewalMs + SPARE_HOLD_MS;
    const untilMs = clock.monotonicMs() + holdMs;
    for (;;) {
      const release = await sessions.lock(session, holdMs);
      try {
        if (!await sessions.reload(session)) return false;
        // Another instance was faster, or the request had gone out before an earlier recovery.
        if (session.record.generation > generation) return true;
        // Its DELETE is under way; that decides.
        if (session.record.state === "closing") return false;
        if (release !== undefined) return await this.#renewHere(session, call, refusal);
      } finally {
        await release?.();
      }
      if (clock.monotonicMs() >= untilMs) throw elsewhere();
      await new Promise<void>((resolve) => void clock.after(LOOK_EVERY_MS, resolve));
    }
  }

  async #renewHere(
    session: Session,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    const { sessions, upstream, logger, clock } = this.#options;
    const renewedMs = this.#recentRenewals(session);
    if (!refusal.hasMoved && renewedMs.length >= MAX_RENEWALS) {
      return this.giveUp(session, "it was lost too often");
    }
    using deadline = new Deadline(clock, this.#renewalMs);
    const made = await this.#made(session, call, deadline);
    if (typeof made === "string") return this.giveUp(session, made);
    // That its server is not used any more says nothing against the session, nor of the next server.
    if (!refusal.hasMoved) renewedMs.push(clock.monotonicMs());
    let kept = false;
    try {
      await sessions.change(session, (record) =>
        record.state === "closing" ? undefined : {
          ...record,
          upstreamId: made.upstreamId,
          generation: record.generation + 1,
          changingLists: made.changingLists,
        });
      kept = !session.ended && session.record.upstreamId === made.upstreamId;
    } finally {
      if (!kept) letGo(upstream, made);
    }
    if (kept) {
      const { key, record: { generation } } = session;
      const why = refusal.hasMoved
        ? "its target is gone, down or drained"
        : "the upstream server had lost it";
      logger.info(`session made anew: ${why}`, {
        session: key,
        generation,
      });
      this.#options.onRenewed?.(session);
    }
    return kept;
  }

  /** An upstream session as the one before; where a server is lost in the middle of it, once more, maybe at another. */
  async #made(
    session: Session,
    call: UpstreamCall,
    deadline: Deadline,
  ): Promise<NewUpstreamSession | string> {
    const { upstream, logger } = this.#options;
    for (let attempt = 1;; attempt++) {
      let made: NewUpstreamSession | string | undefined;
      try {
        made = await initializeAnew(upstream, session.record, call, deadline);
        if (typeof made === "string" || session.record.state === "initialising") return made;
        await restore(upstream, session.record, made, deadline, (method) => {
          logger.warn("a session made anew lacks what its client had set", {
            session: session.key,
            method,
          });
        });
        return made;
      } catch (error) {
        if (typeof made === "object") letGo(upstream, made);
        const isBroken = error instanceof ProxyError && error.kind === "upstream_closed";
        if (!isBroken || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  get #renewalMs(): number {
    return RENEWAL_MS + (this.#options.startMs ?? 0);
  }

  #recentRenewals(session: Session): number[] {
    const sinceMs = this.#options.clock.monotonicMs() - RENEWALS_WINDOW_MS;
    const recent = (this.#renewedMs.get(session) ?? []).filter((atMs) => atMs > sinceMs);
    this.#renewedMs.set(session, recent);
    return recent;
  }
}

function elsewhere(): ProxyError {
  return new ProxyError(
    "upstream_unreachable",
    "The upstream server has lost this session, and another instance takes too long to make it anew; " +
      "try again later.",
  );
}
