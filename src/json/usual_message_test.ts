import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../errors.ts";
import { type Message, parseAny } from "./message.ts";
import {
  MAX_USUAL_BYTES,
  MAX_USUAL_DEPTH,
  metaOf,
  usualBody,
  UsualMessage,
} from "./usual_message.ts";

const LIMITS = { maxDepth: 16, maxBatchMessages: 3 };

const encoder = new TextEncoder();

function usualMessage(text: string, maxDepth: number): UsualMessage | undefined {
  return usualBody(encoder.encode(text), maxDepth)?.messages[0];
}

/** What is known of a message, whoever has read it. */
function known(message: Message) {
  const { kind, method, idText, params } = message;
  return { kind, method, idText, params, meta: metaOf(message) };
}

/** What `JSON.parse` makes of a text; undefined where that is an error. */
function oracle(text: string) {
  try {
    return known(parseAny(encoder.encode(text), LIMITS).messages[0]!);
  } catch (error) {
    assert(error instanceof ProxyError);
    return undefined;
  }
}

/** Whatever is read here is what the other reader would have read; the result tells whether it was. */
function agrees(text: string): boolean {
  const usual = usualMessage(text, LIMITS.maxDepth);
  if (usual === undefined) return false;
  assertEquals(known(usual), oracle(text), text);
  return true;
}

const CALL =
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":[1,-2.5e+3,"\\u00e9\\n"],"b":{}}}}';
const MODERN =
  '{ "params" : { "_meta" : { "io.modelcontextprotocol/protocolVersion" : "2026-07-28" } , "x" : [ ] } ,\r\n\t"method":"a/b","id":"\\"q\\"","jsonrpc":"2.0" }';

Deno.test("the messages of clients are usual", () => {
  const usual = [
    CALL,
    MODERN,
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"method":"ping","id":-0,"jsonrpc":"2.0","params":{},"more":[true,false,null]}',
    '{"jsonrpc":"2.0","id":"a longer id than most are","method":"a","params":{"_meta":[1]}}',
  ];
  for (const text of usual) assert(agrees(text), text);
});

Deno.test("the text of a body is there for who wants it, and each method is told as it is", () => {
  const methods = ["tools/call", "tools/list", "tools/cale", "ping", "x".repeat(300), "", "a/\x7f"];
  for (const method of methods) {
    const text = `{"jsonrpc":"2.0","id":1234567890123,"method":"${method}"}`;
    const body = usualBody(encoder.encode(text), 16)!;
    assertEquals(body.text, text);
    assertEquals([body.batch, body.messages[0].method], [false, method]);
    assertEquals(body.messages[0].idText, "1234567890123");
  }
});

Deno.test("params are parsed when they are asked for, and only then", () => {
  const parse = JSON.parse;
  let parsed = 0;
  const message = usualMessage(CALL, 16)!;
  const { method, idText } = message;
  const meta = metaOf(message);
  JSON.parse = (text, reviver) => {
    parsed++;
    return parse(text, reviver);
  };
  try {
    assertEquals([method, idText, meta, parsed], ["tools/call", "1", undefined, 0]);
    assertEquals(message.params?.name, "echo");
    assert(message.params === message.params);
    assertEquals(parsed, 1);
  } finally {
    JSON.parse = parse;
  }
});

Deno.test("R22 R25 what is not usual is left to the other reader", () => {
  const unusual = [
    '[{"jsonrpc":"2.0","method":"a"}]',
    '{"jsonrpc":"2.0","id":1,"result":{}}',
    '{"jsonrpc":"2.0","id":1,"error":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","result":{}}',
    '{"jsonrpc":"2.0","id":null,"method":"a"}',
    '{"jsonrpc":"2.0","id":{},"method":"a"}',
    '{"jsonrpc":"2.1","method":"a"}',
    '{"jsonrpc":"\\u0032.0","method":"a"}',
    '{"jsonrpc":2.0,"method":"a"}',
    '{"jsonrpc":"2.0","method":1}',
    '{"jsonrpc":"2.0","method":"a\\u002fb"}',
    '{"jsonrpc":"2.0","m\\u0065thod":"a"}',
    '{"jsonrpc":"2.0","method":"a","params":[1]}',
    '{"jsonrpc":"2.0","method":"a","params":null}',
    '{"jsonrpc":"2.0","method":"a","method":"a"}',
    '{"jsonrpc":"2.0","method":"a","params":{"n":1,"n":1}}',
    '{"jsonrpc":"2.0","method":"a","params":{"_meta":{"k":1,"k":1}}}',
    '\ufeff{"jsonrpc":"2.0","method":"a"}',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":"é","method":"a"}',
  ];
  for (const text of unusual) assertEquals(usualMessage(text, 16), undefined, text);
});

