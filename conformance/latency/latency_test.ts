import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Cleanup } from "../../bench/cleanup.ts";
import { startListener } from "../../bench/processes.ts";
import type { LatencySummary } from "../../bench/summary.ts";
import { startOwnProxy } from "../own_proxy.ts";
import {
  judgeLatency,
  latencyPlans,
  type LatencySubject,
  MOST_P95_RATIO,
  runLatency,
  SUBJECT,
} from "./mod.ts";

const UPSTREAM = { hostname: "127.0.0.1", port: 0 };
const REPOSITORY = new URL("../../", import.meta.url);
const RELAY_SCRIPT = new URL("./slow_relay.ts", import.meta.url);

function summary(serviceMs: number, value: number, low: number, high: number): LatencySummary {
  const figures = { calls: 300, p50Ms: 21, p95Ms: 22, p99Ms: 23 };
  return {
    plan: { serviceMs, rounds: 100, calls: 3, connections: 1, pauseMs: 0 },
    rows: [
      { target: "direct", ...figures },
      { target: SUBJECT, ...figures, p95Ratio: { value, interval: { low, high } } },
      { target: "nginx", ...figures, p95Ratio: { value: 9, interval: { low: 9, high: 9 } } },
    ],
  };
}

Deno.test("judgeLatency() goes by the upper bound at 20 ms alone", () => {
  const good = summary(20, 1.038, 1.036, 1.05);
  assertEquals(judgeLatency([summary(0, 3, 2, 4), good]), [
    { check: "latency.p95-20ms", status: "pass" },
  ]);
  const [bad] = judgeLatency([summary(20, 1.06, 1.051, 1.07)]);
  assertEquals(bad, {
    check: "latency.p95-20ms",
    status: "fail",
    message:
      "the p95 ratio at 20 ms is 1.060, 95 % interval [1.051, 1.070]; its upper bound must " +
      "be at most 1.05",
  });
});

Deno.test("judgeLatency() says that it is uncertain where the bound lies inside the interval", () => {
  const [verdict] = judgeLatency([summary(20, 1.04, 1.02, 1.06)]);
  assertEquals(verdict?.status, "fail");
  assertStringIncludes(verdict?.message ?? "", "uncertain: the p95 ratio at 20 ms is 1.040");
});

Deno.test("judgeLatency() fails what was not measured, and what is no number", () => {
  assertEquals(judgeLatency([])[0]?.message, "it was not measured");
  assertEquals(judgeLatency([summary(20, NaN, NaN, NaN)])[0]?.status, "fail");
});

Deno.test("latencyPlans() judges 20 ms with all rounds, and reports 5 and 0 ms with half", () => {
  assertEquals(latencyPlans(100).map(({ serviceMs, rounds }) => [serviceMs, rounds]), [
    [20, 100],
    [5, 50],
    [0, 50],
  ]);
  assertEquals(latencyPlans(2).map(({ rounds }) => rounds), [2, 2, 2]);
});

Deno.test("runLatency() measures this proxy, nginx where it is, and judges", async () => {
  const told: string[] = [];
  const report = await runLatency({
    plans: latencyPlans(2),
    seed: 1,
    upstream: UPSTREAM,
    start: async (upstream): Promise<LatencySubject> => {
      const proxy = await startOwnProxy(upstream);
      return { url: proxy.target.url, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
    },
    onProgress: (what) => void told.push(what),
  });
  // Few rounds say whether it works, not how fast it is: that is for `deno task conformance`.
  assertEquals(report.verdicts.map(({ check }) => check), ["latency.p95-20ms"]);
  assertEquals(told, [20, 5, 0].map((ms) => `latency, upstream ${ms} ms`));
  const targets = report.summaries.map(({ rows }) => rows.map(({ target }) => target));
  const skipped = report.notes.some((note) => note.startsWith("nginx: SKIPPED"));
  const names = skipped ? ["direct", SUBJECT] : ["direct", SUBJECT, "nginx"];
  assertEquals(targets, [names, names, names]);
});

Deno.test("a relay that adds 3 ms to each call fails the gate", async () => {
  const cleanup = new Cleanup();
  const report = await runLatency({
    plans: latencyPlans(10).slice(0, 1),
    seed: 1,
    upstream: UPSTREAM,
    cleanup,
    start: async (upstream): Promise<LatencySubject> => {
      const args = ["run", "--no-config", "--allow-net=127.0.0.1", RELAY_SCRIPT.href];
      args.push(new URL(upstream).port);
      const { endpoint } = await startListener("the relay", args, REPOSITORY, cleanup);
      const url = new URL(`http://127.0.0.1:${endpoint.port}/mcp`);
      return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
    },
  });
  const ratio = report.summaries[0]?.rows.find(({ target }) => target === SUBJECT)?.p95Ratio;
  assert(ratio !== undefined && ratio.interval.high > MOST_P95_RATIO, JSON.stringify(report));
  assertEquals(report.verdicts.map(({ status }) => status), ["fail"]);
});

Deno.test("what cannot be measured fails, with the reason", async () => {
  const start = () => Promise.reject(new Error("no such proxy"));
  const report = await runLatency({ plans: latencyPlans(2), seed: 1, upstream: UPSTREAM, start });
  assertEquals(report.verdicts, [{
    check: "latency.p95-20ms",
    status: "fail",
    message: "it could not be measured: no such proxy",
  }]);
});

Deno.test("a target behind TLS is not measured, and said to be left out", async () => {
  const start = () =>
    Promise.resolve({
      url: new URL("https://127.0.0.1:1/mcp"),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  const report = await runLatency({ plans: latencyPlans(2), seed: 1, upstream: UPSTREAM, start });
  assertEquals(report, {
    summaries: [],
    notes: ["latency: SKIPPED, only http: is measured"],
    verdicts: [],
  });
});
