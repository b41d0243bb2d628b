/**
 * Noticing that a file may have changed, however it is replaced: written in place, renamed over, in a folder that
 * is removed or moved away and made anew, or reached through symbolic links one of which now leads elsewhere, as
 * Kubernetes does with a ConfigMap.
 *
 * The folders are watched rather than the file, because a watch on a file stays with the one that was replaced. A
 * watch on a folder that is moved away does so too (Deno 2.9 goes on with it whatever path is watched anew),
 * events may be lost, and file systems of other machines tell of none: it is looked every few seconds as well.
 *
 * @module
 */

import { dirname, parse, relative, resolve, sep as SEPARATOR } from "node:path";
import type { Clock, Timer } from "../clock.ts";

/** How long after the first event the file is looked at: a change makes several, in milliseconds. */
export const SETTLE_MS = 200;

/** How long after a look the next one comes, whatever has been told of, in milliseconds. */
export const LOOK_MS = 5_000;

/** What is watched. */
export interface FileWatchOptions {
  /** Path of the file. */
  readonly file: string;
  /** Time. */
  readonly clock: Clock;
  /** Called when it is time to look whether the file has changed; one call at a time. Never rejects. */
  readonly onMaybeChanged: () => Promise<void>;
  /** Told once of a time in which nothing can be watched; it is looked all the same. */
  readonly onFailure: (error: unknown) => void;
}

/** A watch on one file. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  /** Which folders are watched. */
  #identity = "";
  #watcher: Deno.FsWatcher | undefined;
  #settling: Timer | undefined;
  #looking: Timer | undefined;
  #isLooking = false;
  /** Whether something has happened while it was looked. */
  #isStale = false;
  #hasFailed = false;
  #stopped = false;

  /** Not begun yet. */
  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** Watches from now on. */
  start(): void {
    this.#watch();
    // What happened before the watch began.
    this.#happened();
  }

  /** Watches no more. */
  stop(): void {
    this.#stopped = true;
    this.#settling?.cancel();
    this.#looking?.cancel();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Watches the folders that matter now, where these are not watched already. */
  #watch(): void {
    if (this.#stopped) return;
    const folders = foldersOf(resolve(this.#options.file));
    const identity = folders.map(identityOf).join();
    if (identity === this.#identity && this.#watcher !== undefined) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      if (folders.length === 0) throw new Deno.errors.NotFound("its folder is not there");
      this.#watcher = Deno.watchFs([...folders], { recursive: false });
      this.#identity = identity;
      this.#hasFailed = false;
      void this.#follow(this.#watcher);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (!this.#hasFailed) this.#options.onFailure(error);
    this.#hasFailed = true;
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind } of watcher) if (kind !== "access") this.#happened();
    } catch (error) {
      if (watcher !== this.#watcher) return;
      this.#watcher = undefined;
      this.#failed(error);
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
    this.#isStale = false;
    this.#looking?.cancel();
    // A link may lead elsewhere now, and a folder be another one.
    this.#watch();
    await this.#options.onMaybeChanged();
    this.#isLooking = false;
    if (this.#stopped) return;
    this.#looking = this.#options.clock.after(LOOK_MS, () => this.#happened());
    if (this.#isStale) this.#happened();
  }
}

/** Symbolic links on the way to one file; a way with more of them leads round in circles. */
const MAX_LINKS = 40;

/** The folders in which the file is named, in which it is, and in which links on the way to it are. */
function foldersOf(file: string): readonly string[] {
  const folders = new Set([dirname(file)]);
  let [known, rest] = [parse(file).root, file];
  for (let links = 0; links <= MAX_LINKS;) {
    const [name, ...further] = relative(known, rest).split(SEPARATOR);
    const place = resolve(known, name!);
    const target = linkAt(place);
    if (target === undefined) known = place;
    else {
      links++;
      folders.add(known);
      rest = resolve(known, target, ...further);
      known = parse(rest).root;
    }
    if (further.length === 0 && target === undefined) break;
  }
  folders.add(dirname(rest));
  return [...folders].filter((folder) => identityOf(folder) !== undefined);
}

/** Where a symbolic link leads; undefined where there is none. */
function linkAt(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

/** Which folder it is that has this path now; undefined where none has. */
function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino, isDirectory } = Deno.statSync(folder);
    return isDirectory ? JSON.stringify([folder, dev, ino]) : undefined;
  } catch {
    return undefined;
  }
}
