/**
 * A gate that closes while a reader does not read.
 *
 * @module
 */

/** Open at first. */
export class Gate {
  readonly #onOpen: () => void;
  #closed: PromiseWithResolvers<void> | undefined;

  /** `onOpen` is called each time it opens again. */
  constructor(onOpen: () => void = () => {}) {
    this.#onOpen = onOpen;
  }

  /** What a `Flow` moves it with. */
  get levers(): { readonly pause: () => void; readonly resume: () => void } {
    return { pause: () => this.close(), resume: () => this.open() };
  }

  /** Resolves when it is open; undefined where it is. */
  wait(): Promise<void> | undefined {
    return this.#closed?.promise;
  }

  /** Closes it. */
  close(): void {
    this.#closed ??= Promise.withResolvers();
  }

  /** Opens it. */
  open(): void {
    if (this.#closed === undefined) return;
    this.#closed.resolve();
    this.#closed = undefined;
    this.#onOpen();
  }
}
