/**
 * The answer reaches the client as the server sent it: status, fields, and the bytes of JSON. Event
 * streams have checks of their own.
 *
 * @module
 */

import { type MockScript, MockUpstream, modernServer, type Reply } from "../mock/mod.ts";
import {
  type Answer,
  callRequest,
  type Context,
  expect,
  expectEqual,
  type Scenario,
} from "../suite/mod.ts";
import { inSession, marked, utf8 } from "./probe.ts";

const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";
const STREAMABLE = "2026-07-28 basic/transports/streamable-http";

/** An answer with this text for its result's `x`. */
const resultWith = (text: string, id = "1") =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[],"x":${text}}}`;

/** A call that a script answers, in a session of its own. */
async function call(context: Context, answer: (reply: Reply) => Promise<void>): Promise<Answer> {
  const { fields } = await inSession(context, { "tools/call": (_, reply) => answer(reply) });
  return await context.send({ body: callRequest(1), fields });
}

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

/** Statuses with which servers refuse; not 404, which ends a session: a proxy may open another. */
const REFUSALS: readonly number[] = [400, 403, 405, 409, 413, 422, 429];
const FAILURES: readonly number[] = [500, 501, 503];

function statuses(refusals: readonly number[]): Scenario["run"] {
  return async (context) => {
    for (const status of refusals) {
      context.mock.reset();
      const body = `{"jsonrpc":"2.0", "id":1,"error":{"code":-32099,"message":"no ${status}"}}`;
      const answer = await call(context, (reply) => reply.json(body, status));
      expectEqual([answer.status, answer.text], [status, body], `an error with status ${status}`);
    }
  };
}

/** An error of 2026-07-28 by which clients tell what the server is. */
function modernError(status: number, error: unknown): Scenario["run"] {
  return async (context) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, error }, null, 1);
    const script: MockScript = (_, reply) => reply.json(body, status);
    context.mock.use(modernServer({ "tools/call": script }));
    const answer = await context.send(context.modern("tools/call", { name: "echo" }));
    expectEqual([answer.status, answer.text], [status, body], "status and body of the error");
  };
}

async function retryAfter(context: Context): Promise<void> {
  for (const [status, value] of [[429, "17"], [503, "Wed, 21 Oct 2026 07:28:00 GMT"]] as const) {
    context.mock.reset();
    const body = { jsonrpc: "2.0", id: 1, error: { code: -32099, message: "later" } };
    const answer = await call(
      context,
      (reply) => reply.json(body, status, [["retry-after", value]]),
    );
    const told = [answer.status, answer.field("retry-after")];
    expectEqual(told, [status, value], "status and Retry-After");
  }
}

async function accepted(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const bodies = {
    "a notification": { jsonrpc: "2.0", method: "notifications/x" },
    "a response": { jsonrpc: "2.0", id: 7, result: {} },
  };
  for (const [what, body] of Object.entries(bodies)) {
    const { status, text } = await context.send({ body, fields });
    expectEqual([status, text], [202, ""], `status and body for ${what}`);
  }
}

async function modernAccepted(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const body = { jsonrpc: "2.0", method: "notifications/x" };
  const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "notifications/x" };
  const { status, text } = await context.send({ body, fields });
  expectEqual([status, text], [202, ""], "status and body for a notification");
}

async function refusedNotification(context: Context): Promise<void> {
  const refuse: MockScript = (_, reply) => reply.json('{"jsonrpc":"2.0","error":{}}', 400);
  const { fields } = await inSession(context, { "notifications/x": refuse });
  const body = { jsonrpc: "2.0", method: "notifications/x" };
  const { status } = await context.send({ body, fields });
  expectEqual(status, 400, "the status for a notification that the server refused");
}

async function notAllowed(context: Context): Promise<void> {
  const refuse: MockScript = (_, reply) => reply.empty(405, [["allow", "POST"]]);
  const { fields } = await inSession(context, { GET: refuse });
  const { status } = await context.send({ method: "GET", fields });
  expectEqual(status, 405, "the status of GET, which the server does not have");
}

async function redirect(context: Context): Promise<void> {
  await using other = await MockUpstream.listen();
  for (const status of [301, 302, 307, 308]) {
    context.mock.reset();
    const location = `http://${other.host}/mcp`;
    // What the client gets instead is no matter of this check.
    await call(context, (reply) => reply.empty(status, [["location", location]]));
    expectEqual(other.connections, 0, `the number of calls to where a ${status} pointed`);
  }
}

