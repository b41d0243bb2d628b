/**
 * Instances that share a Redis, for the tests of stream directories.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { RedisStreamDirectory } from "../directory/mod.ts";
import { type RedisConnection, RedisError } from "../redis/mod.ts";
import type { PeerMessage, StreamEntry, StreamMark } from "../relay/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { redisTest, type TestRedis } from "./redis.ts";

/** How long they keep streams. */
export const DIRECTORY_TTL_MS = 60_000;

/** A connection that is watched, and can be made to refuse commands. */
export class Tap {
  readonly sent: string[][] = [];
  refuse: (command: string) => boolean = () => false;
  pending = 0;
  mostPending = 0;
  /** Whether subscriptions end when they are to. */
  unsubscribes = true;
  readonly connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.connection = {
      prefix: connection.prefix,
      bytesCommand: (...args) => connection.bytesCommand(...args),
      onReconnect: (listener) => connection.onReconnect(listener),
      close: () => connection.close(),
      subscribe: async (channel, listener) => {
        const end = await connection.subscribe(channel, listener);
        return () => this.unsubscribes ? end() : Promise.resolve();
      },
      command: async (...args) => {
        this.sent.push(args.map(String));
        if (this.refuse(String(args[0]))) throw new RedisError("refused");
        this.mostPending = Math.max(this.mostPending, ++this.pending);
        try {
          return await connection.command(...args);
        } finally {
          this.pending--;
        }
      },
    };
  }
}

/** An instance, and what it works with. */
export interface Instance {
  readonly directory: RedisStreamDirectory;
  readonly clock: ManualClock;
  readonly tap: Tap;
  readonly troubles: unknown[];
}

/** What a test is given. */
export interface DirectoryBench {
  readonly redis: TestRedis;
  /** A connection for looking behind the scenes. */
  readonly look: RedisConnection;
  /** Another instance with a connection and a clock of its own. */
  join(ttlMs?: number): Promise<Instance>;
  /** What is left of a key's time, in milliseconds; -2 where there is none, -1 where it is for ever. */
  leftMs(key: string): Promise<number>;
  /** Makes a key one that has `ms` left. */
  expire(key: string, ms: number): Promise<void>;
}

/** Registers a test that gets a Redis with instances. */
export function directoryTest(name: string, run: (bench: DirectoryBench) => Promise<void>): void {
  redisTest(`redis: ${name}`, async (redis) => {
    const look = await redis.connect();
    const all: Instance[] = [];
    const full = (key: string) => `${redis.prefix}:${key}`;
    await run({
      redis,
      look,
      async join(ttlMs = DIRECTORY_TTL_MS) {
        const tap = new Tap(await redis.connect());
        const [clock, troubles] = [new ManualClock(), [] as unknown[]];
        const directory = await RedisStreamDirectory.join({
          redis: tap.connection,
          clock,
          ttlMs,
          onTrouble: (error) => troubles.push(error),
        });
        all.push({ directory, clock, tap, troubles });
        return all.at(-1)!;
      },
      leftMs: async (key) => Number(await look.command("PTTL", full(key))),
      expire: async (key, ms) => {
        assertEquals(await look.command("PEXPIRE", full(key), String(ms)), 1);
      },
    });
    for (const { directory, clock } of all) {
      await directory.shutdown();
      assertEquals(clock.timers, 0);
    }
  });
}

/** A stream of the session "s" on which the server speaks first, but for what is given. */
export function entry(name: string, given: Partial<StreamEntry> = {}): StreamEntry {
  return { name, session: "s", requestIds: [], clientPolls: true, ...given };
}

/** A mark with a number and nothing else. */
export function mark(seq: number): StreamMark {
  return { seq, pending: [], finished: false };
}

/** Returns when what was sent on a connection has its answers, and what these have led to has its own. */
export async function settled({ tap }: Instance): Promise<void> {
  for (let rounds = 0; rounds < 5; rounds++) await tap.connection.command("PING");
}

/** Waits for something that Redis and the network decide about. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Has an instance hear, and resolves with what it hears once `count` messages have come. */
export function hear({ directory }: Instance, count: number): Promise<PeerMessage[]> {
  const heard: PeerMessage[] = [];
  const { promise, resolve } = Promise.withResolvers<PeerMessage[]>();
  directory.peers.listen((message) => {
    heard.push(message);
    if (heard.length === count) resolve(heard);
  });
  return promise;
}
