import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { matchesAny, matchesGlob } from "./glob.ts";

Deno.test("matchesGlob() takes * for any characters and all else as it stands", () => {
  const cases: [string, string, boolean][] = [
    ["a", "a", true],
    ["a", "ab", false],
    ["*", "", true],
    ["*", "x/y", true],
    ["a*", "a", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["*b*", "abc", true],
    ["a*b*c", "abbc", true],
    ["a*b*c", "acb", false],
    ["a*bc*c", "abc", false],
    ["a.c", "abc", false],
    ["a?[x]", "a?[x]", true],
    ["**", "ab", true],
    ["A*", "abc", false],
  ];
  for (const [pattern, text, expected] of cases) {
    assertEquals(matchesGlob(pattern, text), expected, `${pattern} ${text}`);
  }
  assertEquals([matchesAny([], "a"), matchesAny(["b", "a*"], "ab")], [false, true]);
});

Deno.test("property: matchesGlob() says what the same regular expression says", () => {
  const letters = fc.stringMatching(/^[ab*]{0,6}$/);
  fc.assert(
    fc.property(letters, fc.stringMatching(/^[ab]{0,8}$/), (pattern, text) => {
      const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text);
      assertEquals(matchesGlob(pattern, text), expected);
    }),
    { numRuns: 300 },
  );
});
