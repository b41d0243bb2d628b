import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { refusal, settled, tableTest, tableUnderTest } from "../testing/table_under_test.ts";
import { type IdSealer, MemorySessionStore, type Session, SessionTable } from "./mod.ts";

const FULL = { maxSessions: 3, sessionEvictIdleMs: 100 };

tableTest(
  "R85 a full table gives up the session that was unused for longest, and tells so",
  async (isLater) => {
    const { clock, open, table, isThere, abandoned, store } = tableUnderTest(FULL, isLater);
    const [first, second, third] = [await open("a"), await open("b"), await open("c")];
    clock.advance(50);
    await table.find("r", "a", first.id);
    clock.advance(50);
    const fourth = await open("d");
    await settled();
    assertEquals([table.size, store.size, abandoned], [3, 3, [second]]);
    const there = await Promise.all([first, second, third, fourth].map(isThere));
    assertEquals(there, [true, false, true, true]);
  },
);

tableTest("R85 none that was used lately gives way: 503 with Retry-After", async (isLater) => {
  const { clock, open, table, abandoned } = tableUnderTest(FULL, isLater);
  for (const principal of ["a", "b", "c"]) await open(principal);
  clock.advance(99);
  const error = await refusal(() => table.reserve("d")());
  assertEquals([error.kind, error.status, error.headers], [
    "sessions_exhausted",
    503,
    { "retry-after": "10" },
  ]);
  clock.advance(1);
  table.reserve("d")();
  await settled();
  assertEquals([table.size, abandoned.length], [2, 1]);
});

tableTest("R85 none with something under way gives way", async (isLater) => {
  const { clock, open, table, isThere, abandoned } = tableUnderTest(FULL, isLater);
  const sessions = [await open("a"), await open("b"), await open("c")];
  const ends = sessions.map((session) => table.use(session));
  clock.advance(10_000);
  assertEquals((await refusal(() => table.reserve("d")())).kind, "sessions_exhausted");
  ends[1]!();
  assertEquals((await refusal(() => table.reserve("d")())).kind, "sessions_exhausted");
  clock.advance(100);
  await open("d");
  assertEquals(abandoned, [sessions[1]]);
  assertEquals(await isThere(sessions[0]!), true);
  for (const end of ends) end();
});

const OWN = { maxSessions: 10, maxSessionsPerPrincipal: 2, sessionEvictIdleMs: 100 };

tableTest(
  "R85 a principal with too many sessions is told so: 429 with Retry-After",
  async (isLater) => {
    const { open, table } = tableUnderTest(OWN, isLater);
    for (let count = 0; count < 2; count++) await open("a");
    const error = await refusal(() => table.reserve("a")());
    assertEquals([error.kind, error.status, error.headers], [
      "principal_exhausted",
      429,
      { "retry-after": "10" },
    ]);
    await open("b");
    assertEquals(table.size, 3);
  },
);

tableTest("R85 a principal's own cap costs no other principal a session", async (isLater) => {
  const { clock, open, table, isThere, abandoned } = tableUnderTest(OWN, isLater);
  const other = await open("b");
  clock.advance(500);
  const [busy, own] = [await open("a"), await open("a")];
  const end = table.use(busy);
  assertEquals((await refusal(() => table.reserve("a")())).kind, "principal_exhausted");
  clock.advance(100);
  for (let count = 0; count < 3; count++) {
    await open("a");
    clock.advance(100);
  }
  await settled();
  assertEquals(abandoned[0], own);
  assertEquals([abandoned.length, abandoned.every(({ principal }) => principal === "a")], [
    3,
    true,
  ]);
  assertEquals([await isThere(other), await isThere(busy)], [true, true]);
  end();
});

tableTest("R85 a session counts no more however it ends", async (isLater) => {
  const limits = { ...OWN, maxSessionsPerPrincipal: 1, sessionEvictIdleMs: 1_000_000 };
  const { clock, open, table, store, isThere } = tableUnderTest(limits, isLater);
  const ways: Record<string, (session: Awaited<ReturnType<typeof open>>) => unknown> = {
    closed: (session) => table.close(session),
    reaped: () => clock.advance(600_000),
    found: (session) => {
      session.lastUsedMs -= 600_000;
      return isThere(session);
    },
    reloaded: async (session) => {
      await store.inner.delete(session.key);
      await table.reload(session);
    },
    changed: async (session) => {
      await store.inner.delete(session.key);
      await table.change(session, (record) => record);
    },
    "found elsewhere": async (session) => {
      await store.inner.delete(session.key);
      store.change(session.key);
      await isThere(session);
    },
  };
  for (const [way, end] of Object.entries(ways)) {
    const session = await open("a");
    assertEquals((await refusal(() => table.reserve("a")())).kind, "principal_exhausted", way);
    await end(session);
    await settled();
    assertEquals([table.size, table.principals, session.ended, store.size], [0, 0, true, 0], way);
    table.reserve("a")();
  }
});

