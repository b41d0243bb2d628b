/**
 * The secret that the proxy makes for itself, in a file of its data directory, so that ids open after a
 * restart (R67, R76).
 *
 * @module
 */

import { join } from "node:path";
import type { Clock } from "../clock.ts";
import {
  makeSecret,
  MAX_SECRET_CHARACTERS,
  MIN_SECRET_CHARACTERS,
  SealKeyError,
} from "./seal_key.ts";

/** Name of the file in the data directory. */
export const KEY_FILE = "session.key";

/** Most bytes of a file that is read: the longest secret in UTF-8, and a line break. */
const MAX_FILE_BYTES = 4 * MAX_SECRET_CHARACTERS;

/** Permissions of all but the owner. */
const OTHERS = 0o077;

/** Random bytes in the name of a file on its way. */
const TEMPORARY_NAME_BYTES = 8;

/**
 * The secret in `session.key` of a folder. Where there is none one is made, with the folder if need be, and
 * processes that do this at the same time all get the one secret that is kept. Needs leave to read and, to
 * make one, to write.
 *
 * @param dataDir path of the folder
 * @throws {SealKeyError} when the file cannot be read or made, is open to others than its owner, or holds no
 * secret; the message names the file and what to do
 */
export async function loadOrMakeSecret(dataDir: string, clock: Clock): Promise<string> {
  const path = join(dataDir, KEY_FILE);
  const secret = await readSecret(path) ?? await makeSecretFile(dataDir, path, clock) ??
    await readSecret(path);
  if (secret !== undefined) return secret;
  throw new SealKeyError(
    `The key file ${path} is there, but cannot be found; is it a broken link?`,
  );
}

/** The secret in a file; undefined where there is no file. */
async function readSecret(path: string): Promise<string | undefined> {
  let text: string;
  try {
    const { isFile, size, mode } = await Deno.stat(path);
    if (!isFile) throw new SealKeyError(`The key file ${path} is no file; remove it.`);
    // Windows has no such permissions.
    if (Deno.build.os !== "windows" && ((mode ?? 0) & OTHERS) !== 0) {
      throw new SealKeyError(
        `The key file ${path} is open to other users. If none of them may have read it: ` +
          `chmod 600 ${path}; else remove it, which ends all sessions.`,
      );
    }
    if (size > MAX_FILE_BYTES) throw noSecret(path);
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof SealKeyError) throw error;
    throw new SealKeyError(`The key file ${path} cannot be read: ${reason(error)}.`, error);
  }
  const secret = text.trim();
  if (secret.length < MIN_SECRET_CHARACTERS || secret.length > MAX_SECRET_CHARACTERS) {
    throw noSecret(path);
  }
  return secret;
}

/**
 * Makes a file with a new secret; undefined where another process was faster.
 *
 * The file gets its name when it is whole, so that nobody reads a part of it; and it gets it as a link,
 * which, unlike renaming, never takes the place of a file that is there.
 */
async function makeSecretFile(
  dataDir: string,
  path: string,
  clock: Clock,
): Promise<string | undefined> {
  const secret = makeSecret(clock);
  const temporary = `${path}.${clock.randomBytes(TEMPORARY_NAME_BYTES).toHex()}`;
  try {
    await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
    try {
      await writeNew(temporary, `${secret}\n`);
      await Deno.link(temporary, path);
    } finally {
      await removeIfThere(temporary);
    }
    return secret;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw new SealKeyError(
      `The key file ${path} cannot be made: ${
        reason(error)
      }. Let the proxy write there, or give it ` +
        "a secret in its config; one is made with: openssl rand -base64 32",
      error,
    );
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  const bytes = new TextEncoder().encode(text);
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
  // The link must not outlive a crash of the machine that the bytes do not.
  await file.sync();
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function noSecret(path: string): SealKeyError {
  return new SealKeyError(
    `The key file ${path} holds no secret of ${MIN_SECRET_CHARACTERS} to ${MAX_SECRET_CHARACTERS} ` +
      "characters; remove it, and a new one is made, which ends all sessions.",
  );
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
