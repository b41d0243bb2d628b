/**
 * Everything the suite can check.
 *
 * @module
 */

import { SCENARIOS } from "../checks/mod.ts";
import { readFixtures } from "../../fixtures/format/mod.ts";
import { LATENCY_CHECKS } from "../latency/mod.ts";
import { fixtureCase, type PlayOptions, REPLAY_CHECKS } from "../replay/mod.ts";
import { type Case, type Check, scenarioCase } from "../suite/mod.ts";

/** All checks and all cases; checks of group `latency` have a phase of their own and no case. */
export interface Catalogue {
  readonly checks: readonly Check[];
  readonly cases: readonly Case[];
}

const FIXTURES = new URL("../../fixtures", import.meta.url);

/** Reads the catalogue, fixtures included. */
export async function loadCatalogue(options?: PlayOptions): Promise<Catalogue> {
  const fixtures = await readFixtures(FIXTURES);
  return {
    checks: [...SCENARIOS, ...REPLAY_CHECKS, ...LATENCY_CHECKS],
    cases: [
      ...SCENARIOS.map(scenarioCase),
      ...fixtures.map((fixture) => fixtureCase(fixture, options)),
    ],
  };
}

/** What is wrong with a catalogue: ids that are there twice, and checks that do not exist. */
export function catalogueProblems({ checks, cases }: Catalogue): string[] {
  const problems: string[] = [];
  const ids = new Set<string>();
  for (const { id, group } of checks) {
    if (ids.has(id)) problems.push(`check ${id} is there twice`);
    if (!id.startsWith(`${group}.`)) problems.push(`check ${id} does not begin with its group`);
    ids.add(id);
  }
  const caseIds = new Set<string>();
  for (const one of cases) {
    if (caseIds.has(one.id)) problems.push(`case ${one.id} is there twice`);
    caseIds.add(one.id);
    for (const id of one.checks) {
      if (!ids.has(id)) problems.push(`case ${one.id} judges ${id}, which is no check`);
    }
  }
  return problems;
}
