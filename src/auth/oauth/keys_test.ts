/**
 * The keys of an authorization server: how long they are good, and how often it is asked.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { DocumentError } from "../../issuer/mod.ts";
import { createLogger } from "../../telemetry/mod.ts";
import { TestKeys } from "../../testing/issuer.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import {
  ATTEMPT_TIMEOUT_MS,
  COOLDOWN_MS,
  FRESH_MS,
  IssuerKeys,
  MAX_KEYS,
  PATIENCE_MS,
  RETRY_MS,
  STALE_MS,
} from "./keys.ts";

const ISSUER = "https://auth.example.com";

/** Keys whose documents a test gives, and what was asked and logged. */
async function underTest() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), flush: () => Promise.resolve() };
  const server = new TestKeys(ISSUER, clock);
  await server.add("first");
  const state = {
    asked: 0,
    give: (): Promise<unknown> => Promise.resolve(server.document()),
  };
  const keys = new IssuerKeys({
    issuer: ISSUER,
    jwksUri: `${ISSUER}/keys`,
    clock,
    logger: createLogger({ level: "debug", format: "json", clock, sink }),
    fetchDocument: () => {
      state.asked++;
      return state.give();
    },
  });
  const isDown = () => Promise.reject(new DocumentError("it answered 503", { status: 503 }));
  return { clock, lines, server, state, keys, isDown };
}

async function refusal(promise: Promise<unknown>): Promise<[string, string | undefined]> {
  const error = await assertRejects(() => promise, ProxyError);
  return [error.kind, error.headers["retry-after"]];
}

Deno.test("current() asks once for all who wait, and not again while the keys are fresh", async () => {
  const { keys, state, clock } = await underTest();
  const [one, other] = await Promise.all([keys.current(), keys.current()]);
  assertEquals([one === other, state.asked], [true, 1]);
  clock.advance(FRESH_MS - 1);
  assert(await keys.current() === one);
  assertEquals(state.asked, 1);
  clock.advance(1);
  assert(await keys.current() !== one);
  assertEquals([state.asked, clock.timers], [2, 0]);
});

Deno.test("current() goes on with keys of up to an hour where the server is down, and asks no more than every 5 s", async () => {
  const { keys, state, clock, lines, isDown } = await underTest();
  const known = await keys.current();
  state.give = isDown;
  clock.advance(FRESH_MS);
  for (let at = 0; at < 5; at++) assert(await keys.current() === known);
  assertEquals([state.asked, lines.length], [2, 1]);
  clock.advance(RETRY_MS);
  assert(await keys.current() === known);
  assertEquals([state.asked, lines.length], [3, 2]);
  clock.advance(STALE_MS - FRESH_MS - RETRY_MS);
  assertEquals(await refusal(keys.current()), ["authorization_unavailable", "5"]);
  clock.advance(2_000);
  assertEquals(await refusal(keys.current()), ["authorization_unavailable", "3"]);
  assertEquals([state.asked, lines.length], [4, 3]);
});

Deno.test("current() waits half a second for newer keys than those at hand, and no longer for a server that hangs", async () => {
  const { keys, state, clock, lines, server } = await underTest();
  const known = await keys.current();
  const held = Promise.withResolvers<unknown>();
  state.give = () => held.promise;
  clock.advance(FRESH_MS);
  const waiting = [keys.current(), keys.current()];
  clock.advance(PATIENCE_MS - 1);
  assertEquals(await Promise.race([...waiting, Promise.resolve("waits")]), "waits");
  clock.advance(1);
  for (const one of await Promise.all(waiting)) assert(one === known);
  // The rest of the attempt keeps nobody waiting, and what comes of it is for who comes then.
  assert(await keys.current() === known);
  assertEquals(state.asked, 2);
  held.resolve(server.document());
  const newer = await keys.newerThan(known, -Infinity);
  assert(newer !== known && await keys.current() === newer);
  assertEquals([state.asked, clock.timers, lines], [2, 0, []]);
});

Deno.test("current() without keys that are good for an hour waits for the whole attempt", async () => {
  const { keys, state, clock, isDown } = await underTest();
  await keys.current();
  clock.advance(STALE_MS);
  const held = Promise.withResolvers<unknown>();
  state.give = () => held.promise;
  const waiting = refusal(keys.current());
  clock.advance(PATIENCE_MS);
  held.resolve(isDown());
  assertEquals(await waiting, ["authorization_unavailable", "5"]);
  assertEquals(clock.timers, 0);
});

