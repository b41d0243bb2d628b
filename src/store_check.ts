/**
 * Whether the stores that requests need work: for readiness.
 *
 * Memory always does. A session store in a file or in Redis is asked to delete a session that there is not: that
 * reaches what is behind it, as a write, and changes nothing. A log in Redis is asked for a stream that there is
 * not. A log in a file is not asked, because a failure of it costs the means to resume streams and no request.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Config } from "./config/mod.ts";
import type { EventLog } from "./event_log/mod.ts";
import type { SessionStore } from "./session/mod.ts";
import type { Logger } from "./telemetry/mod.ts";

/** For how long an answer is given again, in milliseconds: probes come often, and from many places. */
export const CHECK_KEPT_MS = 1_000;

/** How long a store may take, in milliseconds: half of what Kubernetes gives a probe. */
export const CHECK_TIMEOUT_MS = 500;

/** The name of the session and of the stream that there never are: neither is made of words. */
const NOBODY = "asked for by readiness";

/** What checking works with. */
export interface StoreCheckOptions {
  /** The stores, as far as they are asked. */
  readonly stores: {
    readonly sessions: Pick<SessionStore, "delete">;
    readonly log: Pick<EventLog, "after"> | undefined;
  };
  /** Says what they are. */
  readonly config: Pick<Config, "sessions" | "eventLog">;
  /** Time. */
  readonly clock: Clock;
  /** Where the reason is told, which may name hosts and files. */
  readonly logger: Logger;
}

/**
 * What tells those that do not work, each in a sentence without a word of where it is. It never rejects, and
 * takes no longer than `CHECK_TIMEOUT_MS`.
 */
export function storeCheck(
  { stores: { sessions, log }, config, clock, logger }: StoreCheckOptions,
): () => Promise<readonly string[]> {
  const checked: CheckedStore[] = [];
  const { store } = config.sessions;
  if (store !== "memory") {
    const ask = () => sessions.delete(NOBODY);
    checked.push(new CheckedStore(`The store of sessions (${store})`, ask, clock, logger));
  }
  if (config.eventLog.store === "redis" && log !== undefined) {
    const ask = () => log.after(NOBODY, 0, 1);
    checked.push(new CheckedStore("The event log (redis)", ask, clock, logger));
  }
  return async () => {
    const found = await Promise.all(checked.map((one) => one.problem()));
    return found.filter((sentence) => sentence !== undefined);
  };
}

/** One store, which is asked at most once in `CHECK_KEPT_MS`, and never while an answer of it is due. */
class CheckedStore {
  readonly #name: string;
  readonly #ask: () => unknown;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #asking: Promise<string | undefined> | undefined;
  #askedMs = 0;
  #found: string | undefined;
  #foundMs = -Infinity;

  constructor(name: string, ask: () => unknown, clock: Clock, logger: Logger) {
    this.#name = name;
    this.#ask = ask;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** What is wrong with it; undefined where nothing is. */
  async problem(): Promise<string | undefined> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#asking === undefined) {
      if (nowMs - this.#foundMs < CHECK_KEPT_MS) return this.#found;
      this.#askedMs = nowMs;
      this.#asking = this.#find();
    }
    const { promise: late, resolve } = Promise.withResolvers<string>();
    const timer = this.#clock.after(
      Math.max(0, this.#askedMs + CHECK_TIMEOUT_MS - nowMs),
      () => resolve(`${this.#name} does not answer within ${CHECK_TIMEOUT_MS} ms.`),
    );
    try {
      return await Promise.race([this.#asking, late]);
    } finally {
      timer.cancel();
    }
  }

  async #find(): Promise<string | undefined> {
    const before = this.#found;
    try {
      await this.#ask();
      this.#found = undefined;
    } catch (error) {
      this.#found = `${this.#name} fails.`;
      if (before === undefined) this.#logger.warn("a store fails; readiness says so", { error });
    }
    this.#foundMs = this.#clock.monotonicMs();
    this.#asking = undefined;
    return this.#found;
  }
}
