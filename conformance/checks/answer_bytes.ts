/**
 * The answer reaches the client as the server sent it: the bytes of JSON.
 *
 * @module
 */

import type { MockScript, Reply } from "../mock/mod.ts";
import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { inSession, marked, utf8 } from "./probe.ts";
import { call, resultWith } from "./scripted_answer.ts";

/** Has the server answer with each; the client has to get the same bytes. */
function passing(bodies: Readonly<Record<string, string>>): Scenario["run"] {
  return async (context) => {
    let body = "";
    const script: MockScript = (_, reply) => reply.json(body);
    const { fields } = await inSession(context, { "tools/call": script });
    for (const [what, text] of Object.entries(bodies)) {
      body = text;
      const answer = await context.send({ body: callRequest(1), fields });
      expectEqual(answer.text, text, `the answer with ${what}`);
    }
  };
}

async function ids(context: Context): Promise<void> {
  let id = "";
  const script: MockScript = (_, reply) => reply.json(resultWith("0", id));
  const { fields } = await inSession(context, { "tools/call": script });
  for (id of ["0", "1", '"1"', "9007199254740993", "1.0", '""', '"\\u0061"', '"ü"']) {
    const { text } = await context.send({ body: marked(undefined, id), fields });
    expectEqual(text, resultWith("0", id), `the answer to the id ${id}`);
  }
}

const SPELLINGS: Readonly<Record<string, string>> = {
  "white space": ` { "result" : {} ,\r\n\t"id" : 1, "jsonrpc":"2.0" } \n`,
  "another order of members": '{"result":{"b":1,"10":2,"9":3},"id":1,"jsonrpc":"2.0"}',
  "escapes": resultWith('"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"'),
  "unescaped characters": resultWith('"äöü€😀"'),
  "U+2028 and U+2029": resultWith('"\u2028\u2029"'),
  "U+FEFF and U+0085": resultWith('"\ufeff\u0085"'),
  "half a surrogate pair, escaped": resultWith('"\\ud83d"'),
  "a NUL, escaped": resultWith('"\\u0000"'),
  "2^53+1": resultWith("9007199254740993"),
  "numbers beyond doubles": resultWith("[1e400,0.10,1.0,-0,1E+2]"),
  "unknown members": resultWith('1,"resultType":"complete","ttlMs":1,"_meta":{"x":null}'),
  "__proto__": resultWith('{"__proto__":{"x":1}}'),
  "one name twice": resultWith('1,"x":2'),
  "an error with data":
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"m","data":{"x":[1.0]}}}',
};

/** Pieces of an answer, split where characters are. */
async function inPieces(reply: Reply, text: string, size: number): Promise<void> {
  const bytes = utf8(text);
  for (let at = 0; at < bytes.length; at += size) await reply.write(bytes.subarray(at, at + size));
}

const JSON_TYPE: readonly [string, string] = ["content-type", "application/json"];

const UNICODE = resultWith('"ü€😀"');

async function chunked(context: Context): Promise<void> {
  const { text } = await call(context, async (reply) => {
    await reply.head(200, [JSON_TYPE]);
    await inPieces(reply, UNICODE, 1);
    await reply.end();
  });
  expectEqual(text, UNICODE, "an answer in chunks of one byte");
}

async function large(context: Context): Promise<void> {
  const body = resultWith(`"${"é😀\\n".repeat(300_000)}"`);
  for (const withLength of [true, false]) {
    context.mock.reset();
    const answer = await call(context, async (reply) => {
      const length: [string, string] = ["content-length", String(utf8(body).length)];
      await reply.head(200, withLength ? [JSON_TYPE, length] : [JSON_TYPE]);
      await inPieces(reply, body, 50_000);
      await reply.end();
    });
    const how = withLength ? "of known length" : "in chunks";
    expect(answer.text === body, `3 MB ${how} came as ${answer.text.length} characters`);
    expect(answer.complete, `3 MB ${how} were cut off`);
  }
}

async function coding(context: Context): Promise<void> {
  const plain = resultWith(`"${"x".repeat(2_000)}"`);
  const zipped = await new Response(
    new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip")),
  ).bytes();
  const script: MockScript = (request, reply) => {
    const taken = /\bgzip\b(?!;q=0)/.test(request.field("accept-encoding") ?? "");
    return taken
      ? reply.whole(200, [JSON_TYPE, ["content-encoding", "gzip"]], zipped)
      : reply.json(plain);
  };
  const { fields } = await inSession(context, { "tools/call": script });
  const sent = { ...fields, "accept-encoding": "gzip" };
  const { response } = await context.begin({ body: callRequest(1), fields: sent });
  const bytes = await context.within(response.body.bytes(), "the end of the answer");
  const named = response.field("content-encoding") ?? "identity";
  const text = await decoded(bytes, named);
  expect(text === plain, `an answer in the coding ${named} holds something else than its JSON`);
}

async function decoded(bytes: Uint8Array, named: string): Promise<string> {
  if (named === "identity") return new TextDecoder().decode(bytes);
  expectEqual(named, "gzip", "Content-Encoding");
  const stream = new Blob([new Uint8Array(bytes)]).stream();
  return await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text().catch(
    (error) => `not gzip: ${error}`,
  );
}

/** The checks of the bytes of answers, without their group. */
export const BYTES: readonly Omit<Scenario, "group">[] = [
  {
    id: "answer.ids",
    title: "Ids come back as they were written",
    source: "JSON-RPC 2.0 section 5; 2025-11-25 basic/index, Responses; R24",
    run: ids,
  },
  {
    id: "answer.bytes",
    title: "An answer in JSON comes byte for byte",
    source: "RFC 8259; R28",
    run: passing(SPELLINGS),
  },
  {
    id: "answer.chunked-json",
    title: "JSON in chunks of one byte comes whole",
    source: "RFC 9112 section 7.1; R46",
    run: chunked,
  },
  {
    id: "answer.large-json",
    title: "JSON of 3 MB comes whole",
    source: "RFC 9110 section 6.4",
    run: large,
  },
  {
    id: "answer.coding",
    title: "Content-Encoding says what the body is",
    source: "RFC 9110 section 8.4; R56",
    run: coding,
  },
];
