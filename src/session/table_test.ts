import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  assertSame,
  refusal,
  settled,
  tableTest,
  tableUnderTest,
} from "../testing/table_under_test.ts";

const NOT_FOUND = "This session does not exist or has ended; start a new one with initialize.";

tableTest("find() gives the session to its principal on its route", async (isLater) => {
  const { table, open } = tableUnderTest({}, isLater);
  const session = await open();
  assertSame(await table.find("r", "p", session.id), session);
  assertEquals([session.state, session.upstreamId, table.size], ["initialising", "up-1", 1]);
  assertEquals([...table.all()], [session]);
});

tableTest(
  "R72 another principal, or another route, does not find it, and changes nothing",
  async (isLater) => {
    const { table, open, store, clock } = tableUnderTest({}, isLater);
    const session = await open();
    clock.advance(70_000);
    const before = { ...session };
    const asked = store.total;
    // Also while another instance may have changed it, when the table has to look into the id.
    for (const stale of [false, true]) {
      session.stale = stale;
      for (const [route, principal] of [["r", "q"], ["s", "p"], ["r", ""], ["s", "q"]] as const) {
        const error = await refusal(() => table.find(route, principal, session.id));
        assertEquals([error.kind, error.status, error.message], [
          "session_not_found",
          404,
          NOT_FOUND,
        ]);
      }
    }
    session.stale = false;
    assertEquals([{ ...session }, store.total], [before, asked]);
    assertSame(await table.find("r", "p", session.id), session);
  },
);

tableTest(
  "R74 R81 what was never minted, or by another, is 404 without asking the store",
  async (isLater) => {
    const { table, open, store } = tableUnderTest({}, isLater);
    const { id, key, upstreamId } = await open();
    const other = await tableUnderTest().open();
    const asked = store.total;
    const tampered = [
      id.slice(0, -1),
      `${id}A`,
      `${id.slice(0, 40)}${id[40] === "A" ? "B" : "A"}${id.slice(41)}`,
    ];
    for (const odd of ["", "x", "%00", "__proto__", key, upstreamId, other.id, ...tampered]) {
      const error = await refusal(() => table.find("r", "p", odd));
      assertEquals([error.kind, error.status, error.message], [
        "session_not_found",
        404,
        NOT_FOUND,
      ]);
    }
    assertEquals([store.total, table.size], [asked, 1]);
  },
);

tableTest("R81 closed, expired and too old sessions are 404 like all others", async (isLater) => {
  const limits = { sessionIdleTimeoutMs: 1_500, sessionLifetimeMs: 5_000 };
  const { table, open, clock } = tableUnderTest(limits, isLater);
  // No reaper, so that it is find() that says no.
  table.stop();
  const [closed, idle, old] = [await open(), await open(), await open()];
  table.close(closed);
  const end = table.use(old);
  clock.advance(1_499);
  assertSame(await table.find("r", "p", idle.id), idle);
  clock.advance(1_500);
  const gone = [closed, idle];
  for (const session of gone) {
    assertEquals((await refusal(() => table.find("r", "p", session.id))).message, NOT_FOUND);
  }
  assertSame(await table.find("r", "p", old.id), old);
  clock.advance(2_001);
  assertEquals((await refusal(() => table.find("r", "p", old.id))).message, NOT_FOUND);
  assertEquals([table.size, old.ended, old.state], [0, true, "closed"]);
  end();
});

tableTest("close() forgets the session here and in the store, once", async (isLater) => {
  const { table, open, store, abandoned } = tableUnderTest({}, isLater);
  const session = await open();
  let ends = 0;
  session.onEnd = () => void ends++;
  table.close(session);
  table.close(session);
  await settled();
  assertEquals([table.size, session.ended, ends, store.calls.delete], [0, true, 1, 1]);
  assertEquals([store.size, abandoned], [0, []]);
});

Deno.test("onEnd of a session that has ended is called at once", async () => {
  const { table, open } = tableUnderTest();
  const session = await open();
  table.close(session);
  let ends = 0;
  session.onEnd = () => void ends++;
  assertEquals(ends, 1);
  const other = await open();
  other.onEnd = () => void ends++;
  for (const _ of [1, 2]) other.end();
  assertEquals([ends, other.ended], [2, true]);
});

tableTest("use() counts what is under way, and its end counts once", async (isLater) => {
  const { table, open } = tableUnderTest({}, isLater);
  const session = await open();
  const [first, second] = [table.use(session), table.use(session)];
  assertEquals([session.inFlight, session.traffic.requests], [2, 2]);
  first();
  first();
  assertEquals(session.inFlight, 1);
  table.close(session);
  second();
  assertEquals([session.inFlight, table.size], [0, 0]);
});

tableTest("open() whose save fails keeps nothing, and has the upstream told", async (isLater) => {
  const { table, store, abandoned, failures, ids } = tableUnderTest({}, isLater);
  store.failing.add("save").add("delete");
  const error = await refusal(() => table.open({ route: "r", principal: "p", upstreamId: "u" }));
  assertEquals([error.kind, error.status, error.headers], [
    "store_unavailable",
    503,
    { "retry-after": "5" },
  ]);
  await settled();
  assertEquals([table.size, store.size, failures.length], [0, 0, 1]);
  assertEquals(abandoned.map(({ upstreamId, ended }) => [upstreamId, ended]), [["u", true]]);
  const { id } = abandoned[0]!;
  assertNotEquals(ids.open(id, "p"), undefined);
  assertEquals((await refusal(() => table.find("r", "p", id))).kind, "session_not_found");
});

