import { assert, assertEquals } from "@std/assert";
import { pass, settled, tableTest, tableUnderTest } from "../testing/table_under_test.ts";
import { REAPED_AT_ONCE } from "./reaper.ts";
import { storeIdleMs } from "./mod.ts";

const IDLE_MS = 600_000;

tableTest(
  "R82 an empty table has no timer, and any number of sessions have one",
  async (isLater) => {
    const { clock, table, open } = tableUnderTest({}, isLater);
    assertEquals(clock.timers, 0);
    const sessions = [await open(), await open()];
    for (let count = 0; count < 100; count++) sessions.push(await open());
    const ends = sessions.map((session) => table.use(session));
    assertEquals(clock.timers, 1);
    clock.advance(IDLE_MS);
    for (const end of ends) end();
    assertEquals(clock.timers, 1);
    for (const session of sessions) table.close(session);
    assertEquals(clock.timers, 0);
    await open();
    assertEquals(clock.timers, 1);
    clock.advance(IDLE_MS);
    assertEquals([table.size, clock.timers], [0, 0]);
  },
);

tableTest(
  "R82 a session is reaped at its deadline, told to be abandoned once, and gone from the store",
  async (isLater) => {
    const { clock, table, store, open, abandoned } = tableUnderTest({}, isLater);
    const first = await open();
    let ends = 0;
    first.onEnd = () => void ends++;
    clock.advance(1_000);
    const second = await open();
    clock.advance(IDLE_MS - 1_001);
    assertEquals([table.size, abandoned], [2, []]);
    clock.advance(1);
    await settled();
    assertEquals([table.size, store.size, ends, first.state], [1, 1, 1, "closed"]);
    assertEquals(abandoned, [first]);
    clock.advance(1_000);
    await settled();
    assertEquals([table.size, store.size, abandoned], [0, 0, [first, second]]);
    clock.advance(10 * IDLE_MS);
    await settled();
    assertEquals([abandoned.length, ends], [2, 1]);
  },
);

tableTest("R82 what is used is not reaped", async (isLater) => {
  const { clock, table, open, isThere, abandoned } = tableUnderTest({}, isLater);
  const [used, left] = [await open(), await open()];
  for (let count = 0; count < 5; count++) {
    await pass(clock, IDLE_MS - 100);
    assert(await isThere(used));
  }
  assertEquals([table.size, abandoned], [1, [left]]);
});

tableTest(
  "R82 an open stream keeps its session, here and in the store, for ten idle lifetimes",
  async (isLater) => {
    // With 2 s the reaper's shortest pause is half of it; with an hour the store is told each minute at most.
    for (const sessionIdleTimeoutMs of [2_000, 60_000, 3_600_000]) {
      const { clock, table, store, open, abandoned } = tableUnderTest(
        { sessionIdleTimeoutMs },
        isLater,
      );
      const [streaming, left] = [await open(), await open()];
      const end = table.use(streaming);
      const touches = store.calls.touch;
      // The worst case for the store: it was told of the last use as long ago as may be.
      clock.advance(storeIdleMs(sessionIdleTimeoutMs) - sessionIdleTimeoutMs - 1);
      await table.find("r", "p", streaming.id);
      for (let count = 0; count < 1_000; count++) {
        clock.advance(sessionIdleTimeoutMs / 100);
        await settled();
        if (await store.inner.load(streaming.key) === undefined) {
          throw new Error(
            `lost at ${count}`,
          );
        }
      }
      assertEquals([table.size, abandoned], [1, [left]]);
      assert(store.calls.touch - touches <= 21, `${store.calls.touch - touches} touches`);
      end();
      clock.advance(sessionIdleTimeoutMs - 1);
      assertEquals([table.size, streaming.ended], [1, false]);
      clock.advance(1_000);
      await settled();
      assertEquals([table.size, store.size, abandoned], [0, 0, [left, streaming]]);
    }
  },
);

tableTest("R82 the lifetime ends sessions in use too, and their streams", async (isLater) => {
  const limits = { sessionLifetimeMs: 2 * IDLE_MS };
  const { clock, table, store, open, abandoned, isThere } = tableUnderTest(limits, isLater);
  const [found, reaped] = [await open(), await open()];
  const ends = [table.use(found), table.use(reaped)];
  let streams = 2;
  for (const session of [found, reaped]) session.onEnd = () => void streams--;
  clock.advance(2 * IDLE_MS - 1);
  assert(await isThere(found) && await isThere(reaped));
  clock.advance(1);
  assertEquals(await isThere(found), false);
  assertEquals([streams, table.size], [1, 1]);
  clock.advance(IDLE_MS / 2);
  await settled();
  assertEquals([streams, table.size, store.inner.size], [0, 0, 0]);
  assertEquals(abandoned, [found, reaped]);
  for (const end of ends) end();
  assertEquals(clock.timers, 0);
});

