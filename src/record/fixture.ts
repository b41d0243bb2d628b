/**
 * A recording as a fixture. Pure.
 *
 * @module
 */

import {
  type Entry,
  type Fixture,
  type FixtureMeta,
  FORMAT_VERSION,
  MAX_EXCHANGE_BYTES,
} from "../../fixtures/format/mod.ts";
import { type Facts, factsOf, type Program } from "./facts.ts";
import { normalise } from "./normalise.ts";
import type { Recording } from "./recorder.ts";

/** What writes the fixtures; a test holds the version to the one in deno.json. */
export const RECORDER = "switchyard 0.1.0";

/** What the traffic cannot tell. */
export interface FixtureName {
  /** Lower-case words joined by dashes. */
  readonly name: string;
  /** One line; made from what was recorded where it is left out. */
  readonly title?: string | undefined;
}

/** A fixture and what is uncertain about it. */
export interface BuiltFixture {
  readonly fixture: Fixture;
  /** What the traffic does not tell, a sentence each. */
  readonly doubts: readonly string[];
}

const MAX_TITLE_LENGTH = 120;
const MAX_FEATURES = 20;

/** The fixture of a recording. */
export function toFixture(recording: Recording, named: FixtureName): BuiltFixture {
  const { entries, clean } = normalise(recording);
  const facts = factsOf(recording);
  const kept = withinLimit(entries);
  const meta = metaOf(facts, clean, named, recording.truncated || kept.length < entries.length);
  return { fixture: { meta, entries: kept }, doubts: facts.doubts };
}

/** The head of a fixture; `clean` takes out of names what is no part of a fixture. */
export function metaOf(
  told: Facts,
  clean: (text: string) => string,
  { name, title }: FixtureName,
  truncated: boolean,
): FixtureMeta {
  const facts = cleaned(told, clean);
  return {
    format: FORMAT_VERSION,
    name,
    title: title ?? titleOf(facts),
    revision: facts.revision,
    transport: facts.transport,
    server: facts.server,
    client: facts.client,
    recorder: RECORDER,
    features: facts.features.slice(0, MAX_FEATURES),
    ...(truncated ? { truncated } : {}),
  };
}

/** The facts, with names that hold no secret and change with no recording. */
function cleaned(facts: Facts, clean: (text: string) => string): Facts {
  const program = ({ name, version }: Program) => ({ name: clean(name), version: clean(version) });
  return { ...facts, server: program(facts.server), client: program(facts.client) };
}

function titleOf(
  { client, server, revision }: Pick<Facts, "client" | "server" | "revision">,
): string {
  return `${client.name} with ${server.name}, ${revision}`.slice(0, MAX_TITLE_LENGTH);
}

/** Placeholders and JSON's escapes can make what was held longer than what may be written. */
function withinLimit(entries: readonly Entry[]): readonly Entry[] {
  const encoder = new TextEncoder();
  let bytes = 0;
  const over = entries.findIndex((entry) => {
    bytes += encoder.encode(JSON.stringify(entry)).length + 1;
    return bytes > MAX_EXCHANGE_BYTES;
  });
  return over === -1 ? entries : entries.slice(0, over);
}
