/**
 * A fixture as a case of the suite.
 *
 * @module
 */

import type { Fixture } from "../../fixtures/format/mod.ts";
import type { Case, Verdict } from "../suite/mod.ts";
import { JUDGEMENTS } from "./judge.ts";
import { play, type PlayOptions } from "./play.ts";
import type { Transcript } from "./transcript.ts";

/** Findings that are told of one check; more would only be more of the same. */
const MAX_FINDINGS = 3;
const MAX_FINDING_CHARS = 500;

/** The case that replays a fixture. */
export function fixtureCase(fixture: Fixture, options?: PlayOptions): Case {
  const { revision, name, title } = fixture.meta;
  return {
    id: `fixtures/${revision}/${name}`,
    title,
    revisions: [revision],
    assumes: [],
    checks: JUDGEMENTS.map(({ id }) => id),
    run: async (context) => judgeAll(await play(fixture, context, options)),
  };
}

/** A verdict for each check that the fixture has something to say about. */
export function judgeAll(transcript: Transcript): Verdict[] {
  return JUDGEMENTS.flatMap(({ id, judge }): Verdict[] => {
    const findings = judge(transcript);
    if (findings === undefined) return [];
    if (findings.length === 0) return [{ check: id, status: "pass" }];
    const told = findings.slice(0, MAX_FINDINGS).map((finding) =>
      finding.length > MAX_FINDING_CHARS ? `${finding.slice(0, MAX_FINDING_CHARS)}…` : finding
    );
    const more = findings.length - told.length;
    const message = told.join("; ") + (more > 0 ? `; and ${more} more` : "");
    return [{ check: id, status: "fail", message }];
  });
}