async function contentType(context: Context): Promise<void> {
  const answer = await call(context, (reply) => reply.json(resultWith("1")));
  const type = answer.field("content-type") ?? "";
  expect(/^application\/json(;|$)/i.test(type), `Content-Type of the answer is ${type}`);
}

async function unknownFields(context: Context): Promise<void> {
  const sent = {
    "x-unknown": 'a, b; c="d"',
    "cache-control": "no-store",
    "deprecation": "@1688169599",
    "x-empty": "",
  };
  const answer = await call(
    context,
    (reply) =>
      reply.json(resultWith("1"), 200, [...Object.entries(sent), ["x-two", "1"], ["x-two", "2"]]),
  );
  for (const [name, value] of Object.entries(sent)) {
    expectEqual(answer.field(name), value, `${name} of the answer`);
  }
  expectEqual(answer.field("x-two"), "1, 2", "a field of the answer that came twice");
}

const RULES: readonly Omit<Scenario, "group">[] = [
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
  {
    id: "answer.content-type",
    title: "JSON comes as application/json",
    source: `${TRANSPORT}, item 5`,
    run: contentType,
  },
  {
    id: "answer.unknown-fields",
    title: "Fields that a proxy does not know come as the server wrote them",
    source: "RFC 9110 section 5.1",
    run: unknownFields,
  },
  {
    id: "answer.refusals",
    title: "A refusal in JSON comes with its status and byte for byte",
    source: `${TRANSPORT}; RFC 9110 section 15.5`,
    run: statuses(REFUSALS),
  },
  {
    id: "answer.failures",
    title: "A failure told in JSON-RPC comes with its status and byte for byte",
    source: "RFC 9110 section 15.6; R64",
    run: statuses(FAILURES),
  },
  {
    id: "answer.unknown-method",
    title: "404 with -32601, by which clients know a modern server, comes as it is",
    source: `${STREAMABLE}, Protocol Version Header, Backward Compatibility`,
    run: modernError(404, { code: -32601, message: "Method not found" }),
  },
  {
    id: "answer.missing-capability",
    title: "400 with -32021 comes as it is",
    source: "2026-07-28 basic/index, Error Codes",
    run: modernError(400, {
      code: -32021,
      message: "Missing required client capability",
      data: { requiredCapabilities: { sampling: {} } },
    }),
  },
  {
    id: "answer.header-mismatch",
    title: "400 with -32020 by the server comes as it is",
    source: `${STREAMABLE}, Server Validation`,
    run: modernError(400, { code: -32020, message: "Header mismatch: Mcp-Param-Region" }),
  },
  {
    id: "answer.retry-after",
    title: "429 and 503 keep Retry-After",
    source: "RFC 9110 section 10.2.3; R64",
    run: retryAfter,
  },
  {
    id: "answer.accepted",
    title: "A notification and a response that the server accepts get 202 without a body",
    source: `${TRANSPORT}, item 4`,
    run: accepted,
  },
  {
    id: "answer.accepted-modern",
    title: "A notification of 2026-07-28 that the server accepts gets 202 without a body",
    source: `${STREAMABLE}, Sending Messages, item 5`,
    run: modernAccepted,
  },
  {
    id: "answer.refused-notification",
    title: "A notification that the server refuses is told to be refused",
    source: `${TRANSPORT}, item 4`,
    run: refusedNotification,
  },
  {
    id: "answer.not-allowed",
    title: "405 for GET, by which servers say that they have no stream, comes through",
    source: "2025-11-25 basic/transports, Listening for Messages from the Server",
    run: notAllowed,
  },
  {
    id: "answer.redirect",
    title: "A redirect of the server is not followed",
    source: "RFC 9110 section 15.4; R70",
    run: redirect,
  },
];

/** The checks of answers that are no event streams. */
export const ANSWER: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "answer" }));
