/**
 * What a reload replaces and somebody may still be using: it is closed when the last one is through.
 *
 * @module
 */

/** Something that can be closed, and who uses it. */
export class Held<T> {
  /** What it is. */
  readonly value: T;
  readonly #close: () => Promise<void>;
  readonly #whenIdle: () => Promise<void>;
  #holds = 0;
  #closing: Promise<void> | undefined;
  /** Told when it is closed; there once it has been replaced. */
  #onClosed: (() => void) | undefined;

  /** In use as long as it is not retired; `whenIdle` resolves when nothing that nobody waits for is under way. */
  constructor(
    value: T,
    close: () => Promise<void>,
    whenIdle: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.value = value;
    this.#close = close;
    this.#whenIdle = whenIdle;
  }

  /** How many use it. */
  get holds(): number {
    return this.#holds;
  }

  /** Whether it has been closed, or is being closed. */
  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Somebody uses it until as many calls of `leave`. */
  enter(): void {
    this.#holds++;
  }

  /** One who had entered uses it no more. */
  leave(): void {
    this.#holds--;
    this.#closeIfUnused();
  }

  /** Somebody uses it until what this gives is called; harmless again. */
  hold(): () => void {
    this.enter();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.leave();
    };
  }

  /** Nobody new will use it: it closes when the last one is through. */
  retire(onClosed: () => void): void {
    this.#onClosed = onClosed;
    this.#closeIfUnused();
  }

  /** Closes it, whoever uses it. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      const closing = Promise.withResolvers<void>();
      // What closing sets off must find it closed.
      this.#closing = closing.promise;
      this.#close().then(closing.resolve, closing.reject);
      this.#onClosed?.();
    }
    return this.#closing;
  }

  #closeIfUnused(): void {
    if (this.#holds > 0 || this.#onClosed === undefined || this.isClosed) return;
    this.#whenIdle().then(() => this.#holds === 0 ? this.close() : undefined).catch(() => {
      // There is nothing left that could fail.
    });
  }
}

/** How many that were replaced may be waited for; beyond it the oldest is cut. */
export const MAX_RETIRED = 16;

/** Those that were replaced and are in use. */
export class Retired {
  readonly #waiting = new Set<Held<unknown>>();
  readonly #closing = new Set<Promise<void>>();
  readonly #onCut: () => void;

  /** None yet; `onCut` is told of each that is closed although it is in use. */
  constructor(onCut: () => void) {
    this.#onCut = onCut;
  }

  /** How many there are. */
  get size(): number {
    return this.#waiting.size;
  }

  /** One more, which may be closed at once. */
  add(held: Held<unknown>): void {
    this.#waiting.add(held);
    held.retire(() => {
      this.#waiting.delete(held);
      this.#follow(held.close());
    });
    if (this.#waiting.size <= MAX_RETIRED) return;
    this.#onCut();
    void this.#waiting.values().next().value!.close();
  }

  /** Cuts all of them, and waits for those that are being closed. */
  async close(): Promise<void> {
    for (const held of [...this.#waiting]) void held.close();
    await Promise.all(this.#closing);
  }

  #follow(closing: Promise<void>): void {
    const done = closing.catch(() => {
      // There is nothing left that could fail.
    }).finally(() => this.#closing.delete(done));
    this.#closing.add(done);
  }
}
