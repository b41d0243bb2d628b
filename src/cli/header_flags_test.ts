import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, formatProblem } from "../config/mod.ts";
import { headerOverrides } from "./header_flags.ts";

const ENV: Readonly<Record<string, string>> = { TOKEN: "s3cret", EMPTY: "", BAD: "a\nb-s3cret" };
const env = (name: string) => ENV[name];

Deno.test("headerOverrides() reads fields, with variables of the environment in them", () => {
  const flags = ["Authorization: Bearer ${TOKEN}", "X-A:${EMPTY}a:b", "X-B: $TOKEN {TOKEN}"];
  assertEquals(headerOverrides(flags, env), {
    headers: { Authorization: "Bearer s3cret", "X-A": "a:b", "X-B": "$TOKEN {TOKEN}" },
  });
  assertEquals(headerOverrides([], env), {});
});

Deno.test("R96 headerOverrides() tells all that is wrong, and no value", () => {
  const wrong = ["none-s3cret", ": s3cret", "a b: s3cret", "X-A: ${NO_SUCH} s3cret", "X-B: ${BAD}"];
  const error = assertThrows(() => headerOverrides(wrong, env), ConfigError);
  const told = error.problems.map(formatProblem);
  assertEquals(told.length, 5);
  assertEquals(
    told[2],
    '--header: found the name "a b", wanted a field name such as X-Api-Key: letters, digits and any of ' +
      "! # $ % & ' * + - . ^ _ ` | ~, without spaces (RFC 9110 section 5.1)",
  );
  assert(told[3]!.includes("NO_SUCH"));
  assert(!told.join().includes("s3cret"), told.join());
});
