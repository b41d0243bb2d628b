/**
 * Calls in rounds: each round asks every target once, a block of calls each, in an order shuffled
 * anew.
 *
 * @module
 */

import type { Watchdog } from "../../bench/http_client.ts";
import type { Target } from "../../bench/mcp_client.ts";
import type { LatencyPlan, Measured } from "../../bench/sections.ts";
import { type Random, shuffled } from "../../bench/stats.ts";
import { LatencyClient } from "./client.ts";

/** Calls without a pause that each target answers before anything is counted, or as many as fit in. */
const WARM_UP_CALLS = 1_000;
const WARM_UP_MS = 1_000;

/** Rounds in the rhythm of the table that are not counted. */
const WARM_UP_ROUNDS = 5;

/** Who is asked, and in what order. */
export interface Rounds {
  readonly targets: readonly Target[];
  readonly watchdog: Watchdog;
  readonly random: Random;
}

interface Party {
  readonly name: string;
  readonly client: LatencyClient;
}

/** Times the calls of one table: for every target, for every round, milliseconds of each call. */
export async function timeCalls(
  { targets, watchdog, random }: Rounds,
  plan: LatencyPlan,
): Promise<Measured<number[]>[]> {
  const parties: Party[] = [];
  try {
    for (const target of targets) {
      const client = await LatencyClient.open(target, watchdog);
      parties.push({ name: target.name, client });
    }
    for (const { client } of parties) await warmUp(client);
    const measured = new Map<string, number[][]>(parties.map(({ name }) => [name, []]));
    for (let round = -WARM_UP_ROUNDS; round < plan.rounds; round++) {
      for (const { name, client } of shuffled(parties, random)) {
        const elapsedMs = await block(client, plan);
        if (round >= 0) measured.get(name)!.push(elapsedMs);
      }
    }
    return [...measured].map(([name, rounds]) => ({ name, rounds }));
  } finally {
    for (const { client } of parties) client[Symbol.dispose]();
  }
}

async function warmUp(client: LatencyClient): Promise<void> {
  const endMs = performance.now() + WARM_UP_MS;
  for (let call = 0; call < WARM_UP_CALLS && performance.now() < endMs; call++) {
    await client.call(0);
  }
}

async function block(client: LatencyClient, plan: LatencyPlan): Promise<number[]> {
  const elapsedMs: number[] = [];
  for (let call = 0; call < plan.calls; call++) {
    if (plan.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, plan.pauseMs));
    elapsedMs.push(await client.call(plan.serviceMs));
  }
  return elapsedMs;
}
