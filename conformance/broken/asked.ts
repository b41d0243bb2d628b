/**
 * Tells whether the server had a part in an answer.
 *
 * @module
 */

import type { Damage } from "./damage.ts";

/** Tells the sound proxy's own answers from those for which the server was asked. */
export class Asked {
  #asked = false;

  /** Listens at the back. */
  readonly back: Damage = {
    request: () => {
      this.#asked = true;
      return undefined;
    },
  };

  /** A front that changes the answers for which the server was asked. */
  where(answer: NonNullable<Damage["answer"]>): Damage {
    return this.#front(true, answer);
  }

  /** A front that changes the answers that the proxy has given without asking. */
  whereNot(answer: NonNullable<Damage["answer"]>): Damage {
    return this.#front(false, answer);
  }

  #front(wanted: boolean, answer: NonNullable<Damage["answer"]>): Damage {
    return {
      request: () => {
        this.#asked = false;
        return undefined;
      },
      answer: (head, request) => this.#asked === wanted ? answer(head, request) : undefined,
    };
  }
}
