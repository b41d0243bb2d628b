import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "./problems.ts";
import { parseText } from "./syntax.ts";

function problemOf(text: string): string {
  const error = assertThrows(() => parseText("a.json", text), ConfigError);
  assertEquals(error.problems.length, 1);
  const [{ path, found, wanted }] = error.problems as [(typeof error.problems)[0]];
  assertEquals([path, wanted], ["a.json", "JSON, or JSON with comments"]);
  return found;
}

Deno.test("parseText() reads JSON, and JSON with comments and a comma behind the last", () => {
  assertEquals(parseText("a.json", '{"a": [1]}'), { a: [1] });
  assertEquals(parseText("a.json", '// one\n{"a": [1,], /* two */}\n'), { a: [1] });
});

Deno.test("parseText() says at which line and column something else stands", () => {
  const at = (line: number, column: number) =>
    `something unexpected at line ${line}, column ${column}`;
  assertEquals(problemOf('{"a": 1 "b": 2}'), at(1, 9));
  assertEquals(problemOf('{\n  "a": 1\n  "b": 2\n}\n'), at(3, 3));
  assertEquals(problemOf('{\r\n  "a": 1\r\n  "b": 2\r\n}'), at(3, 3));
  assertEquals(problemOf('{\r  "a": 1\r  "b": 2}'), at(3, 3));
  assertEquals(problemOf('{"a": 1}\nx'), at(2, 1));
  assertEquals(problemOf('{\n"a": 01}'), at(2, 6));
});

Deno.test("parseText() says where a file ends too soon", () => {
  const end = (line: number, column: number) =>
    `its end at line ${line}, column ${column}, where more has to come`;
  assertEquals(problemOf('{\n  "a": [\n'), end(3, 1));
  assertEquals(problemOf('{"a": 1} /* x'), end(1, 14));
  assertEquals(problemOf("// a comment alone\n"), end(2, 1));
  assertEquals(problemOf("[".repeat(100_000)), "lists or objects too deep inside each other");
  assertEquals([problemOf(""), problemOf(" \n")], ["nothing in it", "nothing in it"]);
});

Deno.test("R96 parseText() says nothing of what stands there", () => {
  for (const text of ['{"key": canary}', '{"key": "canary\n"}', "canary", '{"a": 1} "canary"']) {
    assert(!problemOf(text).includes("canary"), text);
  }
});
