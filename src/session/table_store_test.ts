import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import {
  assertSame,
  pass,
  refusal,
  settled,
  TABLE_LIMITS,
  tableTest,
  type TableUnderTest,
  tableUnderTest,
} from "../testing/table_under_test.ts";
import { SqliteSessionStore, storeIdleMs } from "./mod.ts";

const IDLE_MS = TABLE_LIMITS.sessionIdleTimeoutMs;

/** A second instance in front of the same store. */
function another({ clock, ids, store: { inner } }: TableUnderTest, isLater: boolean) {
  return tableUnderTest({}, isLater, { clock, ids, inner });
}

tableTest("the store is told of use now and then", async (isLater) => {
  const { table, open, store, clock } = tableUnderTest({}, isLater);
  const session = await open();
  for (let count = 0; count < 10_000; count++) {
    clock.advance(18);
    await table.find("r", "p", session.id);
    table.use(session)();
  }
  // Three minutes; told at most once a minute.
  assertEquals([store.calls.touch, store.calls.load, store.calls.save], [2, 0, 1]);
});

tableTest(
  "the store has a session for as long as the table, however late it was told",
  async (isLater) => {
    for (const sessionIdleTimeoutMs of [1_000, 10_000, 600_000, 86_400_000]) {
      const under = tableUnderTest({ sessionIdleTimeoutMs, sessionLifetimeMs: 1e9 }, isLater);
      const { table, open, store, clock } = under;
      const session = await open();
      clock.advance(storeIdleMs(sessionIdleTimeoutMs) - sessionIdleTimeoutMs - 1);
      await table.find("r", "p", session.id);
      assertEquals(store.calls.touch, 0);
      table.stop();
      clock.advance(sessionIdleTimeoutMs - 1);
      assertNotEquals(await store.inner.load(session.key), undefined);
      assertSame(await table.find("r", "p", session.id), session);
    }
  },
);

Deno.test("a store keeps what is idle a tenth longer than the table, by a second to a minute", () => {
  assertEquals([1_000, 20_000, 86_400_000].map(storeIdleMs), [2_000, 22_000, 86_460_000]);
});

tableTest(
  "change() changes what is kept, and says whether there still is a session",
  async (isLater) => {
    const { table, open, store } = tableUnderTest({}, isLater);
    const session = await open();
    assertEquals(await table.change(session, (record) => ({ ...record, revision: "x" })), true);
    assertEquals([session.revision, (await store.inner.load(session.key))?.revision], ["x", "x"]);
    assertEquals(await table.change(session, () => undefined), true);
    assertEquals(session.revision, "x");
    store.failing.add("update");
    const error = await refusal(() => table.change(session, (record) => record));
    assertEquals([error.kind, session.ended], ["store_unavailable", false]);
    store.failing.clear();
    await store.inner.delete(session.key);
    assertEquals(await table.change(session, (record) => record), false);
    assertEquals([session.ended, table.size], [true, 0]);
  },
);

tableTest("note() changes what is kept, and tells what fails", async (isLater) => {
  const { table, open, store, failures } = tableUnderTest({}, isLater);
  const session = await open();
  table.note(session, (record) => ({ ...record, logLevel: "debug" }));
  await settled();
  assertEquals(session.record.logLevel, "debug");
  store.failing.add("update");
  table.note(session, (record) => record);
  await settled();
  assertEquals([failures.length, table.size], [1, 1]);
});

tableTest(
  "reload() reads what another instance has changed, and that it is gone",
  async (isLater) => {
    const under = tableUnderTest({}, isLater);
    const { table, open, store } = under;
    const session = await open();
    await store.inner.update(session.key, (record) => ({ ...record, generation: 1 }));
    assertEquals([await table.reload(session), session.record.generation], [true, 1]);
    let ends = 0;
    session.onEnd = () => void ends++;
    await store.inner.delete(session.key);
    assertEquals([await table.reload(session), session.ended, ends], [false, true, 1]);
  },
);

