/** The timed sections: each asks every target in turn, in an order shuffled anew each round. */

import type { Watchdog } from "./http_client.ts";
import { type McpClient, openClients, type Target } from "./mcp_client.ts";
import { type Random, shuffled, type Slice } from "./stats.ts";

/** Calls each target answers in its turn before anything is counted, without pauses. */
const WARM_UP_CALLS = 1000;

/** Turns of each: V8 compiles until about the 4,000th call, and no connection may wait too long for its turn. */
const WARM_UP_TURNS = 5;

/** Rounds in the rhythm of the section that are not counted. */
const WARM_UP_ROUNDS = 5;

/** Connections of the saturating run. */
export const THROUGHPUT_CONNECTIONS = 16;

const SLICE_MS = 250;
const WARM_UP_SLICES = 2;
const WARM_UP_STREAM_ROUNDS = 2;

/** A round reads streams until they took this long together. */
const STREAM_ROUND_MS = 100;
const MAX_STREAMS_IN_ROUND = 100;

/** What a section works with. */
export interface Bench {
  readonly targets: readonly Target[];
  readonly watchdog: Watchdog;
  readonly random: Random;
}

/** One target's clients. */
interface Party {
  readonly name: string;
  readonly clients: readonly McpClient[];
}

/** One target's figures, one entry for each round. */
export interface Measured<T> {
  readonly name: string;
  readonly rounds: readonly T[];
}

/** The rhythm of the latency section. */
export interface LatencyPlan {
  readonly serviceMs: number;
  readonly rounds: number;
  readonly calls: number;
  readonly connections: number;
  readonly pauseMs: number;
  /** By how much a pause may be longer; without it all clients keep step. */
  readonly spreadMs?: number;
}

/** What is done on both sides of the rounds that count. */
export interface Around {
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
}

/** Rounds for a number of connections: more of them bring more calls in each. */
function roundsFor(rounds: number, connections: number): number {
  return Math.max(10, Math.ceil(rounds / Math.sqrt(connections)));
}

/**
 * The plans for so many connections: in step, and where there are several, apart too. Clients in step ask at one
 * moment, and each waits for those ahead of it; clients apart ask when they please, as users do.
 */
