import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { fullRecordFor, recordFor, STORE_LIMITS, StoreClock } from "../testing/session_stores.ts";
import { SessionStoreError, type SessionStoreLimits, SqliteSessionStore } from "./mod.ts";

const { idleTimeoutMs } = STORE_LIMITS;

/** Registers a test that gets the path of a file in a folder of its own. */
function test(name: string, run: (path: string) => void | Promise<void>): void {
  Deno.test(`sqlite: ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      await run(`${directory}/sessions.db`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

/** Opens a store, and closes it when the test is done with it. */
function withStore(
  path: string,
  clock: StoreClock,
  run: (store: SqliteSessionStore) => void,
  limits: Partial<SessionStoreLimits> = {},
): void {
  const store = new SqliteSessionStore(clock, { ...STORE_LIMITS, ...limits }, path);
  try {
    run(store);
  } finally {
    store.close();
  }
}

function inFile(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

test("R67 a store that is opened again has everything, and no locks", (path) => {
  const clock = new StoreClock();
  withStore(path, clock, (store) => {
    store.save(fullRecordFor(clock, "a"));
    store.save(recordFor(clock, "b"));
    store.save(recordFor(clock, "gone"));
    store.touch("b", clock.nowMs + 3);
    store.update("a", (record) => ({ ...record, generation: 8 }));
    store.delete("gone");
    assert(store.lock("a", 60_000) !== undefined);
  });
  withStore(path, clock, (store) => {
    assertEquals(store.size, 2);
    assertEquals(store.load("a"), { ...fullRecordFor(clock, "a"), generation: 8 });
    assertEquals(store.load("b"), recordFor(clock, "b", { lastUsedMs: clock.nowMs + 3 }));
    assertEquals(store.load("gone"), undefined);
    assert(store.lock("a", 60_000) !== undefined);
  });
});

test("R67 a process that is killed loses no session", async (path) => {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = path.replace("sessions.db", "script.ts");
  await Deno.writeTextFile(
    script,
    `
    import { SqliteSessionStore } from ${module("./mod.ts")};
    import { systemClock } from ${module("../clock.ts")};
    const store = new SqliteSessionStore(systemClock, ${JSON.stringify(STORE_LIMITS)}, ${
      JSON.stringify(path)
    });
    const nowMs = systemClock.now().getTime();
    for (let at = 0; at < 100; at++) {
      store.save({ key: String(at), route: "r", principal: "p", state: "open", upstreamId: "u",
        generation: 0, createdMs: nowMs, lastUsedMs: nowMs, subscriptions: [] });
    }
    store.delete("0");
    Deno.kill(Deno.pid, "SIGKILL");
  `,
  );
  // Reading and writing the one file is all that it may.
  const permissions = [`--allow-read=${path}`, `--allow-write=${path}`, "--allow-run"];
  const args = ["run", "--no-prompt", "--no-check", ...permissions, script];
  const { signal, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(signal, "SIGKILL", new TextDecoder().decode(stderr));
  withStore(path, new StoreClock(), (store) => {
    assertEquals(store.size, 99);
    assertEquals(store.load("99")?.upstreamId, "u");
    assertEquals(store.load("0"), undefined);
  });
});

test("age goes on while the store is closed, and new limits hold for what is in it", (path) => {
  const clock = new StoreClock();
  withStore(path, clock, (store) => {
    for (const key of ["a", "b"]) store.save(recordFor(clock, key));
    store.touch("b", clock.nowMs + 50_000);
  });
  clock.advance(100_000);
  withStore(path, clock, (store) => {
    assertEquals([store.load("a"), store.load("b")?.key], [undefined, "b"]);
    assertEquals(store.size, 2);
    store.sweep();
    assertEquals(store.size, 1);
  }, { idleTimeoutMs: 100_000 });
  withStore(path, clock, (store) => {
    clock.advance(idleTimeoutMs - 50_001);
    assertEquals(store.load("b")?.key, "b");
    clock.advance(1);
    assertEquals(store.load("b"), undefined);
  });
});

test("limits may be without end", (path) => {
  const clock = new StoreClock();
  const forever = { idleTimeoutMs: Infinity, lifetimeMs: Infinity };
  withStore(path, clock, (store) => {
    store.save(recordFor(clock, "a"));
    clock.advance(1e12);
    store.touch("a", clock.nowMs);
    store.sweep();
    assertEquals(store.load("a")?.lastUsedMs, clock.nowMs);
  }, forever);
});

test("a file that is none of its own, or cannot be made, is an error in a sentence", (path) => {
  const refused = (at: string, part: string) => {
    const open = () => new SqliteSessionStore(new StoreClock(), STORE_LIMITS, at);
    const error = assertThrows(open, SessionStoreError);
    assertStringIncludes(error.message, at);
    assertStringIncludes(error.message, part);
    assert(/^[^\n]+\.$/.test(error.message), error.message);
  };
  Deno.writeTextFileSync(path, "This is a text and no database.\n".repeat(100));
  refused(path, "it is a file of something else");
  refused(`${path}/inside.db`, "cannot be opened");
  refused(path.replace("/sessions.db", ""), "cannot be opened");
  Deno.removeSync(path);
  inFile(path, "CREATE TABLE t (a)");
  refused(path, "not a session store");
});

test("a file with the right marks and the wrong tables is an error in a sentence, and is closed", (path) => {
  const clock = new StoreClock();
  withStore(path, clock, () => {});
  inFile(path, "DROP TABLE session; CREATE TABLE other (a)");
  for (let times = 0; times < 2; times++) {
    assertThrows(
      () => withStore(path, clock, () => {}),
      SessionStoreError,
      "failed: no such table: session",
    );
  }
});

test("a file that cannot be written any more gives errors, and what was in it stays", (path) => {
  // Triggers stand for a disk that is full.
  const clock = new StoreClock();
  withStore(path, clock, (store) => store.save(recordFor(clock, "a")));
  const fail = "BEGIN SELECT RAISE(ABORT, 'disk full'); END;";
  inFile(
    path,
    `CREATE TRIGGER full_1 BEFORE INSERT ON session ${fail}
     CREATE TRIGGER full_2 BEFORE UPDATE OF record ON session ${fail}
     CREATE TRIGGER full_3 BEFORE DELETE ON session ${fail}`,
  );
  withStore(path, clock, (store) => {
    const acts: (() => unknown)[] = [
      () => store.save(recordFor(clock, "b")),
      () => store.save(recordFor(clock, "a", { generation: 1 })),
      () => store.update("a", (record) => ({ ...record, generation: 1 })),
      () => store.delete("a"),
    ];
    for (const act of acts) assertThrows(act, SessionStoreError, `${path} failed: disk full.`);
    assertEquals([store.load("a"), store.size], [recordFor(clock, "a"), 1]);
    clock.advance(idleTimeoutMs);
    assertThrows(() => store.sweep(), SessionStoreError);
    assertEquals(store.size, 1);
  });
});

test("R96 a record that cannot be read is an error that tells nothing of it", (path) => {
  const clock = new StoreClock();
  for (const text of ["canary {", "null", `{"canary":1}`, `{"key":"a","subscriptions":"canary"}`]) {
    withStore(path, clock, (store) => store.save(recordFor(clock, "a")));
    inFile(path, `UPDATE session SET record = '${text}'`);
    withStore(path, clock, (store) => {
      const error = assertThrows(() => store.load("a"), SessionStoreError, "not the record");
      assert(!Deno.inspect(error).includes("canary"));
      assertEquals(store.delete("a"), true);
    });
  }
});
