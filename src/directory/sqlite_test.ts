import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteEventLog } from "../event_log/mod.ts";
import type { StreamEntry } from "../relay/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { SqliteStreamDirectory, StreamDirectoryError } from "./mod.ts";

const LIMITS = { ttlMs: 30_000, maxStreams: 100 };

/** Opens a directory that is shut down with the test. */
type Open = (limits?: Partial<typeof LIMITS>, at?: string) => SqliteStreamDirectory;

/** Registers a test that gets the path of a file in a folder of its own. */
function test(
  name: string,
  run: (path: string, open: Open, clock: ManualClock) => void | Promise<void>,
): void {
  Deno.test(`sqlite: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    const clock = new ManualClock();
    const opened: SqliteStreamDirectory[] = [];
    const path = `${folder}/streams.db`;
    const open: Open = (limits, at = path) => {
      opened.push(new SqliteStreamDirectory(clock, { ...LIMITS, ...limits }, at));
      return opened.at(-1)!;
    };
    try {
      await run(path, open, clock);
    } finally {
      for (const each of opened) each.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
    assertEquals(clock.timers, 0);
  });
}

function entry(name: string, requestIds: readonly string[] = []): StreamEntry {
  return { name, session: "s", requestIds, clientPolls: false };
}

/** Which of these names a directory finds. */
function known(directory: SqliteStreamDirectory, ...names: readonly string[]): string {
  return names.filter((name) => directory.find("s", name) !== undefined).join("");
}

test(
  "what nobody holds is gone ttlMs after it was let go, what this run holds is not",
  (_, open, clock) => {
    const directory = open();
    for (const name of "abc") directory.open(entry(name));
    clock.advance(100_000);
    directory.release("a");
    directory.release("b");
    clock.advance(29_999);
    assertEquals(known(directory, "a", "b", "c"), "abc");
    assert(directory.takeOver("b", ""));
    clock.advance(1);
    assertEquals(known(directory, "a", "b", "c"), "bc");
    assertEquals(directory.subscriptions("s").map(({ entry }) => entry.name), ["b", "c"]);
    assertEquals(directory.takeOver("a", ""), false);
    assertEquals(directory.size, 3);
    directory.open(entry("d"));
    assertEquals(directory.size, 3);
  },
);

test(
  "what a run held is kept ttlMs from its end, and dropped when a file is opened later",
  (_, open, clock) => {
    const first = open();
    first.open(entry("a"));
    clock.advance(1_000_000);
    first.open(entry("b"));
    first.shutdown();
    clock.advance(20_000);
    const second = open();
    assertEquals(known(second, "a", "b"), "ab");
    assert(second.takeOver("b", ""));
    second.shutdown();
    clock.advance(10_000);
    const third = open();
    assertEquals(known(third, "a", "b"), "b");
    assertEquals(third.size, 1);
  },
);

test(
  "what a run held that was killed is kept ttlMs from when it was last there",
  (path, open, clock) => {
    const first = open();
    first.open(entry("a"));
    clock.advance(1_000_000);
    for (const end of ["", "-wal"]) Deno.copyFileSync(path + end, `${path}.copy${end}`);
    for (const end of ["", "-wal"]) Deno.copyFileSync(path + end, `${path}.later${end}`);
    clock.advance(19_000);
    const next = open({}, `${path}.copy`);
    assertEquals(known(next, "a"), "a");
    assertEquals(next.find("s", "a")!.owner, "");
    assert(!next.isAlive(first.instance));
    clock.advance(11_000);
    assertEquals(known(next, "a"), "");
    assertEquals(open({}, `${path}.later`).size, 0);
  },
);

test(
  "streams are bounded: those that nobody holds go first, the oldest ahead of others",
  (_, open, clock) => {
    const directory = open({ maxStreams: 3 });
    for (const name of "abc") {
      directory.open(entry(name));
      clock.advance(1);
    }
    directory.release("c");
    clock.advance(1);
    directory.release("b");
    directory.open(entry("d"));
    assertEquals(known(directory, "a", "b", "c", "d"), "abd");
    directory.open(entry("e"));
    assertEquals(known(directory, "a", "b", "d", "e"), "ade");
    clock.advance(1);
    directory.open(entry("f"));
    assertEquals(known(directory, "a", "d", "e", "f"), "def");
    assertEquals(directory.size, 3);
    // One that gave way can be marked, and closed; nothing comes of it.
    directory.mark("a", { seq: 1, pending: [], finished: false });
    directory.close(entry("a"));
    assertEquals(directory.size, 3);
    directory.close(entry("d"));
    assertEquals(directory.size, 2);
  },
);

test("a file is brought within lower limits when it is opened", (_, open, clock) => {
  const first = open();
  for (let count = 0; count < 50; count++) {
    first.open(entry(`${count} `));
    clock.advance(1);
    first.release(`${count} `);
  }
  first.shutdown();
  const next = open({ maxStreams: 2 });
  assertEquals(next.size, 2);
  assertEquals(known(next, "47 ", "48 ", "49 "), "48 49 ");
});

test("R86 a run with many streams stays within its bounds", (_, open) => {
  const directory = open({ maxStreams: 10 });
  for (let count = 0; count < 5_000; count++) {
    directory.open(entry(`${count}`, ["1"]));
    if (count % 2 === 0) directory.close(entry(`${count}`));
    if (directory.size > 10) throw new Error(`${directory.size} streams`);
  }
});

test("the file is no event log, and an event log is no directory", (path, open, clock) => {
  const limits = {
    maxEvents: 1,
    maxBytes: 1,
    maxStreamEvents: 1,
    maxStreamBytes: 1,
    maxAgeMs: 1,
    maxStreams: 1,
  };
  new SqliteEventLog(clock, limits, path).close();
  const error = assertThrows(() => open(), StreamDirectoryError);
  assertStringIncludes(error.message, path);
  assertStringIncludes(error.message, "not a stream directory; name another file");
  const other = `${path}.2`;
  open({}, other).shutdown();
  assertThrows(() => new SqliteEventLog(clock, limits, other), Error, "not an event log");
});

test("a file that cannot be used is an error that says why", (path, open) => {
  Deno.writeTextFileSync(path, "This is a text and no database.\n".repeat(100));
  const error = assertThrows(() => open(), StreamDirectoryError);
  assertStringIncludes(error.message, `The stream directory ${path} cannot be opened`);
  Deno.removeSync(path);
  open().shutdown();
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 2");
  newer.close();
  assertThrows(() => open(), StreamDirectoryError, "from a newer Switchyard");
  const older = new DatabaseSync(path);
  older.exec("PRAGMA user_version = 1; DROP TABLE run");
  older.close();
  assertThrows(() => open(), StreamDirectoryError, "failed: no such table: run");
});

test("other users may not read the file", (path, open) => {
  open().open(entry("a"));
  for (const name of [path, `${path}-wal`]) {
    assertEquals(Deno.statSync(name).mode! & 0o777, 0o600, name);
  }
});

test("what another version may have written is not found", (path, open) => {
  const first = open();
  for (const name of "abcd") first.open(entry(name));
  first.shutdown();
  const database = new DatabaseSync(path);
  const set = (name: string, column: string, value: string) =>
    database.prepare(`UPDATE stream SET ${column} = ? WHERE name = ?`).run(value, name);
  set("a", "mark", '{"seq":1}');
  set("b", "mark", "{");
  set("c", "requestIds", "[1]");
  database.close();
  const next = open();
  assertEquals(known(next, "a", "b", "c", "d"), "d");
  assertEquals(next.subscriptions("s").map(({ entry }) => entry.name), ["d"]);
});

test(
  "a write that fails is an error, and a note of being there that fails is none",
  (path, open, clock) => {
    open().shutdown();
    const database = new DatabaseSync(path);
    // Triggers stand for a disk that is full.
    database.exec(
      "CREATE TRIGGER full_disk BEFORE INSERT ON stream BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    );
    database.exec(
      "CREATE TRIGGER full_disk_2 BEFORE UPDATE ON run WHEN NEW.seenMs > OLD.seenMs + 5000 " +
        "BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    );
    database.close();
    const directory = open();
    assertThrows(() => directory.open(entry("a")), Error, "disk full");
    assertEquals(directory.size, 0);
    clock.advance(10_000);
    assertEquals(clock.timers, 1);
    assertThrows(() => directory.shutdown(), Error, "disk full");
    directory.shutdown();
    assertEquals(clock.timers, 0);
  },
);
