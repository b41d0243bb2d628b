import { assertEquals } from "@std/assert";
import {
  at,
  joined,
  keyOf,
  kindOf,
  likeType,
  readBody,
  spanOf,
  textAt,
  withTexts,
} from "./text.ts";

function one(text: string) {
  return readBody(text)!.messages[0]!;
}

Deno.test("R24 withTexts() exchanges ids and leaves every other character as it was", () => {
  const text =
    ' { "params" : {"_meta":{ "progressToken" : 1.0 }, "n":1.50e1, "id":9} ,\n"id": "a\\u0062" } ';
  const message = one(text);
  assertEquals(
    withTexts(message, [["id"], '"x"'], [["params", "_meta", "progressToken"], "17"], [
      ["no"],
      "0",
    ]),
    ' { "params" : {"_meta":{ "progressToken" : 17 }, "n":1.50e1, "id":9} ,\n"id": "x" } ',
  );
});

Deno.test("textAt() gives the exact text, and of a repeated key the one that counts for JSON.parse", () => {
  assertEquals(textAt(one('{"id":1.0}'), ["id"]), "1.0");
  const twice = one('{"id":1,"id":2}');
  assertEquals([textAt(twice, ["id"]), at(twice.value, "id")], ["2", 2]);
  assertEquals(spanOf(one('{"params":[1]}'), ["params", "0"]), undefined);
  assertEquals(textAt(one('{"a":1}'), ["params", "uri"]), undefined);
});

Deno.test("readBody() reads one message or a batch, and nothing else", () => {
  assertEquals(readBody("{"), undefined);
  assertEquals(readBody("1"), undefined);
  assertEquals(readBody("[]"), undefined);
  assertEquals(readBody('[{"a":1},2]'), undefined);
  const batch = readBody(' [ {"a" : 1} ,{"b":2}]')!;
  assertEquals(batch.batch, true);
  assertEquals(batch.messages.map(({ text }) => text), ['{"a" : 1}', '{"b":2}']);
  assertEquals(joined(["{}", "{}"], true), "[{},{}]");
  assertEquals(joined(["{}"], false), "{}");
});

Deno.test("kindOf() tells the kinds apart", () => {
  const kinds = [
    '{"id":1,"method":"a"}',
    '{"method":"a"}',
    '{"id":1,"result":1}',
    '{"error":{}}',
    "{}",
  ]
    .map((text) => kindOf(one(text)));
  assertEquals(kinds, ["request", "notification", "response", "response", undefined]);
});

Deno.test("keyOf() is the same for two spellings, and tells numbers from strings", () => {
  assertEquals(keyOf("17"), keyOf("17.0"));
  assertEquals(keyOf('"a"'), keyOf('"\\u0061"'));
  assertEquals(keyOf("1") === keyOf('"1"'), false);
  // Beyond what a number holds exactly the text decides.
  assertEquals(keyOf("9007199254740993") === keyOf("9007199254740992"), false);
  assertEquals(["null", "{}", "true", undefined].map((text) => keyOf(text)), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("likeType() keeps numbers numbers and strings strings", () => {
  assertEquals([likeType("1.0", 5), likeType('"a"', 5)], ["5", '"switchyard-5"']);
});

Deno.test("R23 at() looks at own members alone", () => {
  assertEquals(at({}, "__proto__", "x"), undefined);
  assertEquals(at({ a: { b: [1] } }, "a", "b"), [1]);
  assertEquals(at(null, "a"), undefined);
});

Deno.test("a long message keeps nothing parsed, and is parsed again where that is asked for", () => {
  const items = Array.from({ length: 2_000 }, () => "{}").join(",");
  const text = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"items":[${items}],"n":7}}`;
  const original = WeakRef;
  // As if everything that nobody holds were gone at once.
  globalThis.WeakRef = class {
    deref(): undefined {}
  } as unknown as typeof WeakRef;
  try {
    const message = readBody(text)!.messages[0]!;
    assertEquals([at(message.value, "params", "n"), kindOf(message)], [7, "request"]);
    assertEquals([message.value === message.value, message.text], [false, text]);
    assertEquals(textAt(message, ["params", "n"]), "7");
  } finally {
    globalThis.WeakRef = original;
  }
});
