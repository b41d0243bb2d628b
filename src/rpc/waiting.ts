/**
 * What a server said while nobody listened: kept within bounds, the oldest goes first.
 *
 * @module
 */

/** How much may wait. */
export interface WaitingBounds {
  /** Messages. */
  readonly maxWaitingMessages: number;
  /** Characters of them. */
  readonly maxWaitingCharacters: number;
}

/** Messages that wait for whoever can be told next. */
export class Waiting {
  readonly #bounds: WaitingBounds;
  readonly #onDropped: (name: string) => void;
  #messages: { readonly text: string; readonly name: string }[] = [];
  #characters = 0;

  /** Nothing yet. `onDropped` is told the method of each message that does not fit any more, or is let go. */
  constructor(bounds: WaitingBounds, onDropped: (name: string) => void) {
    this.#bounds = bounds;
    this.#onDropped = onDropped;
  }

  /** How many wait. */
  get size(): number {
    return this.#messages.length;
  }

  /** Keeps one, and lets the oldest go where there are too many. */
  add(text: string, name: string): void {
    const { maxWaitingMessages, maxWaitingCharacters } = this.#bounds;
    this.#messages.push({ text, name });
    this.#characters += text.length;
    while (this.size > maxWaitingMessages || this.#characters > maxWaitingCharacters) {
      const oldest = this.#messages.shift()!;
      this.#characters -= oldest.text.length;
      this.#onDropped(oldest.name);
    }
  }

  /** Lets all of them go. */
  drop(): void {
    for (const { name } of this.#messages) this.#onDropped(name);
    this.take();
  }

  /** Takes all of them, the oldest first. */
  take(): string[] {
    const taken = this.#messages.map(({ text }) => text);
    this.#messages = [];
    this.#characters = 0;
    return taken;
  }
}
