/**
 * An order of use that costs the same however many are in it.
 *
 * A `Map` that entries are taken out of and put back into has an order too, but whoever asks for its first
 * entry walks over all that were taken out since it last grew: some 10 us at 10,000 entries (V8 15).
 *
 * @module
 */

/** The place of one item: in one order at a time, or in none. */
export class Place<T> {
  /** What stands here; undefined for the ends of an order alone. */
  readonly item: T | undefined;
  /** The place before this one; itself where it is in no order. */
  before: Place<T> = this;
  /** The place behind this one; itself where it is in no order. */
  after: Place<T> = this;

  /** A place in no order. */
  constructor(item?: T) {
    this.item = item;
  }

  /** Leaves the order that it is in, if any. */
  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

/** Items in the order in which they were last used. */
export class UseOrder<T> {
  /** Both ends: behind it stands the first, before it the last. */
  readonly #ends = new Place<T>();

  /** The one that was not used for longest. */
  get first(): T | undefined {
    return this.#ends.after.item;
  }

  /** Puts a place last, wherever it was before. */
  putLast(place: Place<T>): void {
    place.leave();
    const last = this.#ends.before;
    place.before = last;
    place.after = this.#ends;
    last.after = place;
    this.#ends.before = place;
  }
}