export function latencyPlans(
  { rounds, ...rhythm }: Omit<LatencyPlan, "spreadMs">,
): readonly LatencyPlan[] {
  const { serviceMs, calls, connections, pauseMs } = rhythm;
  const inStep = { serviceMs, calls, connections, pauseMs, rounds: roundsFor(rounds, connections) };
  const spreadMs = serviceMs + pauseMs;
  if (connections === 1 || spreadMs === 0) return [inStep];
  // Up to as long again as a call and its pause take: none keeps its place behind another.
  return [inStep, { ...inStep, spreadMs }];
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Opens the clients of every target for the time of one section. */
async function withParties<T>(
  bench: Bench,
  connections: number,
  use: (parties: readonly Party[]) => Promise<T>,
): Promise<T> {
  const parties: Party[] = [];
  try {
    for (const target of bench.targets) {
      const clients = await openClients(target, connections, bench.watchdog);
      parties.push({ name: target.name, clients });
    }
    return await use(parties);
  } finally {
    for (const { clients } of parties) clients.forEach((client) => client.close());
  }
}

/** Runs rounds, and gathers what those after the warm-up gave. */
async function inRounds<T>(
  bench: Bench,
  parties: readonly Party[],
  warmUpRounds: number,
  rounds: number,
  once: (party: Party) => Promise<T>,
  beforeCounted?: () => Promise<void>,
): Promise<Measured<T>[]> {
  const gathered = new Map<string, T[]>(parties.map(({ name }) => [name, []]));
  for (let round = -warmUpRounds; round < rounds; round++) {
    if (round === 0) await beforeCounted?.();
    for (const party of shuffled(parties, bench.random)) {
      const figure = await once(party);
      if (round >= 0) gathered.get(party.name)?.push(figure);
    }
  }
  return [...gathered].map(([name, figures]) => ({ name, rounds: figures }));
}

async function warmUp(party: Party): Promise<void> {
  await Promise.all(party.clients.map(async (client) => {
    const calls = Math.ceil(WARM_UP_CALLS / party.clients.length);
    for (let call = 0; call < calls; call++) await client.call(0);
  }));
}

/** The pauses of one client's block, drawn before it begins: the order of targets then hangs on the seed alone. */
export function pausesMs({ calls, pauseMs, spreadMs = 0 }: LatencyPlan, random: Random): number[] {
  return Array.from({ length: calls }, () => pauseMs + (spreadMs > 0 ? spreadMs * random() : 0));
}

/** Times what pausing clients do, in blocks: for every target, for every round, milliseconds of each. */
function measurePausing(
  bench: Bench,
  plan: LatencyPlan,
  warmUp: (party: Party) => Promise<void>,
  once: (client: McpClient) => Promise<number>,
  around: Around = {},
): Promise<Measured<number[]>[]> {
  const block = async (client: McpClient, elapsedMs: number[]): Promise<void> => {
    for (const pauseMs of pausesMs(plan, bench.random)) {
      if (pauseMs > 0) await sleep(pauseMs);
      elapsedMs.push(await once(client));
    }
  };
  return withParties(bench, plan.connections, async (parties) => {
    for (let turn = 0; turn < WARM_UP_TURNS; turn++) {
      for (const party of parties) await warmUp(party);
    }
    const blocks = async ({ clients }: Party): Promise<number[]> => {
      const elapsedMs: number[] = [];
      await Promise.all(clients.map((client) => block(client, elapsedMs)));
      return elapsedMs;
    };
    const { before, after } = around;
    const measured = await inRounds(bench, parties, WARM_UP_ROUNDS, plan.rounds, blocks, before);
    await after?.();
    return measured;
  });
}

/**
 * Times calls of pausing clients.
 *
 * @param around what to do before and after the rounds that count, while all clients are connected
 */
export function measureLatency(
  bench: Bench,
  plan: LatencyPlan,
  around?: Around,
): Promise<Measured<number[]>[]> {
  return measurePausing(bench, plan, warmUp, (client) => client.call(plan.serviceMs), around);
}

/** Times what pausing clients wait for the first event of a stream that is sent at once. */
export function measureFirstEvents(bench: Bench, plan: LatencyPlan): Promise<Measured<number[]>[]> {
  const warmUpStreams = async ({ clients }: Party): Promise<void> => {
    for (let stream = 0; stream < WARM_UP_CALLS; stream++) {
      for (const client of clients) await client.firstEvent();
    }
  };
  return measurePausing(bench, plan, warmUpStreams, (client) => client.firstEvent());
}

/** Counts calls of clients that never pause, in slices that alternate between the targets. */
export function measureThroughput(bench: Bench, slices: number): Promise<Measured<Slice>[]> {
  return withParties(
    bench,
    THROUGHPUT_CONNECTIONS,
    (parties) =>
      inRounds(bench, parties, WARM_UP_SLICES, slices, async ({ clients }) => {
        const startMs = performance.now();
        const endMs = startMs + SLICE_MS;
        let count = 0;
        await Promise.all(clients.map(async (client) => {
          for (; performance.now() < endMs; count++) await client.callUnread();
        }));
        return { count, elapsedMs: performance.now() - startMs };
      }),
  );
}

/** What the sse section asks for. */
export interface StreamPlan {
  readonly rounds: number;
  readonly events: number;
  readonly writeBytes: number;
}

/** Reads event streams as fast as they come, one at a time, for a while in each round. */
export function measureStreams(bench: Bench, plan: StreamPlan): Promise<Measured<Slice>[]> {
  const read = async (client: McpClient): Promise<Slice> => {
    let streams = 0;
    let elapsedMs = 0;
    while (elapsedMs < STREAM_ROUND_MS && streams < MAX_STREAMS_IN_ROUND) {
      elapsedMs += await client.stream(plan.events, plan.writeBytes);
      streams++;
    }
    return { count: streams * (plan.events + 1), elapsedMs };
  };
  return withParties(
    bench,
    1,
    (parties) =>
      inRounds(bench, parties, WARM_UP_STREAM_ROUNDS, plan.rounds, async ({ clients }) => {
        const slices = await Promise.all(clients.map(read));
        return slices[0] ?? { count: 0, elapsedMs: 0 };
      }),
  );
}
