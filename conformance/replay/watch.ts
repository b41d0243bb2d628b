/**
 * Waiting for a state that others change.
 *
 * @module
 */

/** Waits in vain after which a replay waits hardly any more: what is so broken is known by then. */
const MAX_VAIN_WAITS = 3;

/** The patience of a replay that has waited in vain so often. */
const LITTLE_PATIENCE_MS = 250;

/** Wakes those who wait for a condition. */
export class Watch {
  #waiting: (() => void)[] = [];

  /** Has those who wait look again. */
  changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until `holds`; false where it does not within `limitMs`. */
  async until(holds: () => boolean, limitMs: number): Promise<boolean> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.changed();
    }, limitMs);
    try {
      while (!holds() && !late) await new Promise<void>((wake) => this.#waiting.push(wake));
      return holds();
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Waits for one replay; its waits in vain are bounded. */
export class Patience {
  readonly #watch: Watch;
  readonly #limitMs: number;
  #vainWaits = 0;

  /** @param limitMs how long one wait may take, where nothing else is said */
  constructor(watch: Watch, limitMs: number) {
    this.#watch = watch;
    this.#limitMs = limitMs;
  }

  /** Waits until something holds; whether it does. */
  async until(holds: () => boolean, limitMs = this.#limitMs): Promise<boolean> {
    const impatient = this.#vainWaits >= MAX_VAIN_WAITS;
    const held = await this.#watch.until(
      holds,
      impatient ? Math.min(limitMs, LITTLE_PATIENCE_MS) : limitMs,
    );
    if (!held && limitMs > 0) this.#vainWaits++;
    return held;
  }
}
