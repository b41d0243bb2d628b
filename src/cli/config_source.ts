/**
 * Where the config of a command comes from, so that it can be read again.
 *
 * @module
 */

import type { Config } from "../config/mod.ts";

/** Reads the text of a file. */
export type ReadText = (path: string) => Promise<string>;

/** A config that can be read again, with the flags and the environment of the start. */
export class ConfigSource {
  /** The config file, if there is one. */
  readonly file: string | undefined;
  readonly #read: (readTextFile: ReadText) => Promise<Config>;
  #lastText: string | undefined;

  /** Reads with `read`, which takes the text of the file from what it is given. */
  constructor(file: string | undefined, read: (readTextFile: ReadText) => Promise<Config>) {
    this.file = file;
    this.#read = read;
  }

  /**
   * The config as it is now.
   *
   * @throws {ConfigError} with every problem there is
   */
  load(): Promise<Config> {
    return this.#read(async (path) => {
      this.#lastText = undefined;
      return this.#lastText = await Deno.readTextFile(path);
    });
  }

  /** Whether the file holds anything but what was last read of it; one that cannot be read now does not. */
  async hasChanged(): Promise<boolean> {
    if (this.file === undefined) return false;
    try {
      return await Deno.readTextFile(this.file) !== this.#lastText;
    } catch {
      // It is being replaced, which is noticed again, or is gone, and then the config that runs stays.
      return false;
    }
  }
}
