/**
 * Failures that are known: one file for each target, each with its reason. A failure that is expected
 * does not fail a run; an expected failure that passes does. May import nothing else of `conformance`.
 *
 * @module
 */

import { z } from "zod";
import { closestString } from "@std/text/closest-string";

const failureSchema = z.strictObject({
  check: z.string().min(1).optional(),
  case: z.string().min(1).optional(),
  reason: z.string().min(1),
}).refine(
  (failure) => failure.check !== undefined || failure.case !== undefined,
  "a check, a case or both",
);

/** The schema of a file of expected failures. */
export const expectedSchema = z.strictObject({
  $comment: z.string().optional(),
  target: z.string().min(1),
  failures: z.array(failureSchema),
});

/** A file of expected failures. */
export type ExpectedFailures = z.infer<typeof expectedSchema>;

/**
 * Says that in each case it names, at least one of the checks it names fails. Without a check it names
 * all checks of the case, without a case all cases that judge the check; a case that ends with `*`
 * stands for all that begin so.
 */
export type ExpectedFailure = ExpectedFailures["failures"][number];

/** A file of expected failures that is none. */
export class ExpectedFailuresError extends Error {
  override readonly name = "ExpectedFailuresError";
  /** `where` is the file; each problem stands on a line of its own. */
  constructor(where: string, readonly problems: readonly string[]) {
    super(problems.map((problem) => `${where}: ${problem}`).join("\n"));
  }
}

/**
 * The expected failures in a text.
 *
 * @param where the file, for what errors say
 * @throws {ExpectedFailuresError} with every problem in it
 */
export function parseExpected(where: string, text: string): ExpectedFailures {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ExpectedFailuresError(where, [(error as Error).message]);
  }
  const result = expectedSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    `${path.length === 0 ? "the file" : path.join(".")}: ${message}`
  );
  throw new ExpectedFailuresError(where, problems);
}

/** The ids that a suite has. */
export interface KnownIds {
  readonly checks: readonly string[];
  readonly cases: readonly string[];
}

/** What is wrong with the ids that a file names: what does not exist can neither fail nor be stale. */
export function unknownIds(expected: ExpectedFailures, known: KnownIds): string[] {
  return expected.failures.flatMap(({ check, case: caseId }, at) => {
    const problems: string[] = [];
    const complain = (key: string, id: string, ids: readonly string[]) => {
      const near = ids.length === 0 ? "" : `; did you mean ${closestString(id, ids)}?`;
      problems.push(`failures.${at}.${key}: there is no ${JSON.stringify(id)}${near}`);
    };
    if (check !== undefined && !known.checks.includes(check)) {
      complain("check", check, known.checks);
    }
    if (caseId !== undefined && !known.cases.some((id) => namesCase(caseId, id))) {
      complain("case", caseId, known.cases);
    }
    return problems;
  });
}

/** Whether an expected failure speaks of this check in this case. */
export function isExpected(failure: ExpectedFailure, checkId: string, caseId: string): boolean {
  if (failure.check !== undefined && failure.check !== checkId) return false;
  return failure.case === undefined || namesCase(failure.case, caseId);
}

function namesCase(pattern: string, caseId: string): boolean {
  return pattern.endsWith("*") ? caseId.startsWith(pattern.slice(0, -1)) : caseId === pattern;
}
