/**
 * Waiting for a state that others change.
 *
 * @module
 */

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