tableTest(
  "a session that another instance has changed is read again when it is next found",
  async (isLater) => {
    const { table, open, store } = tableUnderTest({}, isLater);
    const [session, other] = [await open(), await open()];
    for (const [generation, told] of [[1, session.key], [2, undefined]] as const) {
      await store.inner.update(session.key, (record) => ({ ...record, generation }));
      store.change(told);
      store.change("of no session here");
      await settled();
      assertEquals([session.stale, other.stale], [true, told === undefined]);
      assertEquals(session.record.generation, generation - 1);
      const loads = store.calls.load;
      const find = async () => await table.find("r", "p", session.id);
      for (const found of await Promise.all([find(), find()])) assertSame(found, session);
      assertEquals([session.record.generation, session.stale], [generation, false]);
      assertEquals(store.calls.load, loads + 1);
      await find();
      assertEquals(store.calls.load, loads + 1);
    }
  },
);

Deno.test("a change while a session is read anew has it read once more", async () => {
  const { table, open, store } = tableUnderTest({}, true);
  const session = await open();
  const find = async () => await table.find("r", "p", session.id);
  store.change(session.key);
  const release = store.hold("load");
  const early = find();
  await settled();
  await store.inner.update(session.key, (record) => ({ ...record, generation: 7 }));
  store.change(session.key);
  const late = find();
  await release();
  await early;
  await late;
  assertEquals([session.record.generation, session.stale, store.calls.load], [7, false, 2]);
});

Deno.test("a session that changes while it is read anew stays stale", async () => {
  const { table, open, store } = tableUnderTest({}, true);
  const session = await open();
  store.change(session.key);
  const release = store.hold("load");
  const finding = table.find("r", "p", session.id);
  await settled();
  store.change(session.key);
  await release();
  assertSame(await finding, session);
  assertEquals(session.stale, true);
  await table.find("r", "p", session.id);
  assertEquals([session.stale, store.calls.load], [false, 2]);
});

Deno.test("reload() does not make do with what was asked before it", async () => {
  const { table, open, store } = tableUnderTest({}, true);
  const session = await open();
  store.change(session.key);
  const release = store.hold("load");
  const early = table.find("r", "p", session.id);
  await settled();
  await store.inner.update(session.key, (record) => ({ ...record, generation: 7 }));
  const reloading = table.reload(session);
  await release();
  await early;
  assertEquals([await reloading, session.record.generation, session.stale], [true, 7, false]);
});

tableTest(
  "a session that another instance has ended loses its streams at once if it is in use",
  async (isLater) => {
    const { table, open, store, isThere, abandoned } = tableUnderTest({}, isLater);
    const [used, unused] = [await open(), await open()];
    const end = table.use(used);
    const ended: string[] = [];
    for (const session of [used, unused]) session.onEnd = () => void ended.push(session.id);
    for (const { key } of [used, unused]) {
      await store.inner.delete(key);
      store.change(key);
    }
    await settled();
    assertEquals([ended, table.size, store.calls.load], [[used.id], 1, 1]);
    assertEquals([await isThere(unused), table.size], [false, 0]);
    assertEquals(ended, [used.id, unused.id]);
    end();
    await settled();
    assertEquals(abandoned, []);
  },
);

tableTest(
  "a session that is ended elsewhere between find() and use() ends at once",
  async (isLater) => {
    const { table, open, store } = tableUnderTest({}, isLater);
    const session = await open();
    await table.find("r", "p", session.id);
    await store.inner.delete(session.key);
    store.change(session.key);
    await settled();
    assertEquals(session.ended, false);
    const end = table.use(session);
    await settled();
    assertEquals([session.ended, table.size], [true, 0]);
    end();
  },
);

tableTest(
  "a session that goes on at another instance is let go here and kept there",
  async (isLater) => {
    const here = tableUnderTest({}, isLater);
    const there = another(here, isLater);
    const session = await here.open();
    here.clock.advance(IDLE_MS / 2);
    const same = await there.table.find("r", "p", session.id);
    here.clock.advance(IDLE_MS / 2);
    await settled();
    assertEquals([here.table.size, here.abandoned, there.table.size], [0, [], 1]);
    assertSame(await there.table.find("r", "p", session.id), same);
    // Both let it go: it is told to be abandoned once, with what it has become.
    await here.table.find("r", "p", session.id);
    await there.table.change(same, (record) => ({ ...record, upstreamId: "anew" }));
    here.store.change(session.key);
    await pass(here.clock, 2 * IDLE_MS);
    assertEquals([here.table.size, there.table.size, here.store.size], [0, 0, 0]);
    const abandoned = [...here.abandoned, ...there.abandoned];
    assertEquals(abandoned.map(({ upstreamId }) => upstreamId), ["anew"]);
  },
);

