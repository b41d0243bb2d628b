import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { SessionRecord } from "../session/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import * as messages from "../testing/messages.ts";
import { sessionTable } from "../testing/session_table.ts";
import { openAnswer, wholeAnswer } from "../testing/upstream_answer.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { MAX_MOVES, Recovery } from "./recovery.ts";
import { RENEWAL_MS } from "./renewal.ts";

const CALL: UpstreamCall = {
  headers: new Fields(),
  sessionId: "old",
  principal: "p",
  query: "",
  signal: NEVER_ABORTED,
};

/** How long a lock is held: what the proxy waits for another instance. */
const HOLD_MS = RENEWAL_MS + 10_000;

const begins = (sessionId: string) => wholeAnswer({ sessionId }, messages.initializeResult());
const fine = () => wholeAnswer({}, '{"jsonrpc":"2.0","id":1,"result":{}}');
const lost = () => wholeAnswer({ status: 404, kind: "other" });

type Answering = (method: string, call: UpstreamCall) => Promise<UpstreamAnswer> | UpstreamAnswer;

/** A session that the upstream has lost, and a recovery of it. */
async function lostSession(answering: Answering, more: Partial<SessionRecord> = {}) {
  const table = sessionTable();
  const { clock, sessions } = table;
  const session = await table.open({
    state: "open",
    initialize: messages.initialize(),
    revision: "2025-11-25",
    ...more,
  });
  const told: string[] = [];
  const answer = async (method: string, call: UpstreamCall) => {
    told.push(`${method}@${call.sessionId}`);
    return await answering(method, call);
  };
  const ask = (call: UpstreamCall, body: Uint8Array) =>
    answer((JSON.parse(new TextDecoder().decode(body)) as { method: string }).method, call);
  const upstream: Upstream = {
    exchange: ask,
    notify: ask,
    listen: (call) => answer("GET", call),
    terminate: (call) => answer("DELETE", call),
    close: () => Promise.resolve(),
  };
  const recovery = new Recovery({ upstream, sessions, logger: nullLogger, clock });
  const send = (call: UpstreamCall) => answer("ping", call);
  return {
    ...table,
    session,
    told,
    again: (generation = session.record.generation, answer = lost(), idText?: string) =>
      recovery.again(session, generation, answer, CALL, send, idText),
    ended: (generation = session.record.generation) =>
      recovery.ended(session, generation, lost(), CALL, (call) => answer("DELETE", call)),
  };
}

