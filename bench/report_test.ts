import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eraLines, reportLines } from "./report.ts";
import { seededRandom } from "./stats.ts";
import { summariseLatency, summariseRates } from "./summary.ts";
import { alignedTable } from "./table.ts";

const plan = { serviceMs: 5, rounds: 50, calls: 2, connections: 1, pauseMs: 2 };

function roundsOf(baseMs: number): number[][] {
  const random = seededRandom(baseMs);
  return Array.from({ length: plan.rounds }, () => [baseMs + random(), baseMs + random()]);
}

Deno.test("summariseLatency() compares every target with direct, and direct with nothing", () => {
  const { rows } = summariseLatency(
    plan,
    [{ name: "direct", rounds: roundsOf(10) }, { name: "proxy", rounds: roundsOf(20) }],
    "direct",
    "nginx",
    seededRandom(1),
  );
  const [direct, proxy] = rows;
  assert(direct !== undefined && proxy !== undefined);
  assertEquals(direct.p95Ratio, undefined);
  assertEquals(direct.calls, 100);
  assert(proxy.p95Ratio !== undefined && proxy.addedP50Us !== undefined);
  assert(Math.abs(proxy.addedP50Us.value - 10_000) < 500);
  assert(proxy.p95Ratio.interval.low <= proxy.p95Ratio.value);
  assert(proxy.p95Ratio.value <= proxy.p95Ratio.interval.high);
});

Deno.test("summariseRates() leaves out the ratio to what was not measured", () => {
  const slices = (count: number) => [{ count, elapsedMs: 100 }, { count, elapsedMs: 100 }];
  const direct = { name: "direct", rounds: slices(100) };
  const proxy = { name: "proxy", rounds: slices(25) };
  const nginx = { name: "nginx", rounds: slices(50) };
  const all = summariseRates([direct, proxy, nginx], "direct", "nginx", seededRandom(1));
  assertEquals(all[1]?.toNginx, { value: 0.5, interval: { low: 0.5, high: 0.5 } });
  assertEquals(all[1]?.toDirect?.value, 0.25);
  assertEquals(all[2]?.toNginx, undefined);
  const without = summariseRates([direct, proxy], "direct", "nginx", seededRandom(1));
  assertEquals(without[1]?.toNginx, undefined);
  assertEquals(without[1]?.perSecond, 250);
});

Deno.test("alignedTable() sets the first column left and the others right", () => {
  assertEquals(alignedTable([["a", "b"], ["long", "10"]]), ["a      b", "long  10"]);
});

Deno.test("reportLines() shows what was skipped, the sections asked for and how to repeat", () => {
  const facts = {
    command: "deno task bench --seed 1",
    deno: "2.9.5",
    platform: "linux x86_64",
    cores: 2,
    loadAverage: 0.5,
    skipped: ["nginx: SKIPPED, not found on PATH"],
    candidates: [],
  };
  const measured = [{ name: "direct", rounds: roundsOf(10) }];
  const latency = [summariseLatency(plan, measured, "direct", "nginx", seededRandom(1))];
  const text = reportLines({ facts, latency }).join("\n");
  assertStringIncludes(text, "nginx: SKIPPED, not found on PATH");
  assertStringIncludes(text, "latency: upstream 5 ms, 1 connection, pause 2 ms, 50 rounds");
  assertStringIncludes(text, "repeat: deno task bench --seed 1");
  assert(!text.includes("throughput:"));
  assert(!text.includes("dripped:"));
});

Deno.test("eraLines() shows requests a call, and what they are where they are of several kinds", () => {
  const row = { p50Ms: 1, p95Ms: 2, p99Ms: 3, calls: 20 };
  const added = { value: 500, interval: { low: 400, high: 600 } };
  const ratio = { value: 1.5, interval: { low: 1.25, high: 1.75 } };
  const lines = eraLines({
    plan,
    rows: [
      { target: "direct", ...row, asked: { "tools/call": 20 } },
      {
        target: "modern, anybody",
        ...row,
        addedP50Us: added,
        addedP95Us: added,
        addedToScale: ratio,
        asked: { "tools/call": 20, initialize: 21 },
      },
    ],
  }).map((line) => line.replaceAll(/ +/g, " "));
  assertStringIncludes(lines[0] ?? "", "upstream 5 ms");
  assertEquals(lines.slice(2), [
    "direct 20 1.000 2.000 - - - 1.000",
    "modern, anybody 20 1.000 2.000 +500 [+400, +600] +500 [+400, +600] 1.50 [1.25, 1.75] 2.050",
    "modern, anybody asks for more beside and behind its calls; for each: tools/call 1.000, initialize 1.050",
  ]);
});

Deno.test("reportLines() shows memory in MiB, as what it grew by", () => {
  const facts = {
    command: "deno task bench",
    deno: "2.9.5",
    platform: "linux x86_64",
    cores: 2,
    loadAverage: 0.5,
    skipped: [],
    candidates: [],
  };
  const grown = { beforeKiB: 10_240, firstHalfKiB: 12_288, secondHalfKiB: 12_800, goneKiB: 10_240 };
  const lines = reportLines({
    facts,
    firstEvent: summariseLatency(
      plan,
      [{ name: "direct", rounds: roundsOf(10) }, { name: "raw", rounds: roundsOf(20) }],
      "direct",
      "nginx",
      seededRandom(1),
    ),
    dripped: {
      plan: { sizesKiB: [2560], rounds: 3 },
      rows: [
        { target: "direct", sizeKiB: 2560, medianMs: 50, msPerMiB: 20, toSmallest: 1 },
        { target: "raw", sizeKiB: 2560, medianMs: 75, msPerMiB: 30, toSmallest: 1, grownKiB: 512 },
      ],
    },
    stalled: { stalledMs: 1000, rows: [{ target: "raw", ...grown }] },
  });
  const below = (heading: string): string[] => {
    const at = lines.findIndex((line) => line.startsWith(heading));
    return lines.slice(at + 2, at + 4).map((line) => line.replaceAll(/ +/g, " "));
  };
  assertEquals(below("dripped:"), ["direct 2.5 50.0 20.0 1.00 -", "raw 2.5 75.0 30.0 1.00 0.5"]);
  assertEquals(below("stalled:")[0], "raw 10.0 2.0 2.5 0.0");
  assertMatch(below("first-event:")[1] ?? "", /^raw 100 20\.\d+ 20\.\d+ \+\d+ \[.*\] \+\d+ \[/);
});