tableTest(
  "a session in use at another instance is not ended there to make room here",
  async (isLater) => {
    const here = tableUnderTest({ maxSessions: 1 }, isLater);
    const there = another(here, isLater);
    const session = await here.open();
    here.clock.advance(TABLE_LIMITS.sessionEvictIdleMs);
    await there.table.find("r", "p", session.id);
    await here.open();
    await settled();
    assertEquals([session.ended, here.abandoned, here.store.size], [true, [], 2]);
    await there.table.find("r", "p", session.id);
  },
);

tableTest(
  "a session that another instance has ended is not told to be abandoned here",
  async (isLater) => {
    const here = tableUnderTest({}, isLater);
    const session = await here.open();
    await here.store.inner.delete(session.key);
    here.store.change(session.key);
    here.clock.advance(IDLE_MS);
    await settled();
    assertEquals([here.table.size, here.abandoned], [0, []]);
  },
);

tableTest(
  "what is told to be abandoned is what the session has become elsewhere",
  async (isLater) => {
    const { clock, open, store, table, abandoned } = tableUnderTest({}, isLater);
    const session = await open();
    await store.inner.update(session.key, (record) => ({ ...record, upstreamId: "anew" }));
    // It was in use elsewhere too, but here it was used last.
    clock.advance(10_000);
    await store.inner.touch(session.key, clock.now().getTime());
    clock.advance(10_000);
    await table.find("r", "p", session.id);
    await pass(clock, IDLE_MS + 1_000);
    assertEquals(abandoned.map(({ upstreamId }) => upstreamId), ["anew"]);
  },
);

tableTest(
  "R72 a record that is another's than its id says is not given to anyone",
  async (isLater) => {
    const first = tableUnderTest({}, isLater);
    const { key, id } = await first.open();
    for (const theirs of [{ principal: "q" }, { route: "s" }]) {
      await first.store.inner.update(key, (record) => ({ ...record, ...theirs }));
      const { table } = another(first, isLater);
      assertEquals((await refusal(() => table.find("r", "p", id))).kind, "session_not_found");
      assertEquals(table.size, 0);
      await first.store.inner.update(key, (record) => ({ ...record, principal: "p", route: "r" }));
    }
  },
);

Deno.test("R82 a session that the store let go before the reaper came is told to be abandoned", async () => {
  const { clock, table, store, open, abandoned } = tableUnderTest();
  const session = await open();
  table.stop();
  clock.advance(10 * IDLE_MS);
  store.inner.sweep();
  table.reserve("p")();
  assertEquals([abandoned, store.size], [[session], 0]);
});

Deno.test("R67 sessions in a file go on after a restart, those in memory are 404", async () => {
  const directory = await Deno.makeTempDir();
  const clock = new ManualClock();
  const limits = {
    idleTimeoutMs: storeIdleMs(IDLE_MS),
    lifetimeMs: TABLE_LIMITS.sessionLifetimeMs,
  };
  const openFile = () => new SqliteSessionStore(clock, limits, `${directory}/sessions.db`);
  const first = tableUnderTest({}, false, { clock, inner: openFile() });
  const { ids } = first;
  try {
    const session = await first.open("p");
    first.table.note(session, (record) => ({
      ...record,
      state: "open",
      revision: "2025-11-25",
      subscriptions: ["file:///a"],
    }));
    first.table.stop();
    await first.store.close();
    clock.advance(IDLE_MS - 1);
    const second = tableUnderTest({}, false, { clock, ids, inner: openFile() });
    for (const [route, principal] of [["r", "q"], ["s", "p"]] as const) {
      const error = await refusal(() => second.table.find(route, principal, session.id));
      assertEquals([error.kind, second.store.total], ["session_not_found", 0]);
    }
    const found = await second.table.find("r", "p", session.id);
    assertEquals([found.revision, found.state, found.upstreamId], ["2025-11-25", "open", "up-1"]);
    assertEquals([found.record.subscriptions, found.id], [["file:///a"], session.id]);
    // It is used here from now on, and the file says so.
    assertEquals(second.store.calls.touch, 1);
    clock.advance(IDLE_MS - 1);
    assert(await second.isThere(session));
    clock.advance(IDLE_MS);
    assertEquals([second.abandoned, second.store.size, second.table.size], [[found], 0, 0]);
    await second.store.close();
    const inMemory = tableUnderTest({}, false, { clock, ids });
    assertEquals(await inMemory.isThere(session), false);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
