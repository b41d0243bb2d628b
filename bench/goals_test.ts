import { assertEquals, assertMatch } from "@std/assert";
import { goalLines } from "./goals.ts";
import type { Report } from "./report.ts";
import type { Estimate, LatencyRow } from "./summary.ts";

const facts = {
  command: "",
  deno: "2.9.5",
  platform: "linux x86_64",
  cores: 2,
  loadAverage: 0,
  skipped: [],
  candidates: [],
};

function estimate(low: number, value: number, high: number): Estimate {
  return { value, interval: { low, high } };
}

function latencyRow(target: string, addedToScale: Estimate, p95Ratio: Estimate): LatencyRow {
  const figures = { calls: 1, p50Ms: 1, p95Ms: 1, p99Ms: 1 };
  return { target, ...figures, addedToScale, p95Ratio };
}

function eraRow(target: string): LatencyRow {
  return { target, calls: 10, p50Ms: 1, p95Ms: 1, p99Ms: 1 };
}

function lineOf(lines: readonly string[], start: string): string {
  return lines.find((line) => line.startsWith(start)) ?? "";
}

Deno.test("goalLines() names every target, also those that were not measured", () => {
  const lines = goalLines({ facts }, []);
  assertEquals(lines.slice(2).length, 12);
  for (const line of lines.slice(2)) assertMatch(line, /-\s+not measured$/);
});

Deno.test("goalLines() tells met, not met and uncertain apart, candidates beside", () => {
  const plan = { serviceMs: 5, rounds: 50, calls: 2, connections: 1, pauseMs: 2 };
  const report: Report = {
    facts,
    latency: [{
      plan,
      rows: [
        latencyRow("proxy", estimate(2.3, 2.5, 2.7), estimate(1.08, 1.1, 1.14)),
        latencyRow("fetch", estimate(3.9, 4, 4.1), estimate(1.2, 1.3, 1.4)),
      ],
    }],
    throughput: [{ target: "proxy", count: 1, perSecond: 1, toNginx: estimate(0.61, 0.7, 0.8) }],
    sse: [{
      plan: { rounds: 2, events: 9, writeBytes: 1 },
      rows: [
        { target: "raw", count: 1, perSecond: 1, toNginx: estimate(0.7, 0.75, 0.79) },
        { target: "logged", count: 1, perSecond: 1, toNginx: estimate(0.4, 0.5, 0.6) },
        { target: "fetch", count: 1, perSecond: 1, toNginx: estimate(0.1, 0.2, 0.3) },
      ],
    }],
    eras: {
      plan,
      rows: [
        { ...eraRow("same era"), asked: { "tools/call": 40 } },
        { ...eraRow("modern, key"), asked: { "tools/call": 10, "initialize": 1 } },
      ],
    },
    rss: [{
      streams: 10,
      rows: [{ target: "logged", beforeKiB: 0, openKiB: 0, closedKiB: 0, perStreamKiB: 33 }],
    }],
  };
  const lines = goalLines(report, ["fetch"]);
  assertMatch(
    lineOf(lines, "added p50 to nginx's, 5 ms, 1 connection"),
    /<= 2\.2\s+2\.50 \[2\.30, 2\.70\]\s+NOT MET\s+4\.00$/,
  );
  assertMatch(lineOf(lines, "p95 to direct, 5 ms"), /\smet, uncertain\s+1\.300$/);
  assertMatch(lineOf(lines, "p95 to direct, 20 ms"), /not measured\s+-$/);
  assertMatch(lineOf(lines, "requests/s to nginx"), />= 0\.6\s+0\.70 \[0\.61, 0\.80\]\s+met\s+-$/);
  const events = lines.filter((line) => line.startsWith("events/s to nginx, raw, one a write"));
  assertMatch(events[0] ?? "", />= 0\.7\s+0\.75 \[0\.70, 0\.79\]\s+met\s+-$/);
  assertMatch(events[1] ?? "", />= 0\.8\s+0\.75 \[0\.70, 0\.79\]\s+NOT MET\s+-$/);
  assertMatch(lineOf(lines, "events/s to nginx, logged"), />= 0\.4\s+0\.50 .*\smet\s+0\.20$/);
  assertMatch(lineOf(lines, "events/s to nginx, inspected"), /not measured\s+-$/);
  assertMatch(lineOf(lines, "upstream requests a call"), /<= 1\s+1\.100\s+NOT MET\s+-$/);
  assertMatch(lineOf(lines, "KiB an idle stream, logged, of 10"), /<= 32\s+33\.0\s+NOT MET\s+-$/);
});

Deno.test("goalLines() holds the tail to its bound in step and apart, the median in step alone", () => {
  const plan = { serviceMs: 5, rounds: 50, calls: 2, connections: 8, pauseMs: 2 };
  const row = latencyRow("proxy", estimate(1, 1.2, 1.4), estimate(1.05, 1.07, 1.09));
  const late = latencyRow("proxy", estimate(1, 1.2, 1.4), estimate(1.14, 1.16, 1.18));
  const latency = [{ plan, rows: [late] }, { plan: { ...plan, spreadMs: 7 }, rows: [row] }];
  const lines = goalLines({ facts, latency }, []).filter((line) => line.includes("8 connections"));
  assertEquals(lines.length, 3);
  assertMatch(lineOf(lines, "added p50 to nginx's, 5 ms, 8 connections "), /<= 2\.2 .* met$/);
  assertMatch(lineOf(lines, "p95 to direct, 5 ms, 8 connections  "), /1\.160 .* NOT MET$/);
  assertMatch(lineOf(lines, "p95 to direct, 5 ms, 8 connections apart"), /1\.070 .* met$/);
});
