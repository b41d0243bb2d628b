/**
 * What sealing and opening a session id costs: `deno task bench:seal`.
 *
 * In this process and not over HTTP as all of `bench/`: a few microseconds cannot be seen from outside.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { Sealer } from "./seal.ts";
import { deriveKey, makeSecret } from "./seal_key.ts";
import { SessionIds } from "./session_ids.ts";

const ROUNDS = 5;
const CALLS = 20_000;

/** What either may take in the middle, in microseconds: the bound of the project's own goals. */
const TARGET_US = 30;

/** A typical id: a UUID of the upstream's on a route with a short path. */
const PARTS = {
  route: "/mcp",
  principal: "anonymous",
  upstreamId: "0d9b1ab7-66a4-4a84-8a4c-7fb4e5fb47d6",
  createdMs: Date.UTC(2026, 10, 21),
};

/** Times of single calls, in microseconds, in ascending order. */
function timesOf(call: () => unknown): Float64Array {
  const times = new Float64Array(CALLS);
  for (let count = 0; count < CALLS; count++) {
    const start = systemClock.monotonicMs();
    if (call() === undefined) throw new Error("The id did not open.");
    times[count] = (systemClock.monotonicMs() - start) * 1_000;
  }
  return times.sort();
}

/** Median and 95th percentile of one round. */
function line(name: string, times: Float64Array): string {
  const at = (part: number) => times[Math.floor(part * (CALLS - 1))]!.toFixed(1).padStart(6);
  return `${name.padEnd(7)}  median ${at(0.5)} us  p95 ${at(0.95)} us`;
}

function print(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  let written = 0;
  while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
}

/** Prints a line for sealing and one for opening each round; whether all medians are within the target. */
function main(): boolean {
  const ids = new SessionIds(
    new Sealer([deriveKey(makeSecret(systemClock))], systemClock),
    systemClock,
  );
  const { id } = ids.mint(PARTS);
  const calls = {
    nothing: () => id,
    seal: () => ids.mint(PARTS),
    open: () => ids.open(id, PARTS.principal),
  };
  for (const call of Object.values(calls)) timesOf(call);
  const load = Deno.loadavg().map((average) => average.toFixed(2)).join(" ");
  print(`${CALLS} calls a round, an id of ${id.length} characters; load of the machine: ${load}`);
  let slowestUs = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    print(`round ${round}`);
    for (const [name, call] of Object.entries(calls)) {
      const times = timesOf(call);
      slowestUs = Math.max(slowestUs, times[CALLS / 2]!);
      print(`  ${line(name, times)}`);
    }
  }
  const held = slowestUs < TARGET_US;
  print(`target: medians under ${TARGET_US} us: ${held ? "held" : "NOT HELD"}`);
  return held;
}

if (import.meta.main) Deno.exit(main() ? 0 : 1);
