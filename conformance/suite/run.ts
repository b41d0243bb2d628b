/**
 * Runs cases one after the other against one proxy.
 *
 * @module
 */

import type { Assumption, Case, Verdict } from "./check.ts";
import { Context, type ContextOptions, type Target } from "./context.ts";

/**
 * A case may take so many times the patience of the run. Whatever it waits for has a limit of its
 * own; this one holds where a check or a proxy found a way around that.
 */
const CASE_PATIENCE = 60;

/** What came of one case. */
export interface CaseResult {
  readonly id: string;
  readonly title: string;
  readonly durationMs: number;
  readonly verdicts: readonly Verdict[];
  /** The assumptions that were not made, where it was skipped for them. */
  readonly skippedFor: readonly Assumption[];
}

/** How cases are run. */
export interface RunOptions extends ContextOptions {
  readonly assume: readonly Assumption[];
  /** Told after each case. */
  readonly onResult?: (result: CaseResult, done: number, of: number) => void;
}

/** Runs the cases. */
export async function runCases(
  cases: readonly Case[],
  options: RunOptions,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) {
    const result = await runCase(one, options);
    results.push(result);
    options.onResult?.(result, results.length, cases.length);
  }
  return results;
}

/** Runs one case; never rejects for what the proxy does. */
export async function runCase(one: Case, options: RunOptions): Promise<CaseResult> {
  const { id, title } = one;
  const startedMs = performance.now();
  const skippedFor = one.assumes.filter((name) => !options.assume.includes(name));
  if (skippedFor.length > 0) return { id, title, durationMs: 0, verdicts: [], skippedFor };
  options.mock.reset();
  let verdicts: readonly Verdict[];
  try {
    await using context = new Context({ ...options, target: targetFor(one, options.target) });
    const limitMs = CASE_PATIENCE * options.patienceMs;
    verdicts = await context.within(one.run(context), "the end of the case", limitMs);
  } catch (error) {
    const message = error instanceof Error ? `${error.message}` : String(error);
    verdicts = one.checks.map((check) => ({ check, status: "fail", message }));
  } finally {
    options.mock.reset();
  }
  return { id, title, durationMs: performance.now() - startedMs, verdicts, skippedFor };
}

/** Only who waits for short timeouts has them: a busy machine may be slower than a second. */
function targetFor({ assumes }: Case, target: Target): Target {
  const { hastyUrl } = target;
  if (hastyUrl === undefined || !assumes.includes("short-timeouts")) return target;
  return { ...target, url: hastyUrl };
}
