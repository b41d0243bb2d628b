import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFixtures, REVISIONS } from "../../fixtures/format/mod.ts";
import { pathOf } from "./case.ts";
import { CASES } from "./cases.ts";

const FIXTURES = new URL("../../fixtures", import.meta.url);

/** What a fixture may have, so that it can be read in a diff, in bytes. */
const MAX_BYTES = 64 * 1024;

Deno.test("the cases have names of their own, as folders and in the format", () => {
  assertEquals(new Set(CASES.map(pathOf)).size, CASES.length);
  for (const { name, title } of CASES) {
    assertMatch(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    assert(title.length <= 120, `${name}: ${title}`);
  }
});

Deno.test("there are cases of every revision", () => {
  for (const revision of REVISIONS) {
    assert(CASES.some((item) => item.revision === revision), revision);
  }
});

Deno.test("the recorded fixtures are small, whole, and name nothing of the machine they were made on", async () => {
  const known = new Set(CASES.map(pathOf));
  const fixtures = (await readFixtures(FIXTURES)).filter(({ meta }) => known.has(pathOf(meta)));
  assertEquals(fixtures.map(({ meta }) => pathOf(meta)), [...known].toSorted());
  for (const { meta, entries } of fixtures) {
    const path = pathOf(meta);
    const text = entries.map((entry) => JSON.stringify(entry)).join("\n");
    assert(new TextEncoder().encode(text).length < MAX_BYTES, `${path} is too large`);
    assert(!meta.truncated, `${path} is not whole`);
    assert(meta.server.name !== "unknown" && meta.client.name !== "unknown", `${path}: who?`);
    // Names and folders of machines, and where packages come from.
    const named = /127\.0\.0\.1|localhost|\/(?:root|home|tmp|work|Users)\/|npm:/.exec(text);
    assertEquals(named?.[0], undefined, path);
  }
});
