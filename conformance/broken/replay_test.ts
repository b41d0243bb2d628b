/**
 * The checks that replays make can fail, too: each by a broken proxy, and by no proxy of another kind.
 */

import { assert, assertEquals } from "@std/assert";
import { readFixture } from "../../fixtures/format/mod.ts";
import { fixtureCase, REPLAY_CHECKS } from "../replay/mod.ts";
import type { Group } from "../suite/mod.ts";
import { BROKEN_PROXIES } from "./proxies/mod.ts";
import { failuresWithoutRelays, tryAll } from "./trial.ts";

/** The check that each broken proxy fails. */
const FAILS: Readonly<Record<string, string>> = {
  "sends-calls-twice": "once.fixture",
  "rewrites-the-json-of-requests": "request.fixture-bytes",
  "strips-the-version": "request.fixture-fields",
  "makes-500-of-404": "answer.fixture-status",
  "calls-json-text": "answer.fixture-fields",
  "indents-the-json-of-answers": "answer.fixture-bytes",
  "drops-priming-events": "events.fixture-complete",
  "turns-pieces-around": "events.fixture-order",
  "strips-event-ids": "events.fixture-ids",
  "never-ends-streams-cleanly": "events.fixture-clean-end",
  "holds-back-the-head": "streaming.fixture-head",
  "buffers-whole-streams": "streaming.fixture-first-event",
  "passes-session-ids-untranslated": "sessions.fixture-translated",
  "leaks-session-ids-in-a-header": "privacy.fixture-ids",
  "stays-when-the-client-leaves": "cancellation.fixture-abort",
  "hides-truncation": "faults.fixture-truncation",
};

/** Fixtures that have something to say about each of them. */
const FIXTURES = [
  "2025-11-25/call-progress",
  "2025-11-25/json-tool-error",
  "2025-11-25/formatted-body",
  "2025-11-25/server-breaks-off",
  "2025-11-25/sse-without-ids",
  "2026-07-28/call-progress",
  "2026-07-28/leave-subscription",
  "2026-07-28/unknown-method",
];

Deno.test("every check of the replays is failed by a broken proxy, and by no other", {
  sanitizeOps: false,
  sanitizeResources: false,
}, async (t) => {
  const wanted = REPLAY_CHECKS.map(({ id }) => id);
  assertEquals(wanted.filter((id) => !Object.values(FAILS).includes(id)), []);
  const cases = await Promise.all(FIXTURES.map(async (path) => {
    const folder = new URL(`../../fixtures/${path}`, import.meta.url);
    return fixtureCase(await readFixture(folder));
  }));
  const groupOf = new Map<string, Group>(REPLAY_CHECKS.map(({ id, group }) => [id, group]));
  const alone = await failuresWithoutRelays(cases);
  assertEquals([...alone], []);
  const trials = await tryAll({
    proxies: BROKEN_PROXIES.filter(({ name }) => name in FAILS),
    ...{ cases, groupOf, ownStride: 1, stride: 1, lanes: 2, knownFailures: new Set() },
  });
  assertEquals(trials.length, Object.keys(FAILS).length);
  for (const { proxy, failed } of trials) {
    await t.step(proxy.name, () => {
      const check = FAILS[proxy.name]!;
      assert(failed.has(check), `${check} holds all the same`);
      for (const [id, message] of failed) {
        assertEquals(groupOf.get(id), proxy.group, `fails ${id}: ${message}`);
      }
    });
  }
});
