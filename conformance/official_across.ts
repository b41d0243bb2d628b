/**
 * Runs of the official suite at one era in front of a server of the other. Nobody can make them without the proxy,
 * so they are held against a list of the checks that do not pass, each with its reason. A check that is not on
 * the list and does not pass fails the run, and so does one that is on it and passes. No processes here.
 */
import { z } from "zod";
import { type CheckResult, WHOLE_SCENARIO } from "./official_results.ts";

const failureSchema = z.strictObject({
  scenario: z.string().min(1),
  /** The checkId; left out where the scenario broke off without checks. */
  check: z.string().min(1).default(WHOLE_SCENARIO),
  /** A sentence: why it cannot pass, or what it shows. */
  reason: z.string().min(1),
  /** Where the specification says so. */
  section: z.string().min(1),
});

const expectedSchema = z.strictObject({
  runs: z.array(z.strictObject({
    server: z.string().min(1),
    revision: z.string().min(1),
    failures: z.array(failureSchema),
  })),
});

/** A check that is known not to pass. */
export type ExpectedCheck = z.infer<typeof failureSchema>;

/** The known failures of every run across eras. */
export type ExpectedAcross = z.infer<typeof expectedSchema>;

/** What a run across eras has that its list has not, or the reverse. */
export interface Surprise {
  readonly kind: "unexpected" | "stale";
  readonly scenario: string;
  readonly checkId: string;
  /** The status, or why it was expected not to pass. */
  readonly told: string;
}

/**
 * Reads the list.
 *
 * @throws {Error} naming what is wrong with it
 */
export function parseAcross(text: string): ExpectedAcross {
  return expectedSchema.parse(JSON.parse(text));
}

/** The failures that are expected of one run. */
export function expectedOf(
  { runs }: ExpectedAcross,
  run: { readonly server: string; readonly revision: string },
): readonly ExpectedCheck[] {
  return runs
    .filter(({ server, revision }) => server === run.server && revision === run.revision)
    .flatMap(({ failures }) => failures);
}

/**
 * What is surprising about the results.
 *
 * @param scenario the only scenario that was run, where it was one; others are not stale then
 */
export function surprisesOf(
  results: readonly CheckResult[],
  expected: readonly ExpectedCheck[],
  scenario?: string,
): Surprise[] {
  const failed = results.filter(({ status }) => status === "FAILURE" || status === "WARNING");
  const isSame = (row: CheckResult, known: ExpectedCheck) =>
    row.scenario === known.scenario && row.checkId === known.check;
  const unexpected = failed
    .filter((row) => !expected.some((known) => isSame(row, known)))
    .map((row): Surprise => ({ ...row, kind: "unexpected", told: row.status }));
  const stale = expected
    .filter((known) => scenario === undefined || known.scenario === scenario)
    .filter((known) => !failed.some((row) => isSame(row, known)))
    .map(({ scenario, check, reason }): Surprise => ({
      kind: "stale",
      scenario,
      checkId: check,
      told: reason,
    }));
  return [...unexpected, ...stale];
}