Deno.test("it is bounded in length, depth (R26) and members", () => {
  const nested = (depth: number) =>
    `{"jsonrpc":"2.0","method":"a","x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assert(usualMessage(nested(16), 16) instanceof UsualMessage);
  assertEquals(usualMessage(nested(17), 16), undefined);
  assert(usualMessage(nested(MAX_USUAL_DEPTH), 1_000) instanceof UsualMessage);
  assertEquals(usualMessage(nested(MAX_USUAL_DEPTH + 1), 1_000), undefined);
  assertEquals(usualMessage(`{"x":${"[".repeat(4_000)}`, 1_000_000), undefined);
  const inner = (depth: number) =>
    `{"jsonrpc":"2.0","method":"a","params":{"_meta":{"x":${"[".repeat(depth - 3)}${
      "]".repeat(depth - 3)
    }}}}`;
  assert(usualMessage(inner(16), 16) instanceof UsualMessage);
  assertEquals(usualMessage(inner(17), 16), undefined);
  const head = '{"jsonrpc":"2.0","method":"a"';
  const long = (length: number) => `${head}${" ".repeat(length - head.length - 1)}}`;
  assert(usualMessage(long(MAX_USUAL_BYTES), 16) instanceof UsualMessage);
  assertEquals(usualMessage(long(MAX_USUAL_BYTES + 1), 16), undefined);
  const many = (count: number) => Array.from({ length: count }, (_, at) => `,"k${at}":0`).join("");
  assert(usualMessage(`${head}${many(14)}}`, 16) instanceof UsualMessage);
  assertEquals(usualMessage(`${head}${many(15)}}`, 16), undefined);
});

Deno.test("R27 a usual message with any of its characters changed, left out or doubled is read as JSON.parse reads it", () => {
  const odd = ['"', "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "u", " ", "\n", "\t"];
  let read = 0;
  for (const text of [CALL, MODERN]) {
    for (let at = 0; at < text.length; at++) {
      const [before, behind] = [text.slice(0, at), text.slice(at + 1)];
      if (agrees(before + behind)) read++;
      for (const other of [...odd, "\u0001", "\u00a0", "x", text[at]!.repeat(2)]) {
        if (agrees(`${before}${other}${behind}`)) read++;
      }
    }
  }
  assert(read > 500, `only ${read} were read`);
});

Deno.test("whatever JSON.parse says of a value stands for it inside a message", () => {
  const value = fc.oneof(
    fc.json({ maxDepth: 5 }),
    fc.string({
      unit: fc.constantFrom(...'0123456789+-.eE,:[]{}"\\u/bfnrta \t\r\n\u0000\u2028truefalsnul'),
      maxLength: 12,
    }),
    fc.double().map(String),
  );
  const key = fc.constantFrom(
    "x",
    "id",
    "params",
    "_meta",
    "method",
    "jsonrpc",
    "result",
    "\\u0078",
  );
  let read = 0;
  fc.assert(
    fc.property(key, value, key, value, (first, one, second, other) => {
      const text =
        `{"jsonrpc":"2.0","${first}":${one},"method":"m","params":{"${second}":${other}}}`;
      if (agrees(text)) read++;
    }),
    { numRuns: 20_000 },
  );
  assert(read > 1_000, `only ${read} were read`);
});
