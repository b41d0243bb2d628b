import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { FoundStream, StreamDirectory, StreamEntry, StreamMark } from "../relay/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { redisTest } from "../testing/redis.ts";
import { RedisStreamDirectory, SqliteStreamDirectory } from "./mod.ts";

const TTL_MS = 60_000;
// The clock of a file is the test's, that of Redis is not: here nothing is to become too old.
const LIMITS = { ttlMs: 60 * TTL_MS, maxStreams: 1_000 };

/** Directories to test, the second one of which finds what the first one left behind. */
interface Bench {
  readonly clock: ManualClock;
  readonly directory: StreamDirectory;
  /** Another instance, or the next run once the first one has been shut down. */
  next(): Promise<StreamDirectory>;
  /** Has the first one die without a word; gives `next()`. */
  die(): Promise<StreamDirectory>;
  /** How often a sequence of calls is compared with a model. */
  readonly modelRuns: number;
  /** Directories for sequences of calls: instances at one time, or the one there is. */
  readonly several: () => Promise<readonly StreamDirectory[]>;
}

/** Registers a test for each directory. */
function test(name: string, run: (bench: Bench) => Promise<void>): void {
  redisTest(`redis: ${name}`, async (redis) => {
    const connection = await redis.connect();
    const clock = new ManualClock();
    const joined: RedisStreamDirectory[] = [];
    const troubles: unknown[] = [];
    const join = async () => {
      joined.push(
        await RedisStreamDirectory.join({
          redis: connection,
          clock,
          ttlMs: TTL_MS,
          onTrouble: (error) => troubles.push(error),
        }),
      );
      return joined.at(-1)!;
    };
    const directory = await join();
    await run({
      clock,
      directory,
      next: join,
      async die() {
        // What Redis does by itself after a while.
        await connection.command("DEL", `${redis.prefix}:instance:${directory.instance}`);
        return await join();
      },
      modelRuns: 100,
      several: async () => [directory, await join(), await join()],
    });
    await Promise.all(joined.map((each) => each.shutdown()));
    assertEquals(clock.timers, 0);
    assertEquals(troubles, []);
  });
  Deno.test(`sqlite: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    const clock = new ManualClock();
    const opened: SqliteStreamDirectory[] = [];
    const open = (path: string) => {
      opened.push(new SqliteStreamDirectory(clock, LIMITS, path));
      return opened.at(-1)!;
    };
    const path = `${folder}/streams.db`;
    const directory = open(path);
    try {
      await run({
        clock,
        directory,
        next: () => Promise.resolve(open(path)),
        async die() {
          // The files as a process that was killed leaves them.
          await Deno.copyFile(path, `${folder}/copy.db`);
          await Deno.copyFile(`${path}-wal`, `${folder}/copy.db-wal`);
          return open(`${folder}/copy.db`);
        },
        modelRuns: 60,
        several: () => Promise.resolve([directory]),
      });
    } finally {
      for (const each of opened) each.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
    assertEquals(clock.timers, 0);
  });
}

function entry(name: string, given: Partial<StreamEntry> = {}): StreamEntry {
  return { name, session: "session", requestIds: [], clientPolls: false, ...given };
}

const FIRST_MARK: StreamMark = { seq: 0, pending: [], finished: false };

const MARK: StreamMark = {
  seq: 2 ** 53 - 1,
  upstreamId: 'id "1"\u0000\ud83d\ude00',
  retryMs: 1_500,
  pending: ['"a"', "1.0"],
  answered: [['"\u00e9"', 1], ["2", 2 ** 53 - 1]],
  finished: true,
};

const names = (found: readonly FoundStream[]) => found.map(({ entry }) => entry.name).toSorted();

test("R79 find() gives a stream to its own session and to no other", async ({ directory }) => {
  const stream = entry("a", {
    requestIds: ['"x\u00e9"', "1"],
    clientPolls: true,
    session: "s \u00e9\n",
  });
  await directory.open(stream);
  await directory.open(entry("b"));
  assertEquals(await directory.find("s \u00e9\n", "a"), {
    entry: stream,
    mark: { seq: 0, pending: ['"x\u00e9"', "1"], finished: false },
    owner: directory.instance,
  });
  assertEquals(await directory.find("session", "a"), undefined);
  assertEquals(await directory.find("s \u00e9\n", "b"), undefined);
  assertEquals(await directory.find("session", "none"), undefined);
  assertEquals(await directory.find("session", ""), undefined);
});

test("find() gives the newest mark, without what it leaves out", async ({ directory }) => {
  await directory.open(entry("a"));
  await directory.mark("a", MARK);
  assertEquals((await directory.find("session", "a"))?.mark, MARK);
  const bare = { seq: 7, upstreamId: undefined, retryMs: undefined, pending: [], finished: false };
  await directory.mark("a", bare);
  assertEquals((await directory.find("session", "a"))?.mark, {
    seq: 7,
    pending: [],
    finished: false,
  });
  await directory.mark("none", MARK);
  assertEquals(await directory.find("session", "none"), undefined);
});

test("open() leaves a stream alone that is there already", async (bench) => {
  const [directory, other = directory] = await bench.several();
  await directory!.open(entry("a"));
  await directory!.mark("a", MARK);
  await other!.open(entry("a", { session: "other" }));
  const found = await directory!.find("session", "a");
  assertEquals([found?.mark, found?.owner], [MARK, directory!.instance]);
});

test("marks that are made in one tick are kept in their order", async ({ directory }) => {
  await directory.open(entry("a"));
  const marking = [];
  for (let seq = 1; seq <= 1_000; seq++) marking.push(directory.mark("a", { ...FIRST_MARK, seq }));
  await Promise.all(marking);
  assertEquals((await directory.find("session", "a"))?.mark.seq, 1_000);
});

test("subscriptions() gives those of the session that answer no request", async ({ directory }) => {
  for (const name of ["a", "b"]) await directory.open(entry(name));
  await directory.open(entry("c", { requestIds: ["1"] }));
  await directory.open(entry("d", { session: "other" }));
  await directory.mark("b", MARK);
  const found = await directory.subscriptions("session");
  assertEquals(names(found), ["a", "b"]);
  assertEquals(found.find(({ entry }) => entry.name === "b"), {
    entry: entry("b"),
    mark: MARK,
    owner: directory.instance,
  });
  assertEquals(names(await directory.subscriptions("other")), ["d"]);
  assertEquals(await directory.subscriptions("none"), []);
});

test("subscriptions() looks at 64 streams at most", async ({ directory }) => {
  for (let count = 0; count < 70; count++) await directory.open(entry(`stream-${count}`));
  assertEquals(new Set(names(await directory.subscriptions("session"))).size, 64);
});

test("close() drops a stream for good", async ({ directory }) => {
  const [stream, other] = [entry("a"), entry("b", { requestIds: ["1"] })];
  for (const each of [stream, other, entry("c")]) await directory.open(each);
  await directory.close(stream);
  await directory.close(stream);
  await directory.close(other);
  await directory.mark("a", MARK);
  assertEquals(await directory.find("session", "a"), undefined);
  assertEquals(await directory.find("session", "b"), undefined);
  assertEquals(names(await directory.subscriptions("session")), ["c"]);
  assertEquals(await directory.takeOver("a", directory.instance), false);
});

test("a stream that was released is nobody's, until it is taken over", async ({ directory }) => {
  const stream = entry("a");
  await directory.open(stream);
  await directory.mark("a", { ...FIRST_MARK, seq: 5 });
  await directory.release("a");
  await directory.release("none");
  await directory.mark("a", { ...FIRST_MARK, seq: 6 });
  await directory.close(stream);
  const released = await directory.find("session", "a");
  assertEquals(released, { entry: stream, mark: { ...FIRST_MARK, seq: 5 }, owner: "" });
  assertEquals(await directory.isAlive(""), false);
  assertEquals(await directory.takeOver("a", directory.instance), false);
  assertEquals(await directory.takeOver("none", ""), false);
  assertEquals(await directory.takeOver("a", ""), true);
  assertEquals(await directory.takeOver("a", ""), false);
  await directory.mark("a", { ...FIRST_MARK, seq: 7 });
  const taken = await directory.find("session", "a");
  assertEquals(taken, {
    entry: stream,
    mark: { ...FIRST_MARK, seq: 7 },
    owner: directory.instance,
  });
  assertEquals(names(await directory.subscriptions("session")), ["a"]);
  // One's own, of which no more is known than its name, may be taken again.
  assertEquals(await directory.takeOver("a", directory.instance), true);
});

test("isAlive() tells who runs from who does not", async ({ directory }) => {
  assertMatch(directory.instance, /^[0-9a-f]{32}$/);
  assertEquals(await directory.isAlive(directory.instance), true);
  assertEquals(await directory.isAlive("someone"), false);
});

test("R67 what a directory that was shut down held is nobody's for the next", async (bench) => {
  const { directory, clock } = bench;
  const stream = entry("a", { requestIds: ["1", "2"], clientPolls: true });
  await directory.open(stream);
  await directory.open(entry("b"));
  await directory.mark("a", MARK);
  await directory.shutdown();
  await directory.shutdown();
  assertEquals(clock.timers, 0);
  const next = await bench.next();
  assertNotEquals(next.instance, directory.instance);
  assertEquals(await next.isAlive(directory.instance), false);
  assertEquals(await next.find("session", "a"), { entry: stream, mark: MARK, owner: "" });
  assertEquals(names(await next.subscriptions("session")), ["b"]);
  assertEquals(await next.takeOver("a", ""), true);
  assertEquals((await next.find("session", "a"))?.owner, next.instance);
});

test("R67 what a directory that was killed held is taken over by the next", async (bench) => {
  const { directory } = bench;
  await directory.open(entry("a"));
  await directory.mark("a", MARK);
  const next = await bench.die();
  const found = await next.find("session", "a");
  assertEquals(found?.entry, entry("a"));
  assertEquals(found?.mark, MARK);
  assertEquals(await next.isAlive(found!.owner), false);
  assertEquals(await next.takeOver("a", found!.owner), true);
  assertEquals(await next.takeOver("a", found!.owner), false);
  assertEquals(await next.isAlive((await next.find("session", "a"))!.owner), true);
});

test("a directory that was shut down takes nothing, and harms nothing", async (bench) => {
  const { directory } = bench;
  await directory.open(entry("a"));
  await directory.shutdown();
  await directory.open(entry("b"));
  await directory.mark("a", MARK);
  await directory.release("a");
  await directory.close(entry("a"));
  assertEquals(await directory.takeOver("a", ""), false);
  assertEquals(await directory.isAlive(directory.instance), false);
  const next = await bench.next();
  assertEquals((await next.find("session", "a"))?.mark, FIRST_MARK);
  assertEquals(await next.find("session", "b"), undefined);
});

/** Directories without any cleverness: streams by their names, in one map. */
class Model {
  readonly streams = new Map<string, FoundStream>();

  open(owner: string, entry: StreamEntry) {
    if (this.streams.has(entry.name)) return;
    const mark = { seq: 0, pending: entry.requestIds, finished: false };
    this.streams.set(entry.name, { entry, mark, owner });
  }

  own(owner: string, name: string, change: (found: FoundStream) => FoundStream | undefined) {
    const found = this.streams.get(name);
    if (found?.owner !== owner) return false;
    const changed = change(found);
    if (changed === undefined) this.streams.delete(name);
    else this.streams.set(name, changed);
    return true;
  }

  subscriptions(session: string) {
    const all = [...this.streams.values()];
    return all.filter(({ entry }) => entry.session === session && entry.requestIds.length === 0);
  }
}

const NAME = fc.constantFrom("a", "b", "c", "d", "e");
const SESSION = fc.constantFrom("s", "t");
const WHO = fc.nat({ max: 2 });
const CALL = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constant("open" as const),
      who: WHO,
      name: NAME,
      session: SESSION,
      requestIds: fc.constantFrom([], ["1"]),
      clientPolls: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.constant("mark" as const),
      who: WHO,
      name: NAME,
      seq: fc.nat(),
    }),
  },
  fc.record({ call: fc.constant("close" as const), who: WHO, name: NAME }),
  fc.record({ call: fc.constant("release" as const), who: WHO, name: NAME }),
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constant("takeOver" as const),
      who: WHO,
      name: NAME,
      from: fc.option(WHO),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("renew" as const) }) },
);

test("any sequence of calls has the outcome that a naive directory has", async (bench) => {
  const several = await bench.several();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(CALL, { maxLength: 30, size: "max" }), async (calls) => {
      const model = new Model();
      // Names are never used again, so each sequence has its own, and each stream.
      const used = new Set<string>();
      const mark = `-${run++}`;
      for (const call of calls) {
        if (call.call === "renew") {
          bench.clock.advance(TTL_MS / 3);
          continue;
        }
        const directory = several[call.who % several.length]!;
        const me = directory.instance;
        const name = call.name + mark;
        const known = model.streams.get(name)?.entry ?? entry(name);
        if (call.call === "open") {
          const { session, requestIds, clientPolls } = call;
          const opened = { name, session: session + mark, requestIds, clientPolls };
          if (used.has(name)) continue;
          used.add(name);
          model.open(me, opened);
          await directory.open(opened);
        } else if (call.call === "mark") {
          const made = { seq: call.seq, pending: [], finished: false };
          model.own(me, name, (found) => ({ ...found, mark: made }));
          await directory.mark(name, made);
        } else if (call.call === "close") {
          model.own(me, name, () => undefined);
          await directory.close(known);
        } else if (call.call === "release") {
          model.own(me, name, (found) => ({ ...found, owner: "" }));
          await directory.release(name);
        } else {
          const from = call.from === null ? "" : several[call.from % several.length]!.instance;
          const worked = model.own(from, name, (found) => ({ ...found, owner: me }));
          assertEquals(await directory.takeOver(name, from), worked);
        }
        for (const session of ["s", "t"]) {
          const all = await directory.subscriptions(session + mark);
          const byName = (a: FoundStream, b: FoundStream) => a.entry.name < b.entry.name ? -1 : 1;
          const wanted = model.subscriptions(session + mark);
          assertEquals(all.toSorted(byName), wanted.toSorted(byName));
          const found = model.streams.get(name);
          const isOf = found?.entry.session === session + mark;
          assertEquals(await directory.find(session + mark, name), isOf ? found : undefined);
        }
      }
      // So that renewals do not come to be of ever more streams.
      for (const { entry, owner } of model.streams.values()) {
        const holder = several.find(({ instance }) => instance === owner);
        await holder?.close(entry);
      }
    }),
    { numRuns: bench.modelRuns },
  );
  assert(run > 0);
});
