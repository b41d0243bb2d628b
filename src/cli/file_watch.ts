/**
 * Noticing that a file may have changed, however it is replaced: written in place, renamed over, or reached
 * through a symbolic link that now leads elsewhere, as Kubernetes does with a ConfigMap.
 *
 * The folders are watched rather than the file, because a watch on a file stays with the one that was replaced.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import type { Clock, Timer } from "../clock.ts";

/** How long after the first event the file is looked at: a change makes several, in milliseconds. */
export const SETTLE_MS = 200;

/** What is watched. */
export interface FileWatchOptions {
  /** Path of the file. */
  readonly file: string;
  /** Time. */
  readonly clock: Clock;
  /** Called when anything has happened in its folders; one call at a time. Never rejects. */
  readonly onMaybeChanged: () => Promise<void>;
  /** Told when watching is not possible, or not any more. */
  readonly onFailure: (error: unknown) => void;
}

/** A watch on one file. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #folders: readonly string[] = [];
  #watcher: Deno.FsWatcher | undefined;
  #settling: Timer | undefined;
  #isLooking = false;
  /** Whether something has happened while it was looked. */
  #isStale = false;
  #stopped = false;

  /** Not begun yet. */
  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** Watches from now on. */
  start(): void {
    const folders = foldersOf(resolve(this.#options.file));
    const isSame = folders.length === this.#folders.length &&
      folders.every((folder, at) => folder === this.#folders[at]);
    if (this.#stopped || (isSame && this.#watcher !== undefined)) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      this.#watcher = Deno.watchFs([...folders], { recursive: false });
      this.#folders = folders;
      void this.#follow(this.#watcher);
      // What happened before the watch began.
      this.#happened();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  /** Watches no more. */
  stop(): void {
    this.#stopped = true;
    this.#settling?.cancel();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind } of watcher) if (kind !== "access") this.#happened();
    } catch (error) {
      if (watcher !== this.#watcher) return;
      this.#watcher = undefined;
      this.#options.onFailure(error);
    }
  }

  /** Not put off by further events: a folder in which something happens all the time is looked at too. */
  #happened(): void {
    if (this.#stopped) return;
    if (this.#isLooking) this.#isStale = true;
    else {
      this.#settling ??= this.#options.clock.after(SETTLE_MS, () => {
        this.#settling = undefined;
        void this.#look();
      });
    }
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    // A link may lead elsewhere now.
    this.start();
    await this.#options.onMaybeChanged();
    this.#isLooking = false;
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#happened();
  }
}

/** The folder in which the file is named, and the one in which it is, where that is another. */
function foldersOf(file: string): readonly string[] {
  const named = dirname(file);
  try {
    return [...new Set([named, dirname(Deno.realPathSync(file))])];
  } catch {
    return [named];
  }
}
