import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { parseBody } from "./message.ts";

const LIMITS = { maxDepth: 16, maxBatchMessages: 3 };

function parse(text: string) {
  return parseBody(new TextEncoder().encode(text), LIMITS);
}

function kindOf(text: string): string {
  return assertThrows(() => parse(text), ProxyError).kind;
}

Deno.test("parseBody() tells requests, notifications and responses apart", () => {
  const kinds = [
    '{"jsonrpc":"2.0","id":1,"method":"a"}',
    '{"jsonrpc":"2.0","method":"a"}',
    '{"jsonrpc":"2.0","id":1,"result":null}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
  ].map((text) => parse(text).messages[0]!.kind);
  assertEquals(kinds, ["request", "notification", "response", "response"]);
});

Deno.test("parseBody() gives method, params and the id as it was written", () => {
  const text = ' {"id": 1.0e0 ,"params":{"x":[1]},"method":"m\\u002fn","jsonrpc":"2.0"} ';
  const body = parse(text);
  assertEquals(body, {
    text,
    batch: false,
    messages: [{ kind: "request", method: "m/n", idText: "1.0e0", params: { x: [1] } }],
  });
});

Deno.test("parseBody() reads each message of a batch with its own id", () => {
  const body = parse(
    '[{"jsonrpc":"2.0","id":"a","method":"x"} , {"jsonrpc":"2.0","id":2.0,"method":"y"}]',
  );
  assertEquals(body.batch, true);
  assertEquals(body.messages.map(({ idText }) => idText), ['"a"', "2.0"]);
});

Deno.test("an error carries the id of the message that is wrong", () => {
  const error = assertThrows(() => parse('{"jsonrpc":"2.0","id":"q","method":1}'), ProxyError);
  assertEquals([error.kind, error.idText], ["invalid_request", '"q"']);
});

Deno.test("R22 duplicates are refused in the envelope, in params and in _meta, not deeper", () => {
  assertEquals(kindOf('{"jsonrpc":"2.0","jsonrpc":"2.0","method":"a"}'), "invalid_request");
  assertEquals(kindOf('{"jsonrpc":"2.0","method":"a","params":{"n":1,"n":1}}'), "invalid_request");
  assertEquals(
    kindOf('{"jsonrpc":"2.0","method":"a","params":{"_meta":{"k":1,"\\u006b":2}}}'),
    "invalid_request",
  );
  parse('{"jsonrpc":"2.0","method":"a","params":{"arguments":{"n":1,"n":1}}}');
  parse('{"jsonrpc":"2.0","method":"a","params":{"_meta":[1,1]}}');
});

Deno.test("R22 duplicates are found among few keys and among many", () => {
  for (const count of [2, 8, 9, 200]) {
    const keys = Array.from({ length: count }, (_, at) => `"k${at}":${at}`);
    const params = (list: string[]) =>
      `{"jsonrpc":"2.0","method":"a","params":{${list.join(",")}}}`;
    parse(params(keys));
    assertEquals(kindOf(params([...keys, `"k${count - 1}":0`])), "invalid_request");
    assertEquals(kindOf(params([...keys, '"k0":0'])), "invalid_request");
  }
});

Deno.test("R23 __proto__ is a key like any other", () => {
  const { params } = parse('{"jsonrpc":"2.0","method":"a","params":{"__proto__":{"x":1}}}')
    .messages[0]!;
  assertEquals(Object.hasOwn(params!, "__proto__"), true);
  assertEquals((params as { x?: unknown }).x, undefined);
  assertEquals(({} as { x?: unknown }).x, undefined);
});

