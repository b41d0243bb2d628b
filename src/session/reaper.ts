/**
 * Ends sessions whose clients have left, and says of those in use that they are: at its time, a bounded
 * part at once, with one timer for all of them and none while there are none (R82).
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { LiveSessions } from "./live_sessions.ts";
import type { Session } from "./session.ts";
import type { SessionTableLimits } from "./table_options.ts";

/** At most so many sessions of a kind are looked at before others get their turn. */
export const REAPED_AT_ONCE = 1_000;

/** The reaper does not come back sooner, in milliseconds. */
const MIN_PAUSE_MS = 1_000;

/** What a reaper works with. */
export interface ReaperOptions {
  /** Time. */
  readonly clock: Clock;
  /** The sessions. */
  readonly sessions: LiveSessions;
  /** How long a session may be unused, and how long it may last. */
  readonly limits: Pick<SessionTableLimits, "sessionIdleTimeoutMs" | "sessionLifetimeMs">;
  /** Ends one that is over; it is not held any more afterwards. */
  readonly giveUp: (session: Session) => void;
  /** One has something under way, and so is used now. */
  readonly inUse: (session: Session) => void;
  /** Called after each time. */
  readonly onReaped: () => void;
}

/** Reaps the sessions of one table. */
export class Reaper {
  readonly #options: ReaperOptions;
  /** How often one with something under way is looked at: well before the store would let it go. */
  readonly #inUseMs: number;
  #timer: Timer | undefined;
  #stopped = false;

  /** A reaper that no timer wakes yet. */
  constructor(options: ReaperOptions) {
    this.#options = options;
    const { sessionIdleTimeoutMs, sessionLifetimeMs } = options.limits;
    this.#inUseMs = Math.min(sessionIdleTimeoutMs / 2, sessionLifetimeMs);
  }

  /** Whether a session is over: unused for too long, or too old, in use or not. */
  isOver(session: Session, nowMs = this.#options.clock.monotonicMs()): boolean {
    if (nowMs >= session.endsMs) return true;
    const { sessionIdleTimeoutMs } = this.#options.limits;
    return session.inFlight === 0 && nowMs - session.lastUsedMs >= sessionIdleTimeoutMs;
  }

  /** Gives up what is over, a bounded part at a time. */
  reap(): void {
    const { sessions, giveUp, inUse } = this.#options;
    for (let count = 0; count < REAPED_AT_ONCE; count++) {
      const session = sessions.longestUnused;
      if (session === undefined || !this.isOver(session)) break;
      giveUp(session);
    }
    for (let count = 0; count < REAPED_AT_ONCE; count++) {
      const session = sessions.longestInUse;
      if (session === undefined || this.#idleMs(session) < this.#inUseMs) break;
      if (this.isOver(session)) giveUp(session);
      else inUse(session);
    }
  }

  /** Sees to it that the reaper wakes while there are sessions, and does not while there are none. */
  watch(): void {
    const { clock, sessions } = this.#options;
    if (sessions.size === 0 || this.#stopped) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    this.#timer ??= clock.after(this.#pauseMs(), () => {
      this.#timer = undefined;
      this.reap();
      this.watch();
      this.#options.onReaped();
    });
  }

  /** Wakes no more. */
  stop(): void {
    this.#stopped = true;
    this.watch();
  }

  /** How long until there is something to do; never longer than until one whose use begins now is due. */
  #pauseMs(): number {
    const { sessions: { longestUnused, longestInUse }, limits } = this.#options;
    const due = [this.#inUseMs];
    if (longestUnused !== undefined) {
      due.push(limits.sessionIdleTimeoutMs - this.#idleMs(longestUnused));
    }
    if (longestInUse !== undefined) due.push(this.#inUseMs - this.#idleMs(longestInUse));
    return Math.max(Math.min(...due), MIN_PAUSE_MS);
  }

  #idleMs(session: Session): number {
    return this.#options.clock.monotonicMs() - session.lastUsedMs;
  }
}
