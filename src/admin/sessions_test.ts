import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { StreamTally, type StreamTraffic } from "../relay/mod.ts";
import { MemorySessionStore, type Session, SessionTable } from "../session/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { MAX_SESSIONS_ON_PAGE, MAX_STREAMS_TOLD, SessionPages } from "./sessions.ts";

const LIMITS = {
  maxSessions: 1_000,
  maxSessionsPerPrincipal: 1_000,
  sessionIdleTimeoutMs: 60_000,
  sessionLifetimeMs: 600_000,
  sessionEvictIdleMs: 60_000,
};

function setUp() {
  const clock = new ManualClock();
  const idleTimeoutMs = 600_000;
  const store = new MemorySessionStore(clock, { idleTimeoutMs, lifetimeMs: idleTimeoutMs });
  let made = 0;
  const ids = {
    mint: () => ({ id: `client-id-${made}`, key: `key-${made++}` }),
    open: () => undefined,
  };
  const sessions = new SessionTable({ clock, ids, store, limits: LIMITS });
  const streams = new Map<Session, StreamTally>();
  const asked: number[] = [];
  const pages = new SessionPages({
    sessions: {
      get size() {
        return sessions.size;
      },
      byKey: (key) => sessions.byKey(key),
      page(limit, after) {
        asked.push(limit);
        return sessions.page(limit, after);
      },
    },
    streamsOf: (session): Iterable<StreamTraffic> => streams.get(session) ?? [],
    nameOf: (principal) => principal === "id of alice" ? "alice" : undefined,
    clock,
  });
  const open = (principal = "id of alice", initialize?: string): Session =>
    sessions.open({ route: "/mcp", principal, upstreamId: "inner", initialize }) as Session;
  return { clock, sessions, streams, pages, open, asked };
}

Deno.test("a session is told with its client, its principal's name, its times and what has passed", () => {
  const { clock, sessions, streams, pages, open } = setUp();
  const clientInfo = { name: "agent", version: "1" };
  const session = open("id of alice", JSON.stringify({ params: { clientInfo } }));
  clock.advance(1_000);
  const release = sessions.use(session);
  clock.advance(4_000);
  const tally = new StreamTally(session.traffic, clock);
  streams.set(session, tally);
  tally.begin("answer").took(100, 3);
  const bytewise = tally.begin("subscription", false);
  bytewise.took(50, 0);
  bytewise.attended = false;
  const told = {
    key: "key-0",
    route: "/mcp",
    principal: "alice",
    state: "initialising" as const,
    revision: null,
    client: clientInfo,
    since: "2026-01-01T00:00:00.000Z",
    lastUsed: "2026-01-01T00:00:01.000Z",
    idleSeconds: 0,
    inFlight: 1,
    traffic: { requests: 1, bytesIn: 0, bytesOut: 150, events: 3, streams: 2 },
  };
  assertEquals(pages.list(""), { total: 1, sessions: [told], next: null });
  const since = "2026-01-01T00:00:05.000Z";
  assertEquals(pages.one("key-0"), {
    ...told,
    streams: [
      { kind: "answer", since, attached: true, events: 3, bytes: 100 },
      { kind: "subscription", since, attached: false, events: null, bytes: 50 },
    ],
  });
  release();
  clock.advance(2_999);
  const { lastUsed, idleSeconds, inFlight } = pages.one("key-0");
  assertEquals([lastUsed, idleSeconds, inFlight], ["2026-01-01T00:00:05.000Z", 2, 0]);
  sessions.stop();
});

Deno.test("what is not known is null: a principal without a key, a client that cannot be read", () => {
  const { sessions, pages, open } = setUp();
  open("id of somebody", "{");
  const [{ principal, client, revision }] = pages.list("").sessions as [never];
  assertEquals([principal, client, revision], [null, null, null]);
  sessions.stop();
});

Deno.test("pages hold so many sessions, go on behind a key, and end", () => {
  const { sessions, pages, open, asked } = setUp();
  const all = Array.from({ length: 250 }, () => open().key);
  const seen: string[] = [];
  let query = "";
  for (;;) {
    const { total, sessions: told, next } = pages.list(query);
    assertEquals(total, 250);
    assert(told.length <= MAX_SESSIONS_ON_PAGE);
    seen.push(...told.map(({ key }) => key));
    if (next === null) break;
    query = `?after=${next}`;
  }
  assertEquals(seen, all);
  assertEquals(asked, [101, 101, 101], "one more than a page, and no more, is looked at");
  assertEquals(pages.list("?limit=2&after=key-0").sessions.map(({ key }) => key), [
    "key-1",
    "key-2",
  ]);
  assertEquals([pages.list("?limit=50&after=key-199").next, pages.list("?limit=1").next], [
    null,
    "key-0",
  ]);
  sessions.stop();
});

Deno.test("sessions that are used or end meanwhile move no other from its page", () => {
  const { clock, sessions, pages, open } = setUp();
  const [first, second] = [open(), open(), open(), open()];
  assertEquals(pages.list("?limit=2").next, "key-1");
  clock.advance(1_000);
  sessions.use(second!)();
  sessions.close(first!);
  const rest = pages.list("?limit=2&after=key-1");
  assertEquals(rest.sessions.map(({ key }) => key), ["key-2", "key-3"]);
  assertEquals([rest.total, sessions.principals], [3, 1]);
  assertEquals(pages.list("").sessions.map(({ key }) => key), ["key-1", "key-2", "key-3"]);
  sessions.stop();
});

Deno.test("a limit or a key that is none is refused, and not repeated", () => {
  const { sessions, pages, open } = setUp();
  const gone = open();
  sessions.close(gone);
  const refusals: [() => unknown, string][] = [
    ...["0", "101", "-1", "1e1", "x", "", "9999"].map((limit): [() => unknown, string] => [
      () => pages.list(`?limit=${limit}`),
      "bad_request",
    ]),
    [() => pages.list("?after=canary"), "session_not_found"],
    [() => pages.list(`?after=${gone.key}`), "session_not_found"],
    [() => pages.one("canary"), "session_not_found"],
    [() => pages.one(gone.key), "session_not_found"],
    [() => pages.one(gone.id), "session_not_found"],
  ];
  for (const [ask, kind] of refusals) {
    const error = assertThrows(ask, ProxyError);
    assertEquals([error.kind, error.message.includes("canary")], [kind, false]);
  }
  sessions.stop();
});

Deno.test("of a session with very many streams so many are told", () => {
  const { clock, sessions, streams, pages, open } = setUp();
  const session = open();
  const tally = new StreamTally(session.traffic, clock);
  streams.set(session, tally);
  for (let count = 0; count < MAX_STREAMS_TOLD + 5; count++) tally.begin("answer");
  const { streams: told, traffic } = pages.one(session.key);
  assertEquals([told.length, traffic.streams], [MAX_STREAMS_TOLD, MAX_STREAMS_TOLD + 5]);
  sessions.stop();
});
