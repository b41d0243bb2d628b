/**
 * What all clients of a run work in, and the work that each of them does.
 *
 * @module
 */

import type { Book, Call, CallKind } from "../book.ts";
import type { Random } from "../random.ts";

/** What a run gives its clients. */
export interface Field {
  /** Where the proxy listens. */
  readonly origin: string;
  readonly book: Book;
  /** Longest and shortest time between two calls of a client, in milliseconds. */
  readonly thinkMs: readonly [number, number];
  /** Aborted when the faults are over and no further call is to begin. */
  readonly calm: AbortSignal;
  /** Resolves when everything has had time to recover, for the last calls. */
  readonly recovered: Promise<void>;
  /** Aborted when clients have to be gone. */
  readonly over: AbortSignal;
}

/** What a kind of client does of its own. */
export interface Connection {
  /** Opens what it needs. */
  open(call: Call): Promise<void>;
  /** Makes a call; what goes wrong is thrown as a `CallFailure`. */
  make(call: Call, id: number): Promise<void>;
  /** Whether it listens to what the server says of itself. */
  readonly listens: boolean;
  /** Whether it never asks again for a stream that it did not get. */
  readonly asksOnce?: boolean;
  /** How often it has heard something so far. */
  readonly heard: number;
  /** Ends it. */
  close(): Promise<void>;
}

/** A call went wrong. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";

  /** @param isLost whether the session is lost, so that the client has to begin anew */
  constructor(message: string, readonly isLost = false) {
    super(message);
  }
}

/** A call that is not over after so long has been forgotten, in milliseconds. */
export const PATIENCE_MS = 20_000;

/** How long a listener may hear nothing when all is well, with an event each second, in milliseconds. */
const SILENCE_MS = 8_000;

/** Waits; returns at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}

/** One client of a run. */
export class Worker {
  readonly #name: string;
  #calls = 0;
  #isOpen = false;

  /**
   * @param kind what kind of client it is
   * @param number its number, which no other client has
   * @param traits whether it may ask for `tools/list`; whether the proxy has sessions of its own for it
   */
  constructor(
    kind: string,
    readonly number: number,
    readonly traits: { readonly lists: boolean; readonly isBridged: boolean },
    readonly field: Field,
    readonly random: Random,
    readonly connect: (name: string) => Connection,
  ) {
    this.#name = `${kind}#${number}`;
  }

  /** Works until the run is over. */
  async run(): Promise<void> {
    const { field, random } = this;
    const connection = this.connect(this.#name);
    try {
      await pause(random.between(0, field.thinkMs[1]), field.calm);
      while (!field.calm.aborted) {
        await this.#once(connection, this.#kind(), false);
        await pause(random.between(...field.thinkMs), field.calm);
      }
      await field.recovered;
      await this.#once(connection, "echo", true);
      await this.#listen(connection);
    } catch (error) {
      field.book.odd(this.#name, `the client itself failed: ${(error as Error).stack}`);
    } finally {
      await connection.close();
    }
  }

  #kind(): CallKind {
    const drawn = this.random.next();
    if (drawn < 0.55 || drawn > 0.9 && !this.traits.lists) return "echo";
    return drawn > 0.9 ? "list" : "steps";
  }

  async #once(connection: Connection, kind: CallKind, isLast: boolean): Promise<void> {
    if (!this.#isOpen) {
      this.#isOpen = await this.#call("open", isLast, (call) => connection.open(call));
      if (!this.#isOpen) return;
    }
    await this.#call(kind, isLast, (call) => connection.make(call, this.#calls));
  }

  async #call(
    kind: CallKind,
    isLast: boolean,
    act: (call: Call) => Promise<void>,
  ): Promise<boolean> {
    const { book } = this.field;
    const call = book.begin({
      token: `tk.${this.number}.${++this.#calls}.k`,
      client: this.#name,
      kind,
      steps: kind === "steps" ? this.random.whole(2, 8) : 0,
      isBridged: this.traits.isBridged,
      isLast,
    });
    try {
      await act(call);
      book.end(call);
      return true;
    } catch (error) {
      book.end(call, error instanceof CallFailure ? error.message : String(error));
      if (error instanceof CallFailure && error.isLost) this.#isOpen = false;
      return false;
    }
  }

  /** A stream on which the server speaks has to be heard when all is well. */
  async #listen(connection: Connection): Promise<void> {
    if (!connection.listens || !this.#isOpen) return;
    const { field } = this;
    const before = connection.heard;
    // The SDK's client asks for its stream once: where that was refused, it is right that it is silent.
    if (before === 0 && connection.asksOnce === true) return;
    const began = performance.now();
    while (connection.heard === before && !field.over.aborted) {
      if (performance.now() - began > SILENCE_MS) {
        return field.book.odd(this.#name, `its stream is silent: heard ${before} events before`);
      }
      await pause(100, field.over);
    }
  }
}
