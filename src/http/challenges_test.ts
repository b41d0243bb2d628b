/**
 * RFC 9110 sections 11.2 to 11.6.1: lists of challenges, quoted strings, token68; bounded.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Challenge,
  formatChallenges,
  MAX_CHALLENGE_CHARACTERS,
  MAX_CHALLENGE_PARAMS,
  MAX_CHALLENGES,
  parseChallenges,
} from "./challenges.ts";

const bearer = (...params: [string, string][]): Challenge => ({ scheme: "Bearer", params });

const READ: readonly [what: string, value: string, found: readonly Challenge[]][] = [
  ["a scheme alone", "Negotiate", [{ scheme: "Negotiate", params: [] }]],
  [
    "two schemes alone",
    "Negotiate , NTLM",
    [{ scheme: "Negotiate", params: [] }, { scheme: "NTLM", params: [] }],
  ],
  ["a token68", "Negotiate a+/.-_~9==", [{
    scheme: "Negotiate",
    token68: "a+/.-_~9==",
    params: [],
  }]],
  ["a token", "bearer error=invalid_token", [{
    scheme: "bearer",
    params: [["error", "invalid_token"]],
  }]],
  ["blanks around =", 'Bearer realm \t= "x"', [bearer(["realm", "x"])]],
  ["escapes", 'Bearer realm="a\\"b\\\\c, Basic d=e"', [bearer(["realm", 'a"b\\c, Basic d=e'])]],
  ["names in any case", 'Bearer Scope="a b"', [bearer(["scope", "a b"])]],
  ["empty members", ',, Bearer ,a=b,, ,c="d", ,', [bearer(["a", "b"], ["c", "d"])]],
  [
    "the list of section 11.6.1",
    'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
    [
      { scheme: "Basic", params: [["realm", "simple"]] },
      {
        scheme: "Newauth",
        params: [["realm", "apps"], ["type", "1"], ["title", 'Login to "apps"']],
      },
    ],
  ],
  [
    "a token68 among others",
    "Negotiate abc=, Bearer error=e, NTLM",
    [
      { scheme: "Negotiate", token68: "abc=", params: [] },
      bearer(["error", "e"]),
      { scheme: "NTLM", params: [] },
    ],
  ],
  ["nothing", "", []],
  ["no scheme", '="x"', []],
  ["a string that is left open", 'Basic realm="a", Bearer realm="b', [{
    scheme: "Basic",
    params: [["realm", "a"]],
  }]],
  ["parameters without a comma", 'Bearer a="b" c="d"', []],
  ["a parameter that is there twice", "Bearer a=b, A=c", []],
  ["a control character", 'Bearer a="\x01"', []],
];

for (const [what, value, found] of READ) {
  Deno.test(`parseChallenges() reads ${what}`, () => assertEquals(parseChallenges(value), found));
}

Deno.test("parseChallenges() is bounded in length, challenges and parameters", () => {
  const long = `Bearer a="${"x".repeat(MAX_CHALLENGE_CHARACTERS - 11)}"`;
  assertEquals(long.length, MAX_CHALLENGE_CHARACTERS);
  assertEquals(parseChallenges(long).length, 1);
  assertEquals(parseChallenges(`${long} `), []);
  const many = Array.from({ length: MAX_CHALLENGES + 1 }, (_, at) => `S${at}`).join(", ");
  assertEquals(parseChallenges(many).length, MAX_CHALLENGES);
  const params = Array.from({ length: MAX_CHALLENGE_PARAMS + 1 }, (_, at) => `p${at}=x`);
  assertEquals(parseChallenges(`Bearer ${params.slice(1).join(", ")}`).length, 1);
  assertEquals(parseChallenges(`Bearer ${params.join(", ")}`), []);
});

const TOKENS = "abcXYZ019!#$%&'*+.^_`|~-";
const token = fc.string({ unit: fc.constantFrom(...TOKENS), minLength: 1, maxLength: 8 });
const text = fc.string({
  unit: fc.constantFrom(...'ab \t",\\=\x80\xff:/'),
  maxLength: 12,
});
const params = fc.uniqueArray(fc.tuple(token.map((name) => name.toLowerCase()), text), {
  selector: ([name]) => name,
  maxLength: 5,
});
const token68 = fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,8}={0,2}$/);
const challenge: fc.Arbitrary<Challenge> = fc.oneof(
  fc.record({ scheme: token, params }),
  fc.record({ scheme: token, token68, params: fc.constant([]) }),
);

Deno.test("parseChallenges() reads what formatChallenges() writes, whatever it is", () => {
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 6 }), (challenges) => {
      assertEquals(parseChallenges(formatChallenges(challenges)), challenges);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("parseChallenges() throws at nothing, and what it gives is read again as it is", () => {
  const soup = fc.string({ unit: fc.constantFrom(...'aB1=," \t\\/.~\x00é'), maxLength: 60 });
  fc.assert(
    fc.property(soup, (value) => {
      const found = parseChallenges(value);
      assertEquals(parseChallenges(formatChallenges(found)), found);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("parseChallenges() takes time that grows with the length alone", () => {
  const started = performance.now();
  for (const part of ["a ", ", ", 'a="', "\\", "a=", "a= ", '""', "\t"]) {
    parseChallenges(`Bearer x="${part.repeat(4_000)}`.slice(0, MAX_CHALLENGE_CHARACTERS));
    parseChallenges(`Bearer ${part.repeat(4_000)}`.slice(0, MAX_CHALLENGE_CHARACTERS));
  }
  assert(performance.now() - started < 1_000);
});
