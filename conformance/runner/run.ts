/**
 * One run: the cases with the mock that follows scripts, then latency with the lean one on the same
 * port.
 *
 * @module
 */

import { Cleanup } from "../../bench/cleanup.ts";
import type { ExpectedFailure } from "../expected/mod.ts";
import { LATENCY_CHECK, latencyPlans, type LatencyReport, runLatency } from "../latency/mod.ts";
import { MockUpstream, sessionServer } from "../mock/mod.ts";
import type { SuiteRun } from "../report/mod.ts";
import {
  type Assumption,
  type CaseResult,
  Context,
  initializeRequest,
  runCases,
  type Target,
} from "../suite/mod.ts";
import type { Catalogue } from "./catalogue.ts";
import type { TargetSource } from "./source.ts";

/** A target may take so many times the patience of the run until it can be called. */
const REACH_PATIENCE = 2;
const REACH_POLL_MS = 200;

/** What to run, and against what. */
export interface SuiteOptions {
  readonly source: TargetSource;
  /** What was selected. */
  readonly catalogue: Catalogue;
  readonly expected: readonly ExpectedFailure[];
  /** Where the mock listens; port 0 picks a free one. */
  readonly upstream: { readonly hostname: string; readonly port: number };
  readonly patienceMs: number;
  readonly seed: number;
  /** Rounds at the judged service time. */
  readonly rounds: number;
  /** Undoes what is under way when the run is interrupted. */
  readonly cleanup: Cleanup;
  /** Told after each case. */
  readonly onResult?: (result: CaseResult, done: number, of: number) => void;
  /** Told what else is being done. */
  readonly onPhase?: (what: string) => void;
}

/** The target cannot be tested at all. */
export class TargetError extends Error {
  override readonly name = "TargetError";
}

/** A target and the mock behind it. */
export interface OpenTarget {
  readonly mock: MockUpstream;
  readonly target: Target;
  /** Ends both; more than once is the same as once. */
  close(): Promise<void>;
}

/** What to open. */
export type OpenOptions = Pick<
  SuiteOptions,
  "source" | "upstream" | "cleanup" | "patienceMs" | "onPhase"
>;

/**
 * Starts the mock and the target before it.
 *
 * @throws {TargetError} where the mock has no port, or the target cannot be reached
 */
export async function openTarget(
  { source, upstream, cleanup, patienceMs, onPhase }: OpenOptions,
): Promise<OpenTarget> {
  const own = new Cleanup();
  await cleanup.add(() => own.run());
  onPhase?.(`starting ${source.name}`);
  try {
    const mock = await listen(upstream);
    await own.add(() => mock.close());
    // Some gateways open their upstream session when they start.
    mock.use(sessionServer());
    const running = await source.start(`http://${mock.host}/mcp`);
    await own.add(async () => await running[Symbol.asyncDispose]());
    const reachMs = REACH_PATIENCE * patienceMs;
    await reach(running.target, mock, patienceMs, performance.now() + reachMs);
    return { mock, target: running.target, close: () => own.run() };
  } catch (error) {
    await own.run();
    throw error;
  }
}

/** Runs what was selected. */
export async function runSuite(options: SuiteOptions): Promise<SuiteRun> {
  const { source, catalogue, expected, patienceMs, onResult } = options;
  const startedMs = performance.now();
  const startedAt = new Date().toISOString();
  let url = "";
  let results: readonly CaseResult[] = [];
  if (catalogue.cases.length > 0) {
    const open = await openTarget(options);
    url = open.target.url.href;
    const { mock, target } = open;
    const progress = onResult === undefined ? {} : { onResult };
    try {
      const { assume } = source;
      const run = { target, mock, patienceMs, assume, ...progress };
      results = await withoutLateFailures(() => runCases(catalogue.cases, run));
    } finally {
      await open.close();
    }
  }
  const timed = catalogue.checks.some(({ group }) => group === "latency");
  const latency = timed ? await timeTarget(options, (used) => url = used) : undefined;
  return {
    target: { name: source.name, url },
    startedAt,
    durationMs: performance.now() - startedMs,
    platform: platform(),
    command: source.command,
    checks: catalogue.checks,
    results: latency === undefined ? results : [...results, latency.result],
    expected,
    ...(latency === undefined ? {} : { latency: latency.report }),
  };
}

/** What fails behind the back of a case that has its verdict must not end the run. */
async function withoutLateFailures<T>(run: () => Promise<T>): Promise<T> {
  const passOver = (event: PromiseRejectionEvent) => event.preventDefault();
  addEventListener("unhandledrejection", passOver);
  try {
    return await run();
  } finally {
    removeEventListener("unhandledrejection", passOver);
  }
}

/** The latency phase, as the result of one case. */
async function timeTarget(
  options: SuiteOptions,
  onUrl: (url: string) => void,
): Promise<{ report: LatencyReport; result: CaseResult }> {
  const { source, upstream, seed, rounds, cleanup, onPhase } = options;
  const startedMs = performance.now();
  const own = new Cleanup();
  await cleanup.add(() => own.run());
  const report = await runLatency({
    plans: latencyPlans(rounds),
    seed,
    upstream,
    cleanup: own,
    start: async (before) => {
      const running = await source.start(before);
      onUrl(running.target.url.href);
      return {
        url: running.target.url,
        [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
      };
    },
    ...(onPhase === undefined ? {} : { onProgress: onPhase }),
  });
  const { verdicts } = report;
  const { id } = LATENCY_CHECK;
  const title = "latency beside a direct call, in rounds of one run";
  const durationMs = performance.now() - startedMs;
  const skippedFor: readonly Assumption[] = [];
  return { report, result: { id, title, durationMs, verdicts, skippedFor } };
}

async function listen({ port, hostname }: SuiteOptions["upstream"]): Promise<MockUpstream> {
  try {
    return await MockUpstream.listen(port, hostname);
  } catch (error) {
    const { message } = error as Error;
    throw new TargetError(`the mock cannot listen on ${hostname}:${port}: ${message}`);
  }
}

/** Opens a session, to tell a proxy that does not run from one that fails checks. */
async function reach(
  target: Target,
  mock: MockUpstream,
  patienceMs: number,
  deadlineMs: number,
): Promise<void> {
  for (;;) {
    try {
      await using context = new Context({ target, mock, patienceMs });
      const { status } = await context.send({ body: initializeRequest("2025-11-25") });
      if (status === 200 || mock.requests.length > 0) return mock.reset();
      if (performance.now() > deadlineMs) throw new TargetError(silent(target, mock, status));
    } catch (error) {
      if (error instanceof TargetError) throw error;
      if (performance.now() > deadlineMs) {
        throw new TargetError(`${target.url} cannot be called: ${(error as Error).message}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, REACH_POLL_MS));
  }
}

function silent(target: Target, mock: MockUpstream, status: number): string {
  return `${target.url} answers initialize with ${status}, and nothing reaches the mock at ` +
    `${mock.host}: is the proxy set up to forward to it?`;
}

function platform(): string {
  const cores = navigator.hardwareConcurrency;
  return `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}, ${cores} cores`;
}
