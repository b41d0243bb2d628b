/**
 * How the config of the proxy changes in a chaos test.
 *
 * @module
 */

import { assert, assertNotEquals } from "@std/assert";
import { changed, type Choice, configWith, FIRST_CHOICE, numbered } from "./config.ts";
import { Random } from "./random.ts";

const TARGETS = ["a", "b", "c"].map((name, at) => ({ name, port: 1 + at }));
const FIXED = { targets: TARGETS, admin: 4, headersTimeoutMs: 5 };

Deno.test("changed() gives another choice, whatever is drawn", () => {
  const random = new Random(5);
  let choice: Choice = FIRST_CHOICE;
  // The same weights come up once in 125 times.
  for (let at = 0; at < 5_000; at++) {
    const next = changed(choice, random, () => at % 2 === 0);
    assertNotEquals(next, choice);
    assert(next.weights.every((weight) => weight >= 1 && weight <= 5));
    choice = next;
  }
});

Deno.test("numbered() makes texts of one config that are told apart", () => {
  const text = configWith(FIXED, FIRST_CHOICE);
  assertNotEquals(numbered(text, 1), numbered(text, 2));
});
