/**
 * The order of a client's messages where it matters: on their way to the upstream nothing else would keep them in
 * it. Messages behind `initialize` need the session that it opens, and those behind `notifications/initialized`
 * must not come before it.
 *
 * @module
 */

import type { Message } from "../json/mod.ts";

/** A message in line. */
export interface InLine {
  /** Whether it is the `initialize` that opens the upstream session. */
  readonly opens: boolean;
  /** What it has to wait for. */
  readonly before: Promise<void> | undefined;
  /** Lets those behind it go on, once it is with the upstream. Harmless again. */
  readonly ready: () => void;
}

/** The messages of one client in line. */
export class SseOrder {
  /** What the next one has to wait for. */
  #gate: Promise<void> | undefined;
  /** Whether `initialize` is under way or was answered. */
  #opening = false;

  /** Has a message stand in line; `isOpen` says whether the upstream session is there. */
  enter({ kind, method }: Pick<Message, "kind" | "method">, isOpen: boolean): InLine {
    const before = this.#gate;
    const opens = kind === "request" && method === "initialize" && !isOpen && !this.#opening;
    if (!opens && method !== "notifications/initialized") {
      return { opens, before, ready: () => {} };
    }
    if (opens) this.#opening = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    const ready = () => {
      if (this.#gate === promise) this.#gate = undefined;
      resolve();
    };
    return { opens, before, ready };
  }

  /** `initialize` was refused: another one may open the session. */
  notOpened(): void {
    this.#opening = false;
  }
}