tableTest("a lifetime that is shorter than the idle one holds as well", async (isLater) => {
  const { clock, table, open, abandoned } = tableUnderTest({ sessionLifetimeMs: 5_000 }, isLater);
  await open();
  table.use(await open());
  clock.advance(4_999);
  assertEquals(table.size, 2);
  clock.advance(1_001);
  await settled();
  assertEquals([table.size, abandoned.length], [0, 2]);
});

tableTest("a session that DELETE has closed is never told to be abandoned", async (isLater) => {
  const { clock, table, open, abandoned, isThere } = tableUnderTest({}, isLater);
  const session = await open();
  table.close(session);
  clock.advance(2 * IDLE_MS);
  await isThere(session);
  await settled();
  assertEquals(abandoned, []);
});

tableTest("R82 a bounded part is reaped at once, and the rest a second later", async (isLater) => {
  const limits = { maxSessions: 10_000, maxSessionsPerPrincipal: 10_000 };
  const { clock, table, open, store, abandoned } = tableUnderTest(limits, isLater);
  const count = 2 * REAPED_AT_ONCE + 500;
  const ends = [];
  for (let at = 0; at < count; at++) await open();
  for (let at = 0; at < count; at++) ends.push(table.use(await open()));
  clock.advance(1);
  const touches = store.calls.touch;
  clock.advance(IDLE_MS / 2 - 1);
  assertEquals(store.calls.touch - touches, REAPED_AT_ONCE);
  clock.advance(2_000);
  assertEquals(store.calls.touch - touches, count);
  clock.advance(IDLE_MS / 2 - 2_000);
  assertEquals(table.size, 2 * count - REAPED_AT_ONCE);
  // A new session makes it reap as well.
  table.reserve("p")();
  assertEquals(table.size, 2 * count - 2 * REAPED_AT_ONCE);
  clock.advance(1_000);
  assertEquals(table.size, count);
  await settled();
  assertEquals([abandoned.length, store.size], [count, count]);
  for (const end of ends) end();
});

tableTest("the store is swept when the reaper wakes, and not otherwise", async (isLater) => {
  const { clock, table, open, store, failures } = tableUnderTest({}, isLater);
  table.reserve("p")();
  table.close(await open());
  clock.advance(10 * IDLE_MS);
  assertEquals(store.calls.sweep, 0);
  await open();
  store.failing.add("sweep");
  clock.advance(IDLE_MS / 2);
  await settled();
  assertEquals([store.calls.sweep, failures.length], [1, 1]);
});

tableTest("stop() ends the timer, and none is set afterwards", async (isLater) => {
  const { clock, table, open, store } = tableUnderTest({}, isLater);
  const session = await open();
  table.stop();
  assertEquals(clock.timers, 0);
  table.use(session)();
  await open();
  assertEquals([clock.timers, table.size, store.size], [0, 2, 2]);
});

tableTest(
  "a session that the store fails to give up is gone here, and that is told",
  async (isLater) => {
    for (const method of ["load", "delete"] as const) {
      const { clock, table, open, store, abandoned, failures } = tableUnderTest({}, isLater);
      await open();
      store.failing.add(method);
      clock.advance(IDLE_MS);
      await settled();
      assertEquals([table.size, abandoned.length, failures.length], [0, 0, 1], method);
    }
  },
);

Deno.test("R81 a client that comes back while its session is given up keeps it", async () => {
  for (const isFirst of [true, false]) {
    const { clock, table, store, open, abandoned } = tableUnderTest({}, true);
    const session = await open();
    // Either answer may be the first: the one for the table, or the one for the client.
    const release = store.hold("load", isFirst);
    clock.advance(IDLE_MS);
    assertEquals(table.size, 0);
    const finding = (async () => await table.find("r", "p", session.id))();
    await settled();
    assertEquals(table.size, isFirst ? 1 : 0);
    await release();
    assertEquals((await finding).key, session.key);
    await settled();
    assertEquals([table.size, store.size, abandoned], [1, 1, []]);
  }
});
