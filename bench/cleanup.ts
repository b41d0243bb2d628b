/** What must be undone at the end, on failure and on Ctrl-C alike. */

type Undo = () => void | Promise<void>;

/** Undoes what was registered, last first, once. */
export class Cleanup {
  readonly #undos: Undo[] = [];
  #running: Promise<void> | undefined;

  /** True once the end has begun. */
  get begun(): boolean {
    return this.#running !== undefined;
  }

  /** Registers what undoes a step; if the end has begun, undoes it at once and throws. */
  async add(undo: Undo): Promise<void> {
    if (this.#running === undefined) {
      this.#undos.push(undo);
      return;
    }
    await undo();
    throw new Error("ending");
  }

  /** Undoes everything; the second caller waits for the first. A step that fails stops no other. */
  run(): Promise<void> {
    this.#running ??= this.#undoAll();
    return this.#running;
  }

  async #undoAll(): Promise<void> {
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch {
        // The rest must be undone all the same.
      }
    }
  }
}

/** Signals that end a program which does not expect them. */
function endingSignals(): Deno.Signal[] {
  return Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

/** Cleans up and exits with 130 on Ctrl-C and its like. */
export function cleanUpOnSignals(cleanup: Cleanup): void {
  for (const signal of endingSignals()) {
    const end = (): void => {
      cleanup.run().finally(() => Deno.exit(130));
    };
    Deno.addSignalListener(signal, end);
  }
}
