/**
 * A fresh API key, and its entry in the config.
 *
 * @module
 */

import { hashOfKey, newKey } from "../auth/mod.ts";
import { systemClock } from "../clock.ts";
import { ConfigError, KEY_NAME, KEY_NAME_WANTED } from "../config/mod.ts";
import type { CommandLine } from "./args.ts";
import type { CommandIo } from "./io.ts";

/**
 * Prints a key on the first line of stdout and the entry on the second, so that a script can take them
 * apart; what to do with them goes to stderr.
 *
 * @throws {ConfigError} where the name cannot stand in a config.
 */
export function printNewKey({ recording }: CommandLine, io: CommandIo): Promise<number> {
  // Not a fixed one: keys with one name are one caller, which nobody should be by forgetting a flag.
  const name = recording.name ?? `caller-${systemClock.randomBytes(4).toHex()}`;
  if (!KEY_NAME.test(name)) {
    const found = JSON.stringify(name);
    return Promise.reject(new ConfigError([{ path: "--name", found, wanted: KEY_NAME_WANTED }]));
  }
  const key = newKey(systemClock.randomBytes);
  io.err("First the key, for the caller; it is shown this once and stored nowhere.");
  io.err("Then its entry, for the list auth.keys of the config.");
  io.out(key);
  io.out(`{ "name": ${JSON.stringify(name)}, "sha256": "${hashOfKey(key)}" }`);
  return Promise.resolve(0);
}
