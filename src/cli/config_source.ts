/**
 * Where the config of a command comes from, so that it can be read again.
 *
 * @module
 */

import type { Config } from "../config/mod.ts";

/** The largest config file, in bytes: one that is larger is not meant, such as a log or a device. */
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

/** Reads the text of a file. */
export type ReadText = (path: string) => Promise<string>;

/** A config that can be read again, with the flags and the environment of the start. */
export class ConfigSource {
  /** The config file, if there is one. */
  readonly file: string | undefined;
  readonly #read: (readTextFile: ReadText) => Promise<Config>;
  #lastText: string | typeof TOO_LARGE | undefined;

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
      this.#lastText = await readWithin(path);
      if (this.#lastText !== TOO_LARGE) return this.#lastText;
      throw new Error(`it has more than ${MAX_CONFIG_BYTES} bytes`);
    });
  }

  /** Whether the file holds anything but what was last read of it; one that cannot be read now does not. */
  async hasChanged(): Promise<boolean> {
    if (this.file === undefined) return false;
    try {
      return await readWithin(this.file) !== this.#lastText;
    } catch {
      // It is being replaced, which is noticed again, or is gone, and then the config that runs stays.
      return false;
    }
  }
}

/**
 * The text of a config file that is read but once.
 *
 * @throws {Error} where it is no file, or too large
 */
export async function readConfigText(path: string): Promise<string> {
  const text = await readWithin(path);
  if (text === TOO_LARGE) throw new Error(`it has more than ${MAX_CONFIG_BYTES} bytes`);
  return text;
}

/** Stands for the text of a file that is too large, so that it is told once. */
const TOO_LARGE = Symbol("too large");

/** Bytes that are read at one time. */
const CHUNK_BYTES = 65_536;

/** The text of a file, of which no more is read than a config may have. */
async function readWithin(path: string): Promise<string | typeof TOO_LARGE> {
  const { isFile, isDirectory } = await Deno.stat(path);
  // A pipe holds the start up until somebody writes to it, and cannot be read again.
  if (!isFile) throw new Error(isDirectory ? "it is a folder" : "it is a pipe or a device");
  using file = await Deno.open(path);
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK_BYTES);
  let [text, size] = ["", 0];
  for (;;) {
    const count = await file.read(chunk);
    if (count === null) return text + decoder.decode();
    size += count;
    if (size > MAX_CONFIG_BYTES) return TOO_LARGE;
    text += decoder.decode(chunk.subarray(0, count), { stream: true });
  }
}
