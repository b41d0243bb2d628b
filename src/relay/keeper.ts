/**
 * Keeping one stream outside of the process: its events in the log, and where it is in the directory.
 *
 * @module
 */

import type { EventLog, Replay } from "../event_log/mod.ts";
import type { Framed } from "./framing.ts";
import type { StreamDirectory, StreamEntry, StreamMark } from "./stream_directory.ts";

/** What keeping a stream takes. */
export interface KeeperOptions {
  /** The stream. */
  readonly entry: StreamEntry;
  /** Where its events are kept. */
  readonly log: EventLog;
  /** Where others find it; undefined where there are none. */
  readonly directory: StreamDirectory | undefined;
  /** Told when another instance has taken the stream over. */
  readonly onLost: (error: RangeError) => void;
}

/** Keeps one stream. What cannot be kept is a gap for who comes back for it, and no failure here. */
export class Keeper {
  readonly #options: KeeperOptions;
  /** Settles when what was given is kept, where that takes a while. */
  #keeping: Promise<void> | undefined;

  /** Nothing is kept yet. */
  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Settles when what was given so far is kept; undefined where it is. */
  get keeping(): Promise<void> | undefined {
    return this.#keeping;
  }

  /** The stream has begun; calls back when others can find it. */
  open(then: () => void): void {
    const { entry, log, directory } = this.#options;
    void this.#keep(
      then,
      () => inTurn(log.append(entry.name, []), () => directory?.open(entry)),
    );
  }

  /**
   * Keeps events behind the number `before`, and where the stream is then, and calls back: behind what was
   * given before.
   */
  keep(framed: Framed, before: number, mark: StreamMark, then: () => void): void | Promise<void> {
    const { entry: { name }, log, directory } = this.#options;
    return this.#keep(then, () => {
      const kept = framed.isRun
        ? log.appendRun(name, before + 1, framed.bytes, framed.ends)
        : log.append(name, framed.logged);
      // What the mark speaks of has to be there.
      return inTurn(kept, () => directory && this.#marked(directory.mark(name, mark)));
    });
  }

  /** Keeps where the stream is. */
  mark(mark: StreamMark): void {
    const { entry: { name }, directory } = this.#options;
    // A stream that gives nothing more learns of its loss from who asks for it.
    void quietly(() => void directory?.mark(name, mark));
  }

  /** What is kept behind an event; see `EventLog.after`. */
  after(seq: number, maxBytes: number): Replay | Promise<Replay> {
    return this.#options.log.after(this.#options.entry.name, seq, maxBytes);
  }

  /** Others may go on with it, at once: who asks here for it meanwhile is refused. */
  release(): void {
    const { entry, directory } = this.#options;
    void quietly(() => directory?.release(entry.name));
  }

  /** Nobody will; what cannot be forgotten goes when it is too old. */
  forget(): void {
    const { entry, log, directory } = this.#options;
    void quietly(() => log.forget(entry.name));
    void quietly(() => directory?.close(entry));
  }

  #keep(then: () => void, keep: () => void | Promise<void>): void | Promise<void> {
    const before = this.#keeping;
    let kept: void | Promise<void> = undefined;
    try {
      kept = keep();
    } catch (error) {
      this.#notKept(error);
    }
    if (kept === undefined && before === undefined) return then();
    const keeping = this.#kept(kept, before).then(() => {
      if (this.#keeping === keeping) this.#keeping = undefined;
      then();
    });
    return this.#keeping = keeping;
  }

  /** Settles when both are; never rejects. */
  async #kept(kept: void | Promise<void>, before: Promise<void> | undefined): Promise<void> {
    try {
      await kept;
    } catch (error) {
      this.#notKept(error);
    }
    await before;
  }

  /** Who does not hold a stream any more must not give any of it to a client. */
  #marked(held: boolean | Promise<boolean>): void | Promise<void> {
    if (held instanceof Promise) return held.then((isHeld) => this.#marked(isHeld));
    if (!held) throw new RangeError(`Another instance has taken ${this.#options.entry.name} over.`);
  }

  /** Events whose numbers do not rise any more mean that another instance has numbered some too. */
  #notKept(error: unknown): void {
    if (error instanceof RangeError) this.#options.onLost(error);
  }
}

/** Does the second when the first is done; at once where that is at once. */
function inTurn(
  first: void | Promise<void>,
  second: () => void | Promise<void>,
): void | Promise<void> {
  return first === undefined ? second() : first.then(second);
}

/** Does what nothing depends on. Whoever keeps it tells of its failures. */
async function quietly(act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch {
    // Told already.
  }
}
