/**
 * Proxies that are killed and started again while clients make calls through them: every event comes
 * once and in order, and no call is made twice (R57, R59, R67).
 *
 * `SWITCHYARD_SEED` sets the seed of what happens when; how processes and sockets are scheduled no seed
 * decides.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { freePort } from "../../conformance/free_port.ts";
import type { RedisConnection } from "../redis/mod.ts";
import { seededRandom as seeded } from "../http1/fuzz_cases.ts";
import * as chaos from "../testing/chaos.ts";
import { startProgram } from "../testing/program.ts";
import { redisTest, type TestRedis } from "../testing/redis.ts";

const SEED = Number(Deno.env.get("SWITCHYARD_SEED") ?? 20_261_121);
const KEY = "the-same-key-at-every-instance-0123456789";

/** How long a stream that nobody reads is held, and how long one is kept whose holder died, in milliseconds. */
const RESUME_WINDOW_MS = 4_000;
const MAX_AGE_MS = 60_000;

/** A place in which a proxy runs, one after the other. */
class Place {
  readonly origin: string;
  readonly #file: string;
  readonly #env: Readonly<Record<string, string>>;
  #program: ReturnType<typeof startProgram> | undefined;

  private constructor(file: string, port: number, env: Readonly<Record<string, string>>) {
    this.#file = file;
    this.#env = env;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** Starts a proxy on a port that was free. */
  static async begin(
    folder: string,
    config: Record<string, unknown>,
    env: Readonly<Record<string, string>>,
  ): Promise<Place> {
    const port = freePort();
    const file = `${folder}/${port}.json`;
    const whole = { listen: `127.0.0.1:${port}`, drainTimeoutMs: 0, ...config };
    await Deno.writeTextFile(file, JSON.stringify(whole));
    const place = new Place(file, port, env);
    await place.start();
    return place;
  }

  async start(): Promise<void> {
    const program = startProgram(
      ["serve", "--config", this.#file],
      ["-P", "--allow-write"],
      this.#env,
    );
    this.#program = program;
    const line = await program.first;
    if (!line.startsWith("listening ")) throw new Error((await program.end()).err);
  }

  /** Ends the proxy at once, without a word; the result is what it has logged. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<string> {
    const program = this.#program;
    this.#program = undefined;
    program?.child.kill(signal);
    return (await program?.end())?.err ?? "";
  }
}

interface Plan {
  readonly places: number;
  readonly clients: number;
  readonly kills: number;
  /** How many proxies are stopped in order for each that is killed. */
  readonly stops: number;
  /** Shortest and longest time between kills, in milliseconds. */
  readonly everyMs: readonly [number, number];
  readonly settings: (folder: string) => Record<string, unknown>;
}

/** Runs a plan; `behind` looks at what it has left, with the proxies still running. */
async function run(plan: Plan, behind: () => Promise<void>): Promise<void> {
  const random = seeded(SEED);
  const [first, last] = plan.everyMs;
  await using upstream = chaos.countedServer({ events: 50, random, paceMs: 40, breaks: 0.005 });
  const folder = await Deno.makeTempDir();
  const places: Place[] = [];
  const logs: string[] = [];
  const began = performance.now();
  let [kills, stops] = [0, 0];
  try {
    const config = {
      limits: { resumeWindowMs: RESUME_WINDOW_MS },
      routes: [{
        path: "/mcp",
        upstream: {
          url: upstream.url,
          reconnect: { attempts: 20, initialDelayMs: 1, maxDelayMs: 50 },
        },
      }],
      ...plan.settings(folder),
    };
    // One alone makes its key itself, and finds it again.
    const env: Record<string, string> = plan.places > 1 ? { SWITCHYARD_SESSION_KEYS: KEY } : {};
    const starting = Array.from({ length: plan.places }, () => Place.begin(folder, config, env));
    for (const place of starting) places.push(await place);
    const origins = places.map(({ origin }) => origin);
    const calling = chaos.chaosClients(plan.clients, {
      random,
      upstream,
      origins,
      leaves: 0.02,
      goesOn: () => kills < plan.kills,
    });
    while (kills < plan.kills) {
      await chaos.pause(first + random() * (last - first));
      const place = places[Math.floor(random() * places.length)]!;
      const isStop = random() < plan.stops / (1 + plan.stops);
      logs.push(await place.kill(isStop ? "SIGTERM" : "SIGKILL"));
      if (isStop) stops++;
      else kills++;
      await place.start();
    }
    const figures = await calling;
    const ms = Math.round(performance.now() - began);
    const { resumes: upstreamResumes, broken } = upstream;
    const { faults, ...counts } = figures;
    const shown = { seed: SEED, kills, stops, ...counts, upstreamResumes, broken, ms };
    // deno-lint-ignore no-console -- the figures are what the test is run for
    console.log([JSON.stringify(shown), ...faults].join("\n"));
    const { lost, doubled, repeated } = figures;
    assertEquals([lost, doubled, repeated, faults], [0, 0, 0, []]);
    assert(figures.calls > plan.clients && figures.resumes > kills, "too little has happened");
    await behind();
  } finally {
    for (const place of places) logs.push(await place.kill("SIGTERM"));
    await Deno.remove(folder, { recursive: true });
  }
  assertEquals(logs.flatMap(errorsIn), []);
}

/** Errors that a proxy has logged. One that is stopped cuts off who waits for a stream: 503, and told as one. */
function errorsIn(log: string): string[] {
  const isStopped = log.includes("what was still in flight was cut");
  return log.split("\n").filter((line) =>
    line.includes('"level":"error"') && !(isStopped && line.includes('"kind":"store_unavailable"'))
  );
}

/** Returns when no instance that runs holds a stream; those of dead ones lapse. */
async function onlyWhatLapses(look: RedisConnection): Promise<void> {
  const keysOf = async (kind: string) =>
    await look.command("KEYS", `${look.prefix}:${kind}:*`) as string[];
  for (const began = performance.now();; await chaos.pause(200)) {
    const alive = new Set((await keysOf("instance")).map((key) => key.split(":").at(-1)));
    const held: string[] = [];
    for (const key of await keysOf("stream")) {
      const left = Number(await look.command("PTTL", key));
      const owner = String(await look.command("HGET", key, "owner"));
      assert(left === -2 || left > 0 && left <= MAX_AGE_MS, `${key} is kept for ${left} ms`);
      if (alive.has(owner)) held.push(key);
    }
    if (held.length === 0) return;
    assert(performance.now() - began < 30_000, `${held.length} streams are held for ever`);
  }
}

const redisSettings = ({ url, prefix }: TestRedis) => ({
  redis: { url, prefix },
  sessions: { store: "redis" },
  eventLog: { store: "redis", maxAgeMs: MAX_AGE_MS },
});

redisTest(
  "R57 R59 R67 three instances, killed again and again: nothing lost, nothing twice",
  async (redis) => {
    const plan: Plan = {
      places: 3,
      clients: 20,
      kills: 7,
      stops: 0.3,
      everyMs: [1_000, 2_500],
      settings: () => redisSettings(redis),
    };
    await run(plan, async () => await onlyWhatLapses(await redis.connect()));
  },
);

Deno.test("R57 R59 R67 one proxy on SQLite, killed again and again: nothing lost, nothing twice", async () => {
  const plan: Plan = {
    places: 1,
    clients: 8,
    kills: 3,
    stops: 0,
    everyMs: [1_500, 2_500],
    settings: (folder) => ({
      dataDir: `${folder}/data`,
      sessions: { store: "sqlite" },
      eventLog: { store: "sqlite", path: `${folder}/events.db`, maxAgeMs: MAX_AGE_MS },
    }),
  };
  await run(plan, () => Promise.resolve());
});