tableTest("find() whose load fails says so, and the next one tries again", async (isLater) => {
  const { table, open, store, clock, ids } = tableUnderTest({}, isLater);
  const session = await open();
  const second = tableUnderTest({}, isLater, { clock, ids, inner: store.inner });
  second.store.failing.add("load");
  const find = () => second.table.find("r", "p", session.id);
  const error = await refusal(find);
  assertEquals([error.kind, error.status, error.headers], [
    "store_unavailable",
    503,
    { "retry-after": "5" },
  ]);
  assertEquals([second.table.size, (error.cause as Error).message], [0, "load fails"]);
  second.store.failing.clear();
  assertEquals((await find()).key, session.key);
  assertEquals(table.size, 1);
});

tableTest(
  "a session in use whose reading anew fails stays stale until it can be read",
  async (isLater) => {
    const { table, open, store, failures } = tableUnderTest({}, isLater);
    const session = await open();
    const end = table.use(session);
    store.failing.add("load");
    store.change(session.key);
    await settled();
    assertEquals([session.stale, session.ended, failures.length], [true, false, 1]);
    assertEquals((await refusal(() => table.find("r", "p", session.id))).kind, "store_unavailable");
    assertEquals((await refusal(() => table.reload(session))).kind, "store_unavailable");
    store.failing.clear();
    assertSame(await table.find("r", "p", session.id), session);
    assertEquals(session.stale, false);
    end();
  },
);

Deno.test("two finds of one session that is not here read it once and give the same Session", async () => {
  const first = tableUnderTest({}, true);
  const session = await first.open();
  const { table, store } = tableUnderTest({}, true, {
    clock: first.clock,
    ids: first.ids,
    inner: first.store.inner,
  });
  const find = () => table.find("r", "p", session.id);
  const found = await Promise.all([find(), find(), find()]);
  assertEquals([store.calls.load, table.size], [1, 1]);
  for (const one of found) assertSame(one, found[0]);
  assertSame(await find(), found[0]);
  assertEquals((await refusal(() => table.find("r", "q", session.id))).kind, "session_not_found");
});

Deno.test("R81 a session that is ended elsewhere while it is read here is 404, and not kept", async () => {
  const first = tableUnderTest({}, true);
  const session = await first.open();
  for (const told of [session.key, undefined]) {
    const { table, store } = tableUnderTest({}, true, {
      clock: first.clock,
      ids: first.ids,
      inner: first.store.inner,
    });
    const release = store.hold("load");
    const finding = [refusal(() => table.find("r", "p", session.id))];
    finding.push(refusal(() => table.find("r", "p", session.id)));
    await settled();
    const record = (await first.store.inner.load(session.key))!;
    await first.store.inner.delete(session.key);
    store.change(told);
    await release();
    for (const error of await Promise.all(finding)) assertEquals(error.message, NOT_FOUND);
    assertEquals([table.size, store.calls.load], [0, 2]);
    await first.store.inner.save(record);
  }
});

Deno.test("a session that changes while it is read here, and cannot be read again then, stays stale", async () => {
  const first = tableUnderTest({}, true);
  const session = await first.open();
  const { clock, ids, store: { inner } } = first;
  const { table, store } = tableUnderTest({}, true, { clock, ids, inner });
  const release = store.hold("load");
  const finding = refusal(() => table.find("r", "p", session.id));
  await settled();
  await inner.update(session.key, (record) => ({ ...record, generation: 1 }));
  store.change(session.key);
  store.failing.add("load");
  await release();
  assertEquals((await finding).kind, "store_unavailable");
  store.failing.clear();
  assertEquals((await table.find("r", "p", session.id)).record.generation, 1);
});

Deno.test("R81 close() while the session is read anew: who waits for it gets 404", async () => {
  const { table, open, store } = tableUnderTest({}, true);
  const session = await open();
  store.change(session.key);
  const release = store.hold("load");
  const finding = refusal(() => table.find("r", "p", session.id));
  await settled();
  table.close(session);
  await release();
  assertEquals((await finding).message, NOT_FOUND);
  assertEquals([table.size, store.size], [0, 0]);
});

tableTest("R81 find() and close() at once end in one or the other", async (isLater) => {
  const { table, open } = tableUnderTest({}, isLater);
  const session = await open();
  const finding = (async () => await table.find("r", "p", session.id))();
  table.close(session);
  assertSame(await finding, session);
  assert(session.ended);
  table.use(session)();
  assertEquals(await table.change(session, (record) => record), false);
  assertEquals((await refusal(() => table.find("r", "p", session.id))).message, NOT_FOUND);
});

tableTest("lock() lets one in at a time", async (isLater) => {
  const { table, open, store } = tableUnderTest({}, isLater);
  const session = await open();
  const release = await table.lock(session, 1_000);
  assertEquals(await table.lock(session, 1_000), undefined);
  await release!();
  assertNotEquals(await table.lock(session, 1_000), undefined);
  store.failing.add("lock");
  assertEquals((await refusal(() => table.lock(session, 1_000))).kind, "store_unavailable");
});
