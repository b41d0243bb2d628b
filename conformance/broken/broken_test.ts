/**
 * Each group of checks can fail: proxies that break its rules are caught by it, and by no other.
 *
 * `SWITCHYARD_BROKEN=all` makes every check of every broken proxy; otherwise those that it is to fail
 * are made, and of its own group and the others a sample that differs from proxy to proxy.
 */

import { assert, assertEquals } from "@std/assert";
import { SCENARIOS } from "../checks/mod.ts";
import { GROUPS, scenarioCase } from "../suite/mod.ts";
import { BROKEN_PROXIES } from "./proxies/mod.ts";
import { failuresBetween, failuresWithoutRelays, tryAll } from "./trial.ts";

/** `latency` has its broken proxy where it is measured. */
const PROVEN = Object.keys(GROUPS).filter((group) => group !== "latency");

const CASES = SCENARIOS.map(scenarioCase);
const GROUP_OF = new Map(SCENARIOS.map(({ id, group }) => [id, group]));

/** Those that need a sound proxy which keeps events. */
const RESUMING = CASES.filter(({ assumes }) => assumes.includes("resumes-streams"));

const isWhole = Deno.env.get("SWITCHYARD_BROKEN") === "all";

/** Relays that read everything and change nothing. */
const WATCHES = { request: () => undefined, answer: () => undefined };

Deno.test("there are broken proxies for every group, with names and checks of their own", () => {
  const names = BROKEN_PROXIES.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  const groups: readonly string[] = BROKEN_PROXIES.map(({ group }) => group);
  for (const group of PROVEN) assert(groups.includes(group), `none for ${group}`);
  for (const { name, group, breaks } of BROKEN_PROXIES) {
    assert(breaks.length > 0, `${name} breaks nothing`);
    for (const id of breaks) assertEquals(GROUP_OF.get(id), group, `${name} breaks ${id}`);
  }
});

Deno.test("every check is named by a broken proxy that fails it", () => {
  const named = new Set(BROKEN_PROXIES.flatMap(({ breaks }) => breaks));
  assertEquals(SCENARIOS.map(({ id }) => id).filter((id) => !named.has(id)), []);
});

Deno.test({
  name: "every broken proxy fails what it breaks and only that kind; no group can be left out",
  // Sockets of answers that nobody waits for any more.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const watches = { front: WATCHES, back: WATCHES };
    const [alone, between, watched] = await Promise.all([
      failuresWithoutRelays(CASES),
      failuresBetween(CASES, {}),
      failuresBetween(CASES, watches),
    ]);
    const resuming = await failuresBetween(RESUMING, watches, { withEventLog: true });
    await t.step(
      "between relays that do no damage the proxy fails nothing but what it fails",
      () => {
        for (const [id, message] of [...between, ...watched, ...resuming]) {
          assert(alone.has(id), `${id}: ${message}`);
        }
      },
    );
    const trials = await tryAll({
      proxies: BROKEN_PROXIES,
      cases: CASES,
      groupOf: GROUP_OF,
      ownStride: isWhole ? 1 : 8,
      stride: isWhole ? 1 : 48,
      lanes: 3,
      knownFailures: new Set(alone.keys()),
    });
    for (const { proxy, failed } of trials) {
      await t.step(`${proxy.name}: ${proxy.describe}`, () => {
        for (const id of proxy.breaks) {
          // What the sound proxy fails too can fail, and is told of above.
          assert(failed.has(id) || alone.has(id), `${id} holds all the same`);
        }
        for (const [id, message] of failed) {
          assertEquals(GROUP_OF.get(id), proxy.group, `fails ${id}: ${message}`);
        }
      });
    }
    for (const group of PROVEN) {
      await t.step(`without the checks of ${group} a broken proxy would pass`, () => {
        const passes = trials.filter(({ failed }) =>
          failed.size > 0 && [...failed.keys()].every((id) => GROUP_OF.get(id) === group)
        );
        assert(passes.length > 0);
      });
    }
  },
});