tableTest(
  "R85 the caps hold when many open at once, and none that was there pays for it",
  async (isLater) => {
    for (
      const limits of [{ ...FULL, maxSessionsPerPrincipal: 9 }, {
        ...OWN,
        maxSessionsPerPrincipal: 3,
      }]
    ) {
      const { clock, open, table, store, abandoned, isThere } = tableUnderTest(limits, isLater);
      const victim = await open("p");
      clock.advance(50);
      const opening = Array.from({ length: 50 }, (_, count) => {
        // All have passed before the first is open.
        if (count < 2) table.reserve("p")();
        return (async () =>
          await table.open({ route: "r", principal: "p", upstreamId: `${count}` }))();
      });
      const settling = await Promise.allSettled(opening);
      await settled();
      const kinds = new Set(
        settling.flatMap((one) => one.status === "rejected" ? [one.reason.kind] : []),
      );
      const expected = limits === undefined || limits.maxSessions === 3
        ? "sessions_exhausted"
        : "principal_exhausted";
      assertEquals([...kinds], [expected]);
      assertEquals([table.size, store.size, abandoned.length, await isThere(victim)], [
        3,
        3,
        48,
        true,
      ]);
      assert(abandoned.every(({ ended }) => ended));
    }
  },
);

tableTest(
  "R85 sessions that an earlier run has left count as well when they come back",
  async (isLater) => {
    const before = tableUnderTest({}, isLater);
    const sessions: Session[] = [];
    for (let count = 0; count < 5; count++) sessions.push(await before.open("a"));
    const { clock, ids, store: { inner } } = before;
    const { table, store, abandoned } = tableUnderTest(FULL, isLater, { clock, ids, inner });
    for (const { id } of sessions.slice(0, 3)) await table.find("r", "a", id);
    const find = (at: number) => table.find("r", "a", sessions[at]!.id);
    assertEquals((await refusal(() => find(3))).kind, "sessions_exhausted");
    assertEquals([table.size, store.size, abandoned.length], [3, 5, 0]);
    clock.advance(100);
    assertEquals((await find(3)).key, sessions[3]!.key);
    await settled();
    assertEquals([table.size, store.size], [3, 4]);
    assertEquals(abandoned.map(({ key }) => key), [sessions[0]!.key]);
  },
);

tableTest(
  "R85 one that was long in use before it gives way is told to be abandoned too",
  async (isLater) => {
    const { clock, open, table, store, abandoned } = tableUnderTest(
      { ...FULL, maxSessions: 1 },
      isLater,
    );
    const session = await open();
    clock.advance(300_000);
    await table.find("r", "p", session.id);
    assertEquals(store.calls.touch, 1);
    clock.advance(100);
    await open();
    await settled();
    assertEquals([abandoned, store.size], [[session], 1]);
  },
);

/** Ids that cost nothing. */
function plainIds(): IdSealer {
  let count = 0;
  return {
    mint: () => ({ id: `id-${++count}`, key: `key-${count}` }),
    open: () => undefined,
  };
}

Deno.test("R82 a million sessions that are never deleted leave a table of the cap's size", () => {
  const clock = new ManualClock();
  const limits = {
    maxSessions: 1_000,
    maxSessionsPerPrincipal: 1_000,
    sessionIdleTimeoutMs: 3_600_000,
    sessionLifetimeMs: 86_400_000,
    sessionEvictIdleMs: 0,
  };
  const store = new MemorySessionStore(clock, { idleTimeoutMs: 4e6, lifetimeMs: 1e8 });
  let abandoned = 0;
  const onAbandoned = () => void abandoned++;
  const table = new SessionTable({ clock, ids: plainIds(), store, limits, onAbandoned });
  for (let count = 0; count < 1_000_000; count++) {
    if (count % 10 === 0) clock.advance(1);
    table.reserve("a")();
    table.open({ route: "r", principal: "a", upstreamId: "u" });
    if (table.size > 1_000) throw new Error(`${table.size} sessions`);
  }
  assertEquals([table.size, store.size, abandoned], [1_000, 1_000, 999_000]);
  table.stop();
});

tableTest("R85 what is on its way upstream counts as if it were there", async (isLater) => {
  const { clock, open, table, abandoned, isThere } = tableUnderTest(
    { ...OWN, maxSessions: 3 },
    isLater,
  );
  const releases = [table.reserve("a"), table.reserve("a")];
  assertEquals((await refusal(() => table.reserve("a"))).kind, "principal_exhausted");
  const other = await open("b");
  assertEquals((await refusal(() => table.reserve("b"))).kind, "sessions_exhausted");
  const opened = await table.open({ route: "r", principal: "a", upstreamId: "1" }, releases[0]);
  // Its place is its own now, and the other one is still kept.
  releases[0]!();
  assertEquals((await refusal(() => table.reserve("a"))).kind, "principal_exhausted");
  releases[1]!();
  table.reserve("a")();
  await table.open({ route: "r", principal: "a", upstreamId: "2" }, table.reserve("a"));
  clock.advance(50);
  assertEquals([table.size, abandoned.length], [3, 0]);
  assertEquals([await isThere(opened), await isThere(other)], [true, true]);
});