/** R27: what no JSON parser may accept, by the kind of mistake. */
const MUST_FAIL = [
  "",
  " ",
  "[",
  "]",
  "{",
  "}",
  "[}",
  "{]",
  "[1",
  "[1,",
  "[1,]",
  "[,1]",
  "[1,,2]",
  "[1 2]",
  "[1]]",
  '["a"',
  '["a',
  '["\\x"]',
  '["\\u00g0"]',
  '["\\u12"]',
  '["\\"]',
  '["\t"]',
  '["\u0000"]',
  "['a']",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{,"a":1}',
  "{a:1}",
  "{1:1}",
  '{"a":1 "b":2}',
  '{"a"::1}',
  '{"a":1}}',
  "[01]",
  "[-01]",
  "[1.]",
  "[.1]",
  "[+1]",
  "[--1]",
  "[1e]",
  "[1e+]",
  "[0x1]",
  "[1_0]",
  "[Infinity]",
  "[-Infinity]",
  "[NaN]",
  "[nan]",
  "[True]",
  "[tru]",
  "[nul]",
  "[truee]",
  "[undefined]",
  "nulll",
  "// x\n1",
  "/**/1",
  "1//",
  "#1",
  "1 2",
  "\u00a01",
  "\u2028[]",
  "[\u3000]",
  "\u0000",
  "a",
  "“a”",
  ";",
];

Deno.test("R27 what is no JSON is a parse error", () => {
  for (const text of MUST_FAIL) assertEquals(kindOf(text), "parse_error", JSON.stringify(text));
});

Deno.test("R27 what is no JSON makes none of a message that it stands in", () => {
  for (const text of MUST_FAIL) {
    const message = `{"jsonrpc":"2.0","method":"a","x":${text}}`;
    assertEquals(kindOf(message), "parse_error", JSON.stringify(message));
  }
});

Deno.test("R28 bytes that are no UTF-8 are a parse error", () => {
  const inString = (...bytes: number[]) => Uint8Array.of(0x22, ...bytes, 0x22);
  const wrong = [
    inString(0x80),
    inString(0xc3),
    inString(0xc0, 0x80),
    inString(0xed, 0xa0, 0x80),
    inString(0xf4, 0x90, 0x80, 0x80),
    inString(0xff),
    Uint8Array.of(0xff, 0xfe, 0x31, 0x00),
  ];
  for (const bytes of wrong) {
    assertEquals(assertThrows(() => parseBody(bytes, LIMITS), ProxyError).kind, "parse_error");
  }
});

Deno.test("U+FFFD may be sent as any other character", () => {
  const text = '{"jsonrpc":"2.0","method":"a","params":{"x":"\ufffd"}}';
  assertEquals(parse(text).messages[0]!.params, { x: "\ufffd" });
});

Deno.test("batches are bounded and not empty", () => {
  const one = '{"jsonrpc":"2.0","method":"a"}';
  assertEquals(parse(`[${one},${one},${one}]`).messages.length, 3);
  assertEquals(kindOf(`[${one},${one},${one},${one}]`), "invalid_request");
  assertEquals(kindOf("[]"), "invalid_request");
  assertEquals(kindOf(`[${one},[${one}]]`), "invalid_request");
});

/** A request of more than `MAX_KEPT_PARSED` characters. */
function long(id: number): string {
  const items = Array.from({ length: 2_000 }, () => "{}").join(",");
  const method = "tools/call-with-a-long-name";
  return `{"jsonrpc":"2.0","id":"request-number-${id}","method":"${method}","params":{"n":${id},` +
    `"items":[${items}]}}`;
}

Deno.test("a long message keeps nothing parsed, and has its params parsed again where they are asked for", () => {
  const original = WeakRef;
  // As if everything that nobody holds were gone at once.
  globalThis.WeakRef = class {
    deref(): undefined {}
  } as unknown as typeof WeakRef;
  try {
    for (const text of [long(7), `[${long(5)},${long(6)},${long(7)}]`]) {
      const message = parse(text).messages.at(-1)!;
      assertEquals(message.params?.["n"], 7);
      assert(message.params !== message.params);
      assertEquals([message.kind, message.idText], ["request", '"request-number-7"']);
    }
  } finally {
    globalThis.WeakRef = original;
  }
  const { params } = parse(long(1)).messages[0]!;
  assertEquals((params?.["items"] as unknown[]).length, 2_000);
});

Deno.test("R96 what is wrong with a body is told without a word of it", () => {
  const thrown = assertThrows(() => parse('{"jsonrpc":"2.0","k": CANARY }'), ProxyError);
  assert(!Deno.inspect(thrown).includes("CANARY"));
});