Deno.test("a server that is there again is noticed, and told", async () => {
  const { keys, state, clock, lines, server, isDown } = await underTest();
  state.give = isDown;
  const both = await Promise.all([refusal(keys.current()), refusal(keys.current())]);
  assertEquals(both, new Array(2).fill(["authorization_unavailable", "5"]));
  assertEquals(lines.map((line) => JSON.parse(line).level), ["warn"]);
  assertEquals(JSON.parse(lines[0]!).reason, "it answered 503");
  state.give = () => Promise.resolve(server.document());
  clock.advance(RETRY_MS);
  await keys.current();
  assertEquals(lines.map((line) => JSON.parse(line).level), ["warn", "info"]);
});

Deno.test("newerThan() has a key looked for at most once in 30 seconds", async () => {
  const { keys, state, clock } = await underTest();
  const known = await keys.current();
  const before = clock.now().getTime() - 1;
  assertEquals(await keys.newerThan(known, before), undefined);
  clock.advance(COOLDOWN_MS);
  const [newer, same] = await Promise.all([
    keys.newerThan(known, before),
    keys.newerThan(known, before),
  ]);
  assert(newer !== undefined && newer !== known && newer === same);
  // Who still has the old ones gets those that are there.
  assert(await keys.newerThan(known, before) === newer);
  assertEquals([await keys.newerThan(newer, before), state.asked], [undefined, 2]);
});

Deno.test("newerThan() does not call the key of a token unknown that was issued after the keys were fetched", async () => {
  const { keys, state, clock } = await underTest();
  const known = await keys.current();
  const fetched = clock.now().getTime();
  clock.advance(1_000);
  for (const issued of [fetched, fetched + 1_000, Infinity]) {
    assertEquals(await refusal(keys.newerThan(known, issued)), ["authorization_unavailable", "29"]);
  }
  assertEquals(await keys.newerThan(known, fetched - 1), undefined);
  assertEquals(state.asked, 1);
  // Behind the wait that was told it is looked for.
  clock.advance(29_000);
  assert(await keys.newerThan(known, fetched) !== known);
  assertEquals(state.asked, 2);
});

Deno.test("newerThan() does not call a key unknown that could not be looked for", async () => {
  const { keys, state, clock, isDown } = await underTest();
  const known = await keys.current();
  state.give = isDown;
  clock.advance(COOLDOWN_MS);
  assertEquals(await refusal(keys.newerThan(known, -Infinity)), ["authorization_unavailable", "5"]);
  assertEquals(await refusal(keys.newerThan(known, -Infinity)), ["authorization_unavailable", "5"]);
  assertEquals(state.asked, 2);
});

Deno.test("what is no set of keys, or has more than 100, counts as none", async () => {
  const { keys, state, clock, lines, server } = await underTest();
  const { keys: [key] } = server.document();
  const many = { keys: new Array(MAX_KEYS + 1).fill(key) };
  for (const document of [null, [], {}, { keys: {} }, { keys: [3] }, "x", many]) {
    state.give = () => Promise.resolve(document);
    assertEquals((await refusal(keys.current()))[0], "authorization_unavailable");
    clock.advance(RETRY_MS);
  }
  assertEquals(lines.length, 7);
  state.give = () => Promise.resolve({ keys: many.keys.slice(1) });
  await keys.current();
});

Deno.test("an attempt has 10 seconds for all of its documents, and ends when the proxy does", async () => {
  for (const how of ["deadline", "close"]) {
    const clock = new ManualClock();
    const asked: string[] = [];
    const keys = new IssuerKeys({
      issuer: ISSUER,
      clock,
      logger: createLogger({
        level: "silent",
        format: "json",
        clock,
        sink: { write() {}, flush: () => Promise.resolve() },
      }),
      fetchDocument: (url, signal) => {
        asked.push(url.pathname);
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(new DocumentError("it was given up")))
        );
      },
    });
    const waiting = refusal(keys.current());
    if (how === "close") keys.close();
    else clock.advance(ATTEMPT_TIMEOUT_MS);
    assertEquals((await waiting)[0], "authorization_unavailable");
    assertEquals([asked, clock.timers], [["/.well-known/oauth-authorization-server"], 0]);
  }
});

Deno.test("close() is no failure of the server: nothing is told, and who waits may ask again at once", async () => {
  const { keys, state, lines } = await underTest();
  const held = Promise.withResolvers<unknown>();
  state.give = () => held.promise;
  const waiting = refusal(keys.current());
  keys.close();
  held.reject(new DocumentError("it was given up"));
  assertEquals(await waiting, ["authorization_unavailable", "1"]);
  assertEquals(lines, []);
});