/** Lets what waits for nothing but promises go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

const usual: Answering = (method) => method === "initialize" ? begins("new") : fine();

Deno.test("R66 Recovery.again() leaves no timer and no lock behind", async () => {
  using all = await lostSession(usual);
  const before = all.clock.timers;
  assertEquals((await all.again()).status, 200);
  assertEquals(all.told, ["initialize@undefined", "notifications/initialized@new", "ping@new"]);
  assertEquals(all.clock.timers, before);
  assertEquals([all.session.upstreamId, all.session.record.generation], ["new", 1]);
  assert(all.store.lock(all.session.key, 1) !== undefined);
});

Deno.test("R66 Recovery.again() of a request from before the last recovery makes nothing anew", async () => {
  using all = await lostSession(usual, { generation: 3, upstreamId: "newest" });
  assertEquals((await all.again(2)).status, 200);
  assertEquals(all.told, ["ping@newest"]);
});

Deno.test("R66 Recovery.again() goes on when another instance has made the session anew", async () => {
  using all = await lostSession(usual);
  const release = all.store.lock(all.session.key, HOLD_MS)!;
  const answering = all.again();
  await settle();
  all.clock.advance(100);
  await settle();
  assertEquals(all.told, []);
  all.store.update(all.session.key, (record) => ({ ...record, upstreamId: "its", generation: 1 }));
  await release();
  all.clock.advance(100);
  assertEquals((await answering).status, 200);
  assertEquals(all.told, ["ping@its"]);
});

Deno.test("R66 Recovery.again() takes over from an instance that has gone in the middle", async () => {
  using all = await lostSession(usual);
  all.store.lock(all.session.key, 1_000);
  const answering = all.again();
  for (let at = 0; at < 11; at++) {
    await settle();
    all.clock.advance(100);
  }
  assertEquals((await answering).status, 200);
  assertEquals(all.told[0], "initialize@undefined");
});

Deno.test("R66 Recovery.again() does not wait for another instance for ever, nor end its session", async () => {
  using all = await lostSession(usual);
  all.store.lock(all.session.key, 10 * HOLD_MS);
  const answering = assertRejects(() => all.again(), ProxyError, "another instance");
  for (let at = 0; at <= HOLD_MS / 100; at++) {
    await settle();
    all.clock.advance(100);
  }
  assertEquals((await answering).status, 502);
  assertEquals([all.told, all.session.ended], [[], false]);
});

Deno.test("R66 Recovery.again() of a session that was ended elsewhere is 404", async () => {
  using all = await lostSession(usual);
  all.store.delete(all.session.key);
  assertEquals((await assertRejects(() => all.again(), ProxyError)).kind, "session_not_found");
  assertEquals(all.told, []);
});

Deno.test("R66 Recovery.again() makes nothing anew while the session is being ended", async () => {
  using all = await lostSession(usual, { state: "closing" });
  assertEquals((await assertRejects(() => all.again(), ProxyError)).kind, "session_not_found");
  assertEquals([all.told, all.session.ended], [[], false]);
});

for (const how of ["closing", "closed"] as const) {
  Deno.test(`R66 Recovery.again() lets the new session go where its own is ${how} by then`, async () => {
    using all = await lostSession((method, call) => {
      if (method === "notifications/initialized") {
        if (how === "closed") all.sessions.close(all.session);
        else all.sessions.note(all.session, (record) => ({ ...record, state: "closing" }));
      }
      return usual(method, call);
    });
    assertEquals((await assertRejects(() => all.again(), ProxyError)).kind, "session_not_found");
    assertEquals(all.told.at(-1), "DELETE@new");
    assert(!all.told.includes("ping@new"));
  });
}

Deno.test("R66 Recovery.again() goes on in a session that was made anew while its request was lost again", async () => {
  using all = await lostSession((method, call) => {
    if (method !== "ping" || call.sessionId === "third") return usual(method, call);
    all.sessions.note(all.session, (record) => ({ ...record, generation: 2, upstreamId: "third" }));
    return lost();
  });
  assertEquals((await all.again()).status, 200);
  assertEquals([all.session.ended, all.session.upstreamId], [false, "third"]);
  assertEquals(all.told.slice(-2), ["ping@new", "ping@third"]);
});

Deno.test("R66 Recovery.again() makes a session anew again whose next server is left as well, a few times", async () => {
  for (const [moves, status] of [[MAX_MOVES - 1, 200], [MAX_MOVES, 502]] as const) {
    let made = 0;
    using all = await lostSession(async (method, call) => {
      if (method === "initialize") made++;
      const answer = await usual(method, call);
      return method === "ping" && made <= moves ? { ...lost(), hasMoved: true } : answer;
    });
    const answered = await all.again().then((answer) => answer.status, (error) => error.status);
    assertEquals([answered, made, all.session.ended], [status, MAX_MOVES, false]);
  }
});

Deno.test("R66 Recovery.again() makes a session anew once more where a server breaks off meanwhile", async () => {
  for (const where of ["initialize", "notifications/initialized"]) {
    for (const [breaks, status] of [[1, 200], [2, 502]] as const) {
      let broken = 0;
      using all = await lostSession((method, call) => {
        if (method !== where || broken === breaks) return usual(method, call);
        broken++;
        throw new ProxyError("upstream_closed", "It broke off.");
      });
      const answered = await all.again().then((answer) => answer.status, (error) => error.status);
      assertEquals([answered, all.session.ended], [status, false]);
      assertEquals(all.told.filter((what) => what.startsWith("initialize@")).length, 2);
    }
  }
});

Deno.test("R66 Recovery.again() ends a session that the head of an answer has named and whose result never comes", async () => {
  const never = openAnswer({ sessionId: "new" });
  using all = await lostSession((method, call) =>
    method === "initialize" ? never.answer : usual(method, call)
  );
  const answering = assertRejects(() => all.again(), ProxyError);
  await settle();
  all.clock.advance(RENEWAL_MS);
  assertEquals((await answering).status, 504);
  assertEquals(all.told, ["initialize@undefined", "DELETE@new"]);
});

Deno.test("R66 Recovery.again() goes on without what takes too long to be set again", async () => {
  const never = openAnswer({});
  using all = await lostSession(
    (method, call) => method === "resources/subscribe" ? never.answer : usual(method, call),
    { subscriptions: ["a", "b"], logLevel: "info" },
  );
  const answering = all.again();
  await settle();
  assertEquals(all.told.at(-1), "resources/subscribe@new");
  all.clock.advance(RENEWAL_MS);
  assertEquals((await answering).status, 200);
  assertEquals(all.told.slice(-2), ["resources/subscribe@new", "ping@new"]);
  assert(never.isGivenUp);
});

Deno.test("R64 Recovery.again() gives the client what a server says in 404 of its request, which may have run", async () => {
  using all = await lostSession(usual);
  const text = '{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"Unknown tool"}}';
  const said = wholeAnswer({ status: 404 }, text);
  const answer = await all.again(0, said, '"a"');
  assertEquals(new TextDecoder().decode(answer.body.wholeNow(1_000)!), text);
  assertEquals([answer.status, all.told, all.session.ended], [404, [], false]);
  assertEquals((await all.again(0, wholeAnswer({ status: 404 }, text), '"b"')).status, 200);
});

Deno.test("R66 Recovery.ended() ends the session that was made anew in the meantime", async () => {
  using all = await lostSession(usual, { generation: 1, upstreamId: "newer" });
  assertEquals((await all.ended(0)).status, 200);
  assertEquals(all.told, ["DELETE@newer"]);
  using other = await lostSession(usual);
  assertEquals((await other.ended()).status, 200);
  assertEquals(other.told, []);
});
