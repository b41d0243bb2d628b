/**
 * What was parsed of a text that is long: as objects it takes up to twenty times the memory of the text, and a call
 * may last for minutes.
 *
 * @module
 */

/** Texts up to so many characters may be kept parsed for as long as their call lasts. */
export const MAX_KEPT_PARSED = 4_096;

/** A value that is let go of while nobody works with it, and parsed again where it is asked for later. */
export class Parsed<T extends object> {
  readonly #parse: () => T;
  #value: WeakRef<T>;

  /** `value` is what `parse` has given, and gives again. */
  constructor(value: T, parse: () => T) {
    this.#parse = parse;
    this.#value = new WeakRef(value);
  }

  /** The value; the same one for as long as somebody has it. */
  get value(): T {
    const kept = this.#value.deref();
    if (kept !== undefined) return kept;
    const value = this.#parse();
    this.#value = new WeakRef(value);
    return value;
  }
}
