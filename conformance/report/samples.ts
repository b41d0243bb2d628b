/** Literals that the tests of reports share. */

import type { CaseResult, Check } from "../suite/mod.ts";
import type { SuiteRun } from "./assess.ts";

function check(id: Check["id"], group: Check["group"]): Check {
  return { id, group, title: `the rule of ${id}`, source: `source of ${id}` };
}

function result(id: string, ...verdicts: CaseResult["verdicts"]): CaseResult {
  return { id, title: `title of ${id}`, durationMs: 12.4, verdicts, skippedFor: [] };
}

/** A run in which each thing happened once. */
export const RUN: SuiteRun = {
  target: { name: "a proxy", url: "http://127.0.0.1:8080/mcp" },
  startedAt: "2026-11-21T03:00:00.000Z",
  durationMs: 1234,
  platform: "Deno 2.9.5, linux x86_64, 2 cores",
  command: "deno task conformance -- --target http://127.0.0.1:8080/mcp --upstream-port 9000",
  checks: [
    check("answer.status", "answer"),
    check("events.order", "events"),
    check("faults.refused", "faults"),
    check("limits.large", "limits"),
  ],
  results: [
    result("answer.status", { check: "answer.status", status: "pass" }),
    result(
      "fixtures/2025-11-25/echo",
      { check: "answer.status", status: "fail", message: 'is "a\u0000|<b>", expected 200' },
      { check: "events.order", status: "pass" },
    ),
    result(
      "fixtures/2024-11-05/echo",
      { check: "answer.status", status: "fail", message: "is 404, expected 200" },
    ),
    result("limits.large", { check: "limits.large", status: "pass" }),
    { ...result("faults.refused"), durationMs: 0, skippedFor: ["short-timeouts"] },
  ],
  expected: [
    { case: "fixtures/2024-11-05/*", reason: "not built yet" },
    { check: "limits.large", reason: "was wrong once" },
  ],
};

const RATIO = { value: 1.04, interval: { low: 1.02, high: 1.06 } };
const DIRECT = { target: "direct", calls: 300, p50Ms: 21.6, p95Ms: 22, p99Ms: 22.2 };

/** A run in which nothing went wrong, with a table of latencies. */
export const GOOD_RUN: SuiteRun = {
  ...RUN,
  command: "deno task conformance",
  checks: [check("answer.status", "answer"), check("latency.p95-20ms", "latency")],
  results: [
    RUN.results[0]!,
    result("latency.p95-20ms", { check: "latency.p95-20ms", status: "pass" }),
  ],
  expected: [],
  latency: {
    summaries: [{
      plan: { serviceMs: 20, rounds: 100, calls: 3, connections: 1, pauseMs: 0 },
      rows: [DIRECT, { ...DIRECT, target: "proxy", p95Ms: 22.88, p95Ratio: RATIO }],
    }],
    notes: ["nginx: SKIPPED, not found on PATH"],
    verdicts: [],
  },
};
