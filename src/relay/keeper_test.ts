import { assertEquals, assertInstanceOf } from "@std/assert";
import type { EventLog } from "../event_log/mod.ts";
import { UNKNOWN } from "../event_log/log.ts";
import * as relay from "../testing/relay.ts";
import { framed } from "./framing.ts";
import { Keeper } from "./keeper.ts";
import type { StreamDirectory } from "./stream_directory.ts";

const ENTRY = { name: "n".repeat(22), session: "s", requestIds: ["7"], clientPolls: true };

/** A keeper whose log and directory answer when, and with what, the test says. */
function setUp() {
  const done: string[] = [];
  const waiting = new Map<string, PromiseWithResolvers<unknown>>();
  const later = <T>(what: string): Promise<T> => {
    done.push(what);
    const answer = Promise.withResolvers<unknown>();
    waiting.set(what, answer);
    return answer.promise as Promise<T>;
  };
  const log: EventLog = {
    append: (_, events) => later(events.length === 0 ? "log" : `log ${events.at(-1)!.seq}`),
    appendRun: (_, seq, __, ends) => later(`log ${seq + ends.length - 1}`),
    after: () => UNKNOWN,
    forget: () => later("forget"),
    close: () => {},
    size: { streams: 0, events: 0, bytes: 0 },
  };
  const directory: StreamDirectory = {
    instance: "a",
    open: () => later("open"),
    mark: (_, { seq }) => later(`mark ${seq}`),
    close: () => later("close"),
    release: () => later("release"),
    find: () => undefined,
    subscriptions: () => [],
    isAlive: () => true,
    takeOver: () => false,
    shutdown: () => {},
  };
  const lost: RangeError[] = [];
  const keeper = new Keeper({ entry: ENTRY, log, directory, onLost: (error) => lost.push(error) });
  return {
    keeper,
    done,
    lost,
    /** Keeps the event with this number. */
    keep(seq: number): void {
      const event = framed(ENTRY.name, seq - 1, [{ data: new Uint8Array([120]) }]);
      const mark = { seq, pending: [], finished: false };
      void keeper.keep(event, seq - 1, mark, () => done.push(`give ${seq}`));
    },
    async answer(what: string, value?: unknown): Promise<void> {
      waiting.get(what)!.resolve(value);
      await relay.settled();
    },
    async fail(what: string, error: Error): Promise<void> {
      waiting.get(what)!.reject(error);
      await relay.settled();
    },
  };
}

Deno.test("R57 an event is in the log before the mark speaks of it, and then the client gets it", async () => {
  const { keep, answer, done, keeper } = setUp();
  keep(1);
  await relay.settled();
  assertEquals(done, ["log 1"]);
  await answer("log 1");
  assertEquals(done, ["log 1", "mark 1"]);
  assertEquals(keeper.keeping !== undefined, true);
  await answer("mark 1", true);
  assertEquals([done, keeper.keeping], [["log 1", "mark 1", "give 1"], undefined]);
});

Deno.test("R57 others can find a stream before its client has an id to come back with", async () => {
  const { keeper, answer, done } = setUp();
  keeper.open(() => done.push("opened"));
  await answer("log");
  assertEquals(done, ["log", "open"]);
  await answer("open");
  assertEquals(done, ["log", "open", "opened"]);
});

Deno.test("what is kept sooner than what was given before is not given sooner", async () => {
  const { keep, answer, done } = setUp();
  keep(1);
  keep(2);
  for (const what of ["log 1", "log 2"]) await answer(what);
  await answer("mark 2", true);
  assertEquals(done.filter((what) => what.startsWith("give")), []);
  await answer("mark 1", true);
  assertEquals(done.filter((what) => what.startsWith("give")), ["give 1", "give 2"]);
});

Deno.test("what cannot be kept is given all the same: a gap for who comes back", async () => {
  const { keep, answer, fail, done, lost, keeper } = setUp();
  keep(1);
  await fail("log 1", new Error("Redis is not there."));
  assertEquals([done, lost, keeper.keeping], [["log 1", "give 1"], [], undefined]);
  keep(2);
  await answer("log 2");
  await fail("mark 2", new Error("Redis is not there."));
  assertEquals([done.at(-1), lost], ["give 2", []]);
});

Deno.test("numbers that do not rise any more tell that the stream is another instance's", async () => {
  const { keep, fail, lost, done } = setUp();
  keep(1);
  await fail("log 1", new RangeError("Event 1 of a stream cannot follow event 1."));
  assertInstanceOf(lost[0], RangeError);
  assertEquals(done.includes("forget"), false);
});

Deno.test("so does a mark of a stream that another instance has taken over, ahead of the giving", async () => {
  const { keep, answer, lost, done } = setUp();
  keep(1);
  await answer("log 1");
  const before = done.length;
  await answer("mark 1", false);
  assertInstanceOf(lost[0], RangeError);
  assertEquals(done.slice(before), ["give 1"], "whoever was told of the loss gives nothing of it");
});

Deno.test("release() forgets nothing; forget() does in the log and the directory", async () => {
  const { keeper, done, fail } = setUp();
  keeper.release();
  await relay.settled();
  assertEquals(done, ["release"]);
  keeper.forget();
  await relay.settled();
  assertEquals(done, ["release", "forget", "close"]);
  for (const what of ["release", "forget", "close"]) await fail(what, new Error("told elsewhere"));
});

Deno.test("R67 a stream is let go of at once, also while some of it is being kept", async () => {
  const { keeper, keep, done } = setUp();
  keep(1);
  await relay.settled();
  keeper.release();
  assertEquals(done, ["log 1", "release"]);
});
