import { assert, assertEquals, assertThrows } from "@std/assert";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/mod.ts";
import { sessionId } from "./id.ts";
import { SessionTable } from "./table.ts";

const OPTIONS = { maxSessions: 3, idleTimeoutMs: 1_000, evictIdleMs: 100 };

function setUp() {
  const clock = new ManualClock();
  return { clock, table: new SessionTable(clock, OPTIONS) };
}

Deno.test("R75 ids are unique, of 256 random bits, in visible ASCII", () => {
  const ids = new Set(Array.from({ length: 100_000 }, () => sessionId(systemClock)));
  assertEquals(ids.size, 100_000);
  for (const id of ids) assert(/^[A-Za-z0-9_-]{43}$/.test(id));
});

Deno.test("find() gives the session to its own route alone", () => {
  const { table } = setUp();
  const session = table.open("a", "inner");
  assertEquals(table.find("a", session.id), session);
  assertThrows(() => table.find("b", session.id), ProxyError, "initialize");
  assertThrows(() => table.find("a", "inner"), ProxyError);
});

Deno.test("R82 idle sessions are dropped when room is needed, used ones are kept", () => {
  const { clock, table } = setUp();
  const [old, used] = [table.open("a", "1"), table.open("a", "2")];
  const end = table.use(used);
  clock.advance(1_000);
  table.ensureRoom();
  assertEquals(table.size, 1);
  assertThrows(() => table.find("a", old.id), ProxyError);
  end();
  end();
  assertEquals(used.inFlight, 0);
  clock.advance(1_000);
  assertThrows(() => table.find("a", used.id), ProxyError);
});

Deno.test("a full table evicts the longest idle session, but none in use", () => {
  const { clock, table } = setUp();
  const sessions = [table.open("a", "1"), table.open("a", "2"), table.open("a", "3")];
  table.use(sessions[0]!);
  clock.advance(100);
  table.ensureRoom();
  assertEquals(table.size, 2);
  table.find("a", sessions[0]!.id);
  assertThrows(() => table.find("a", sessions[1]!.id), ProxyError);
});

Deno.test("R85 a full table whose sessions are all in use refuses, and says when to come back", () => {
  const { clock, table } = setUp();
  for (let count = 0; count < 3; count++) table.use(table.open("a", String(count)));
  clock.advance(10_000);
  const error = assertThrows(() => table.ensureRoom(), ProxyError);
  assertEquals([error.kind, error.headers], ["sessions_exhausted", { "retry-after": "10" }]);
});

Deno.test("the cap holds also when several sessions open at once", () => {
  const { table } = setUp();
  for (let count = 0; count < 50; count++) table.open("a", String(count));
  assertEquals(table.size, 3);
});

Deno.test("R82 a million sessions that are never deleted leave a table of the cap's size", () => {
  const clock = new ManualClock();
  const table = new SessionTable(clock, { maxSessions: 100, idleTimeoutMs: 50, evictIdleMs: 10 });
  for (let count = 0; count < 1_000_000; count++) {
    clock.advance(1);
    table.ensureRoom();
    table.open("a", "x");
    if (table.size > 100) throw new Error(`${table.size} sessions`);
  }
  assert(table.size <= 51);
});
