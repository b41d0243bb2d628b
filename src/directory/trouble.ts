/**
 * Telling of trouble without repeating it for as long as it lasts.
 *
 * @module
 */

/** One kind of trouble, told when it begins. */
export class Trouble {
  readonly #onTrouble: (error: unknown) => void;
  #lasts = false;

  /** None yet. */
  constructor(onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble;
  }

  /** Something failed. */
  tell(error: unknown): void {
    if (this.#lasts) return;
    this.#lasts = true;
    this.#onTrouble(error);
  }

  /** Something worked: the next failure is told again. */
  over(): void {
    this.#lasts = false;
  }
}
