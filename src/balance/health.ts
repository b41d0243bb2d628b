/**
 * What a balancer is told of a target's health, and what it tells: the seam between choosing and watching.
 *
 * @module
 */

/**
 * What came of one call to a target, as far as it says something of the target. What a client cancelled and
 * what waited for a connection of the proxy's own in vain say nothing and are not told.
 */
export type Outcome =
  /** The head of an answer came, `headMs` milliseconds after the call. */
  | {
    readonly kind: "answered";
    readonly status: number;
    readonly headMs: number;
    /** What `Retry-After` asks for, in milliseconds; left out where the answer has none. */
    readonly retryAfterMs?: number | undefined;
  }
  /** The call failed. */
  | {
    readonly kind: Failure;
    /**
     * How many milliseconds ago the call was admitted; left out for just now. Of a call from before the target
     * was ejected, the failure says nothing of a target that has come back since.
     */
    readonly agoMs?: number | undefined;
  };

/** How a call to a target failed. */
export type Failure =
  /** No connection: refused, reset, no such host. Nothing was sent. */
  | "unreachable"
  /** No connection in time. Nothing was sent. */
  | "connect_timeout"
  /** The connection broke off, or what came was not HTTP, after something was sent. */
  | "broken"
  /** No head of an answer in time. */
  | "timeout";

/** How a target is. */
export type TargetState =
  /** It gets its share. */
  | "up"
  /** It came back not long ago and gets a growing part of its share. */
  | "returning"
  /** It failed or was slow and is left alone for a time; sessions that are there stay. */
  | "ejected"
  /** It does not answer at all: sessions that are there have to go on elsewhere. */
  | "down";

/** A target's health for the admin pages: no word of where it is. */
export interface HealthTold {
  /** How it is. */
  readonly state: TargetState;
  /** Why, in a few words; null where it is up. */
  readonly reason: string | null;
  /** For how long it has been so, in milliseconds. */
  readonly forMs: number;
  /** How long it still wants to be left alone, as its `Retry-After` said, in milliseconds; 0 where it does not. */
  readonly pausedForMs: number;
  /** Failed calls in a row. */
  readonly failuresInRow: number;
  /** How often it was ejected or down since the start. */
  readonly ejections: number;
  /** Whether calls are let through (`closed`), none are (`open`), or one is as a trial (`half-open`). */
  readonly breaker: "closed" | "open" | "half-open";
  /** Median of the latest times to the head of an answer, in milliseconds; null where there are too few. */
  readonly medianMs: number | null;
  /** When the latest probe ended, in milliseconds ago, and whether it was good; null where there was none. */
  readonly probe: { readonly agoMs: number; readonly ok: boolean } | null;
}

/** The health of one target. */
export interface TargetHealth {
  /** How it is now. */
  readonly state: TargetState;
  /**
   * Whether calls that belong to no target may go there. Not while it is ejected, down, or has asked with
   * `Retry-After` to be left alone.
   */
  readonly isAvailable: boolean;
  /**
   * Which part of its weight counts now: above 0, at most 1; the smallest part while it is ejected or down, for
   * who has no other to choose.
   */
  readonly share: number;
  /**
   * Asks the breaker whether a call may go there now: 0, and `record` or `forget` has to follow, or the
   * milliseconds until the next one may be tried.
   *
   * @param nowMs the time on the clock's monotonic scale, where it is at hand
   */
  admit(nowMs?: number): number;
  /** What came of an admitted call, `nowMs` on the clock's monotonic scale or just now. */
  record(outcome: Outcome, nowMs?: number): void;
  /** An admitted call, of `agoMs` milliseconds ago or of just now, said nothing of the target. */
  forget(agoMs?: number): void;
  /** How a probe ended; `why` says in a few words what was wrong. */
  probed(ok: boolean, why?: string): void;
  /** For the admin pages. */
  told(): HealthTold;
  /** The target is not one of the upstream any more. */
  remove(): void;
}

/** The health of all targets of an upstream, which judges them beside each other. */
export interface FleetHealth {
  /** A target more, which is taken for healthy. */
  add(name: string, listener: HealthListener): TargetHealth;
}

/** Is told what becomes of a target. */
export interface HealthListener {
  /** It is down from now on. */
  down(): void;
  /** A call to it has failed while it was taken for well. */
  doubted(): void;
}
