import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../errors.ts";
import { ExactNumber, MAX_MESSAGE_DEPTH, parseMessages, stringifyMessage } from "./codec.ts";

function again(text: string): string {
  const { batch, messages } = parseMessages(text);
  const texts = messages.map(stringifyMessage);
  return batch ? `[${texts.join(",")}]` : texts[0]!;
}

function kindOf(text: string): string {
  return assertThrows(() => parseMessages(text), ProxyError).kind;
}

Deno.test("R24 numbers are written back exactly as they came, wherever they stand", () => {
  const numbers = [
    "0",
    "-0",
    "-1",
    "1.0",
    "0.1",
    "-0.0",
    "1e3",
    "1E+3",
    "1e400",
    "9007199254740993",
    "-9007199254740993",
    "123456789012345",
    "1234567890123456",
    "0.30000000000000004",
    "0.3000000000000000400",
    "1e-7",
    "12345678901234567890123",
  ];
  for (const number of numbers) {
    const text =
      `{"jsonrpc":"2.0","id":${number},"result":{"a":[${number},[${number}]],"b":"1.0"}}`;
    assertEquals(again(text), text);
    assertEquals(again(`[${text},${text}]`), `[${text},${text}]`);
  }
});

Deno.test("R24 ids keep their kind and spelling", () => {
  for (const id of ["1", '"1"', "9007199254740993", "1.0", '""', '"\u00e9"', "null"]) {
    const text = `{"jsonrpc":"2.0","id":${id},"method":"ping"}`;
    assertEquals(again(text), text);
  }
});

const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,20})$/);
const numberText = fc.tuple(
  fc.constantFrom("", "-"),
  digits,
  fc.constantFrom("", ".0", ".5", ".10", ".30000000000000004"),
  fc.constantFrom("", "e0", "E5", "e-7", "e+21", "e400"),
).map((parts) => parts.join(""));
const jsonText = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    numberText,
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom("true", "null", '"1.0"', '"a: -0, 1e5"'),
    tie("list"),
    tie("object"),
  ),
  list: fc.array(tie("value")).map((items) => `[${items.join(",")}]`),
  object: fc.uniqueArray(
    fc.tuple(
      fc.constantFrom("a", "b", "__proto__", "constructor", "toJSON", "rawJSON", "source"),
      tie("value"),
    ),
    { selector: ([key]) => key },
  ).map((members) => `{${members.map(([key, value]) => `"${key}":${value}`).join(",")}}`),
})).value;

Deno.test("R24 property: parsing and writing any message gives its text back", () => {
  fc.assert(
    fc.property(jsonText, numberText, (value, id) => {
      const text = `{"jsonrpc":"2.0","id":${id},"method":"m","params":{"x":${value}}}`;
      assertEquals(again(text), text);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a number that was kept exactly calculates and compares as one", () => {
  const { result } = parseMessages('{"result":{"n":1.0,"big":9007199254740993}}').messages[0]!;
  const { n, big } = result as { n: ExactNumber; big: ExactNumber };
  assert(n instanceof ExactNumber);
  assertEquals([Number(n) + 1, String(big), Number(n) > 0.5], [2, "9007199254740993", true]);
});

Deno.test("R23 __proto__ is a key like any other, and pollutes nothing", () => {
  const text = '{"__proto__":{"x":1.0},"params":{"__proto__":{"x":1}}}';
  const message = parseMessages(text).messages[0]!;
  assertEquals([Object.keys(message), message.x], [["__proto__", "params"], undefined]);
  assertEquals(({} as { x?: unknown }).x, undefined);
  assertEquals(again(text), text);
});

Deno.test("messages are frozen all the way down", () => {
  const message = parseMessages('{"params":{"a":[{"b":1.0}]}}').messages[0]!;
  const { a } = message.params as { a: { b: { source: string } }[] };
  for (const part of [message, message.params, a, a[0], a[0]!.b]) assert(Object.isFrozen(part));
});

Deno.test("R26 R47 what is no message is an error that says so", () => {
  for (const text of ["", "{", "nope", "[1,]"]) assertEquals(kindOf(text), "parse_error");
  for (const text of ["1", "1.0", '"x"', "null", "[]", "[1]", "[1.0]", "[[]]"]) {
    assertEquals(kindOf(text), "invalid_request", text);
  }
  const nested = (depth: number) => `{"a":${"[".repeat(depth)}1.0${"]".repeat(depth)}}`;
  assertEquals(kindOf(nested(200_000)), "parse_error");
  assertEquals(kindOf(nested(MAX_MESSAGE_DEPTH)), "parse_error");
  assertEquals(again(nested(MAX_MESSAGE_DEPTH - 1)), nested(MAX_MESSAGE_DEPTH - 1));
});
