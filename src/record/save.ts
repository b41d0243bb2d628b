/**
 * Where recordings are written, and what stands in the way of it.
 *
 * @module
 */

import { writeFixture } from "../../fixtures/format/mod.ts";
import { ConfigError, type ConfigProblem } from "../config/mod.ts";
import { type FixtureName, toFixture } from "./fixture.ts";
import { toHar } from "./har.ts";
import type { Recording } from "./recorder.ts";

/** Where a recording goes. */
export interface Destination extends FixtureName {
  /** The folder of the fixture. */
  readonly out?: string | undefined;
  /** The file of the archive. */
  readonly har?: string | undefined;
}

/** A recording that could not be written, or that holds nothing. */
export class RecordingError extends Error {
  /** The name of this class. */
  override readonly name = "RecordingError";
}

/** What was written. */
export interface Saved {
  /** The revision that meta.json says. */
  readonly revision: string;
  /** The transport that meta.json says. */
  readonly transport: string;
  /** How many entries there are. */
  readonly entries: number;
  /** Whether the recording was cut at its limit. */
  readonly truncated: boolean;
  /** What the traffic does not tell, a sentence each. */
  readonly doubts: readonly string[];
}

const FILES: readonly string[] = ["meta.json", "exchange.ndjson"];

/**
 * Writes a recording and tells what is uncertain about it.
 *
 * @throws {RecordingError} where there is nothing to write, or it cannot be written.
 */
export async function save(recording: Recording, to: Destination): Promise<Saved> {
  if (recording.entries.length === 0) {
    throw new RecordingError(
      "Nothing was recorded, so nothing is written: no client called before the recording ended.",
    );
  }
  const { fixture, doubts } = toFixture(recording, to);
  try {
    if (to.out !== undefined) await writeFixture(to.out, fixture);
    if (to.har !== undefined) {
      const har = toHar(fixture, recording.startedAt);
      await Deno.writeTextFile(to.har, `${JSON.stringify(har, null, 2)}\n`, { mode: 0o600 });
    }
  } catch (error) {
    throw new RecordingError(`The recording could not be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const { revision, transport, truncated = false } = fixture.meta;
  return { revision, transport, entries: fixture.entries.length, truncated, doubts };
}

/**
 * Makes the folder `path` and tries to write there, so that what stands in the way is told before the
 * recording and not after it.
 *
 * @throws {ConfigError}
 */
export async function checkFolder(path: string, setting: string): Promise<void> {
  requireWrite(path, setting);
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    await Deno.remove(await Deno.makeTempFile({ dir: path, prefix: ".switchyard-" }));
  } catch (error) {
    throw refuse(setting, path, messageOf(error), "a folder that can be written to");
  }
}

/**
 * Refuses a folder that holds a fixture already.
 *
 * @throws {ConfigError}
 */
export async function refuseFixture(path: string, setting: string): Promise<void> {
  for (const file of FILES) {
    if (!await exists(`${path}/${file}`)) continue;
    throw refuse(
      setting,
      path,
      `holds ${file} already`,
      "another folder, or --force to replace it",
    );
  }
}

/**
 * Checks the place of an archive; one that is there already is replaced only with `replace`.
 *
 * @throws {ConfigError}
 */
export async function checkFile(path: string, setting: string, replace: boolean): Promise<void> {
  if (!replace && await exists(path)) {
    throw refuse(setting, path, "is there already", "another file, or --force to replace it");
  }
  await checkFolder(path.replace(/[^/]*$/, "") || ".", setting);
}

/** Asks for nothing: a question on the terminal would hold the start up. */
function requireWrite(path: string, setting: string): void {
  if (Deno.permissions.querySync({ name: "write", path }).state === "granted") return;
  throw refuse(
    setting,
    path,
    "this process may not write there",
    "the permission to: run with -P=record, or --allow-write=DIR beside -P",
  );
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function refuse(setting: string, path: string, why: string, wanted: string): ConfigError {
  const problem: ConfigProblem = { path: setting, found: `${path} (${why})`, wanted };
  return new ConfigError([problem]);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
