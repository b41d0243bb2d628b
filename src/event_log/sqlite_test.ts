import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "../testing/manual_clock.ts";
import { EventLogError, type EventLogLimits, type LoggedEvent, SqliteEventLog } from "./mod.ts";
import { openDatabase } from "./sqlite_file.ts";

const LIMITS: EventLogLimits = {
  maxEvents: 1_000,
  maxBytes: 1_000_000,
  maxStreamEvents: 100,
  maxStreamBytes: 100_000,
  maxAgeMs: 1_000,
  maxStreams: 10,
};

/** Registers a test that gets the path of a file in a folder of its own. */
function test(name: string, run: (path: string) => void | Promise<void>): void {
  Deno.test(`sqlite: ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      await run(`${directory}/events.db`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

function events(from: number, to: number): LoggedEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    seq: from + index,
    bytes: new TextEncoder().encode(`event ${from + index}`),
  }));
}

function seqs(log: SqliteEventLog, stream: string, seq: number) {
  const replay = log.after(stream, seq, 1_000_000);
  for (const { seq, bytes } of replay.events) {
    assertEquals(new TextDecoder().decode(bytes), `event ${seq}`);
  }
  return [replay.events.map(({ seq }) => seq), replay.gap];
}

/** Opens a log that is closed with the block it is used in. */
function disposable(path: string, limits: Partial<EventLogLimits> = {}) {
  const value = new SqliteEventLog(new ManualClock(), { ...LIMITS, ...limits }, path);
  return { value, [Symbol.dispose]: () => value.close() };
}

/** Opens a log, and closes it when the test is done with it. */
function withLog(
  path: string,
  limits: Partial<EventLogLimits>,
  run: (log: SqliteEventLog) => void,
) {
  using log = disposable(path, limits);
  run(log.value);
}

test("a file that is opened again has everything, and the same limits", (path) => {
  let size = {};
  withLog(path, {}, (log) => {
    log.append("a", events(1, 60));
    log.append("b", events(1, 5));
    log.append("a", [{ seq: 62, bytes: new Uint8Array(200_000) }]);
    log.append("a", events(63, 105));
    log.append("c", []);
    log.append("gone", events(1, 5));
    log.forget("gone");
    size = log.size;
  });
  withLog(path, {}, (log) => {
    assertEquals<unknown>(log.size, size);
    assertEquals(seqs(log, "b", 3), [[4, 5], false]);
    assertEquals(seqs(log, "a", 59), [[60, ...events(63, 105).map(({ seq }) => seq)], true]);
    assertEquals(seqs(log, "a", 2), [
      [...events(4, 60), ...events(63, 105)].map(({ seq }) => seq),
      true,
    ]);
    assertEquals(seqs(log, "c", 0), [[], false]);
    assertEquals(seqs(log, "gone", 2), [[], true]);
    assertThrows(() => log.append("b", events(5, 6)), RangeError);
    log.append("b", events(6, 6));
    log.append("new", events(1, 1));
    assertEquals(seqs(log, "b", 4), [[5, 6], false]);
    assertEquals(seqs(log, "new", 0), [[1], false]);
  });
});

test("a file that is opened again under lower limits is brought within them", (path) => {
  withLog(path, {}, (log) => {
    for (const stream of ["a", "b", "c"]) log.append(stream, events(1, 50));
    log.append("a", events(51, 52));
  });
  withLog(path, { maxStreams: 2, maxStreamEvents: 10, maxEvents: 15 }, (log) => {
    assertEquals(log.size.events, 15);
    assertEquals(seqs(log, "b", 49), [[], true]);
    assertEquals(seqs(log, "a", 50), [[51, 52], false]);
  });
  const database = new DatabaseSync(path);
  assertEquals(database.prepare("SELECT count(*) AS n FROM event").get()!.n, 15);
  database.close();
});

test("the age of events goes on over a restart, and a clock that was set back harms nothing", (path) => {
  const limits = { ...LIMITS, maxAgeMs: 10_000 };
  const clock = new ManualClock();
  const first = new SqliteEventLog(clock, limits, path);
  clock.advance(5_000);
  first.append("a", events(1, 1));
  first.close();
  // The wall clock of this one is 5 s behind.
  const later = new ManualClock();
  const second = new SqliteEventLog(later, limits, path);
  later.advance(9_999);
  assertEquals(seqs(second, "a", 0), [[1], false]);
  later.advance(1);
  assertEquals(seqs(second, "a", 0), [[], true]);
  second.append("a", events(2, 2));
  second.close();
  later.advance(1_000_000);
  const third = new SqliteEventLog(later, limits, path);
  assertEquals(third.size, { streams: 1, events: 0, bytes: 0 });
  assertEquals(seqs(third, "a", 2), [[], false]);
  third.close();
});

test("what another program or a newer version wrote is refused, with the reason", (path) => {
  const refused = (part: string) => {
    const error = assertThrows(() => openDatabase(path, 50).close(), EventLogError);
    assertStringIncludes(error.message, path);
    assertStringIncludes(error.message, part);
  };
  Deno.writeTextFileSync(path, "This is a text and no database.\n".repeat(100));
  refused("a file of something else");
  Deno.removeSync(path);

  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE t (a); PRAGMA user_version = 1");
  other.close();
  refused("not an event log");
  Deno.removeSync(path);

  openDatabase(path).close();
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 2");
  newer.close();
  refused("version 2");
  Deno.removeSync(path);

  const holder = openDatabase(path);
  refused("another process has it open");
  holder.close();
  openDatabase(path, 50).close();

  Deno.removeSync(path);
  Deno.mkdirSync(path);
  refused("cannot be opened");
});

test("other users may not read the file", (path) => {
  withLog(path, {}, (log) => {
    log.append("a", events(1, 1));
    for (const name of [path, `${path}-wal`]) {
      assertEquals(Deno.statSync(name).mode! & 0o777, 0o600, name);
    }
  });
});

test("a write that fails is an error, costs its stream, and harms no other", (path) => {
  // A trigger stands for a disk that is full.
  withLog(path, {}, (log) => log.append("a", events(1, 3)));
  const database = new DatabaseSync(path);
  database.exec(
    "CREATE TRIGGER full_disk BEFORE INSERT ON event WHEN NEW.seq = 5 " +
      "BEGIN SELECT RAISE(ABORT, 'disk full'); END",
  );
  database.close();
  withLog(path, {}, (log) => {
    log.append("c", events(1, 2));
    const size = log.size;
    assertThrows(() => log.append("b", [...events(1, 2), ...events(5, 5)]), Error, "disk full");
    assertEquals(log.size, size);
    assertEquals(seqs(log, "b", 0), [[], true]);
    assertThrows(() => log.append("a", events(4, 5)), Error, "disk full");
    assertEquals(seqs(log, "a", 3), [[], true]);
    log.append("b", events(6, 6));
    log.append("a", events(6, 6));
    assertEquals(seqs(log, "a", 2), [[6], true]);
  });
  withLog(path, {}, (log) => {
    assertEquals(log.size.events, 4);
    assertEquals(seqs(log, "a", 2), [[6], true]);
    assertEquals(seqs(log, "b", 5), [[6], false]);
    assertEquals(seqs(log, "c", 0), [[1, 2], false]);
  });
});

test("a stream that could not be deleted is deleted before one of its name begins", async (path) => {
  withLog(path, {}, (log) => log.append("a", events(1, 3)));
  const database = new DatabaseSync(path);
  const until = Date.now() + 400;
  database.exec(
    "CREATE TRIGGER full_disk BEFORE DELETE ON stream " +
      `WHEN unixepoch('subsec') * 1000 < ${until} BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
  );
  database.close();
  using log = disposable(path);
  assertThrows(() => log.value.forget("a"), Error, "disk full");
  assertEquals(seqs(log.value, "a", 0), [[], true]);
  await new Promise((resolve) => setTimeout(resolve, until + 10 - Date.now()));
  log.value.append("a", events(1, 1));
  assertEquals(seqs(log.value, "a", 0), [[1], false]);
});

test("Deno asks for the permission to read and write the file, and for no other", async (path) => {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    import { SqliteEventLog } from ${module("./mod.ts")};
    import { systemClock } from ${module("../clock.ts")};
    const limits = ${JSON.stringify(LIMITS)};
    const log = new SqliteEventLog(systemClock, limits, ${JSON.stringify(path)});
    log.append("a", [{ seq: 1, bytes: new Uint8Array(3) }]);
    log.close();
  `;
  const file = path.replace("events.db", "script.ts");
  await Deno.writeTextFile(file, script);
  const run = async (...permissions: string[]) => {
    const args = ["run", "--no-prompt", "--no-check", ...permissions, file];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  const allowed = await run(`--allow-read=${path}`, `--allow-write=${path}`);
  assertEquals(allowed.code, 0, allowed.stderr);
  const denied = await run(`--allow-read=${path}`);
  assert(denied.code !== 0);
  assertStringIncludes(denied.stderr, "cannot be opened: Requires write access");
});
