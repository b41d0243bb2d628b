/**
 * The request reaches the server as the client sent it.
 *
 * @module
 */

import { type MockScript, modernServer } from "../mock/mod.ts";
import {
  callRequest,
  type Context,
  expect,
  expectEqual,
  type OpenSession,
  type Scenario,
} from "../suite/mod.ts";
import { inSession, MARK, marked, rawText, reached, utf8 } from "./probe.ts";

const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";
const GOOD = marked();

/** A body with this text for its arguments. */
const withArguments = (text: string) => GOOD.replace(`"${MARK}"`, `"${MARK}","x":${text}`);

/** Fails unless the last request with a mark holds exactly these bytes. */
function expectBytes(context: Context, body: string, what: string): void {
  const request = reached(context).at(-1);
  expect(request !== undefined, `${what} did not reach the server`);
  const wanted = utf8(body);
  const same = request.body.length === wanted.length &&
    request.body.every((byte, at) => byte === wanted[at]);
  expect(
    same,
    `${what} reached the server as ${JSON.stringify(request.text.slice(0, 300))}, ` +
      `expected ${JSON.stringify(body.slice(0, 300))}`,
  );
}

/** Sends each; the server has to get the same bytes. */
function passing(bodies: Readonly<Record<string, string>>): Scenario["run"] {
  return async (context) => {
    const { fields } = await inSession(context);
    for (const [what, body] of Object.entries(bodies)) {
      await context.send({ body, fields });
      expectBytes(context, body, what);
    }
  };
}

const IDS: Readonly<Record<string, string>> = Object.fromEntries(
  ["0", "-1", "1", '"1"', "9007199254740993", '"9007199254740993"', '""', '"\\u0061\\n"', '"ü"']
    .map((id) => [`the id ${id}`, marked(MARK, id)]),
);

const ODD_IDS: Readonly<Record<string, string>> = Object.fromEntries(
  ["1.0", "1e3", "123456789012345678901234567890"].map((id) => [`the id ${id}`, marked(MARK, id)]),
);

const SPELLINGS: Readonly<Record<string, string>> = {
  "white space":
    ` {\t"method" : "ping" ,\r\n"id":\n1 , "jsonrpc":"2.0","params":{"x":"${MARK}"} }\n`,
  "another order of members": `{"params":{"x":"${MARK}"},"method":"ping","id":1,"jsonrpc":"2.0"}`,
  "names like numbers": withArguments('{"b":1,"10":2,"9":3,"a":4}'),
  "escapes": withArguments('"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"'),
  "an escaped name": GOOD.replace('"method"', '"\\u006dethod"'),
  "unescaped characters": withArguments('"äöü€😀"'),
  "U+2028 and U+2029": withArguments('"\u2028\u2029"'),
  "U+FEFF, U+0085 and U+007F": withArguments('"\ufeff\u0085\u007f"'),
  "half a surrogate pair, escaped": withArguments('"\\ud83d"'),
  "composed and decomposed": withArguments('"\u00e9e\u0301"'),
  "a NUL, escaped": withArguments('"\\u0000"'),
};

const NUMBERS: Readonly<Record<string, string>> = {
  "2^53+1": withArguments("9007199254740993"),
  "a number beyond doubles": withArguments("1e400"),
  "zeros behind the point": withArguments("0.10"),
  "1.0": withArguments("1.0"),
  "minus zero": withArguments("-0"),
  "an exponent": withArguments("1E+2"),
  "30 digits": withArguments("0.123456789012345678901234567890"),
};

const UNKNOWN: Readonly<Record<string, string>> = {
  "members of the message": GOOD.replace('"params"', '"x":{"y":[null]},"trace":"1","params"'),
  "members of params": GOOD.replace('"name"', '"x-unknown":[],"name"'),
  "members of _meta": GOOD.replace('"name"', '"_meta":{"example.com/x":{"y":1}},"name"'),
  "null": withArguments("null"),
  "names that look like those of JSON-RPC": GOOD.replace(
    '"params"',
    '"Method":"x","ID":2,"params"',
  ),
  "__proto__ and constructor": withArguments('{"__proto__":{"x":1},"constructor":{"prototype":1}}'),
  "an unknown method": GOOD.replace("tools/call", "example.com/unknown"),
};

async function otherMessages(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const bodies = {
    "a notification": `{"jsonrpc":"2.0","method":"notifications/x","params":{"x":"${MARK}"}}`,
    "a response": `{"jsonrpc":"2.0","id":"server-7","result":{"x":"${MARK}"}}`,
    "an error": `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"${MARK}"}}`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    await context.send({ body, fields });
    expectBytes(context, body, what);
  }
}

/** A request of this session in chunks of one byte each. */
function inChunks(context: Context, session: OpenSession, body: string): string {
  const head = rawText(context, session, { lines: ["transfer-encoding: chunked"] });
  return head + [...body].map((char) => `1\r\n${char}\r\n`).join("") + "0\r\n\r\n";
}

async function chunkedBody(context: Context): Promise<void> {
  const session = await inSession(context);
  const client = await context.connect();
  await client.write(inChunks(context, session, GOOD));
  await context.within(client.response(), "the answer");
  expectBytes(context, GOOD, "a body in chunks of one byte");
}

async function bytewise(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const body = withArguments('"ü€😀"');
  const client = await context.connect();
  for (const byte of context.bytes({ body, fields })) await client.write(Uint8Array.of(byte));
  await context.within(client.response(), "the answer");
  expectBytes(context, body, "a request in pieces of one byte");
}

async function largeBody(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const body = withArguments(`"${"é😀\\n".repeat(60_000)}"`);
  await context.send({ body, fields });
  expectBytes(context, body, `a body of ${utf8(body).length} bytes`);
}

/** Fails unless the last request at the server has these fields, once and as they were sent. */
function expectFields(context: Context, sent: Readonly<Record<string, string>>): void {
  const request = context.mock.requests.at(-1);
  for (const [name, value] of Object.entries(sent)) {
    expectEqual(request?.values(name), [value], `the list of ${name} at the server`);
  }
}

async function mirroredFields(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const params = { name: "Köln", arguments: { city: "Köln", n: 42 } };
  const encoded = `=?base64?${utf8("Köln").toBase64()}?=`;
  const call = context.modern("tools/call", params);
  const fields = { ...call.fields, "mcp-name": encoded } as Record<string, string>;
  await context.send({ ...call, fields });
  expectFields(context, fields);
}

async function paramFields(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const call = context.modern("tools/call", { name: "echo", arguments: { region: "us-west1" } });
  const sent = {
    "mcp-param-region": "us-west1",
    "mcp-param-text": `=?base64?${utf8(" padded ").toBase64()}?=`,
    "mcp-param-val": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
    "mcp-param-number": "-7",
    "mcp-param-flag": "true",
    "mcp-param-unknown": 'a, b; c="d"',
  };
  await context.send({ ...call, fields: { ...call.fields, ...sent } });
  expectFields(context, sent);
}

async function versionField(context: Context): Promise<void> {
  for (const revision of ["2025-06-18", "2025-11-25"]) {
    context.mock.reset();
    const { fields } = await inSession(context, {}, revision);
    await context.send({ body: GOOD, fields });
    expectFields(context, { "mcp-protocol-version": revision });
  }
}

async function oddVersion(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const sent = { ...fields, "mcp-protocol-version": "2025-13-32" };
  const { status } = await context.send({ body: GOOD, fields: sent });
  if (status >= 400 && status < 500) return;
  expectEqual(
    reached(context)[0]?.field("mcp-protocol-version"),
    "2025-13-32",
    "an MCP-Protocol-Version that nobody knows, at the server",
  );
}

async function unknownFields(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const sent = {
    "x-unknown": 'a, b; c="d"',
    "x-tenant-id": "7f",
    "x-empty": "",
    "user-agent": "some-client/1.0 (x; y)",
    "accept-language": "de-CH, en;q=0.5",
  };
  await context.send({ body: GOOD, fields: { ...fields, ...sent } });
  expectFields(context, sent);
}

async function acceptField(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: GOOD, fields });
  const accept = reached(context)[0]?.field("accept") ?? "";
  const listed = ["application/json", "text/event-stream"].filter((type) => accept.includes(type));
  expect(listed.length === 2, `Accept at the server is ${accept}, expected one that lists both`);
}

async function typeField(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: GOOD, fields });
  const type = reached(context)[0]?.field("content-type") ?? "";
  expect(/^application\/json\b/i.test(type), `Content-Type at the server is ${type}`);
}

/** The rest of a session: GET and DELETE. */
async function otherMethods(context: Context): Promise<void> {
  const open: MockScript = (_, reply) => reply.empty(405, [["allow", "POST, DELETE"]]);
  const { fields } = await inSession(context, { GET: open });
  for (const method of ["GET", "DELETE"]) {
    await context.send({ method, fields });
    const request = context.mock.requests.find((one) => one.method === method);
    // That GET has to come to the server is told by `streaming`, of DELETE by `sessions`.
    expectEqual(request?.body.length ?? 0, 0, `the length of the body of ${method}`);
  }
}

async function oneTarget(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: callRequest(1), fields });
  await context.send({ method: "DELETE", fields });
  const targets = new Set(context.mock.requests.map(({ target }) => target));
  expectEqual([...targets], ["/mcp"], "the list of targets at the server");
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "request.ids",
    title: "Ids reach the server as they were written",
    source: "JSON-RPC 2.0 section 4; 2025-11-25 basic/index, Requests; R24",
    run: passing(IDS),
  },
  {
    id: "request.odd-ids",
    title: "Ids that are numbers in an odd spelling reach the server as they were written",
    source: "JSON-RPC 2.0 section 4; RFC 8259 section 6; R24",
    run: passing(ODD_IDS),
  },
  {
    id: "request.spelling",
    title: "White space, order, escapes and characters reach the server as they were written",
    source: "RFC 8259; R28",
    run: passing(SPELLINGS),
  },
  {
    id: "request.numbers",
    title: "Numbers that a double does not hold reach the server as they were written",
    source: "RFC 8259 section 6; R28",
    run: passing(NUMBERS),
  },
  {
    id: "request.unknown-members",
    title: "What a proxy does not know reaches the server",
    source: "2025-11-25 basic/index, _meta; CVE-2026-27896; R21, R23",
    run: passing(UNKNOWN),
  },
  {
    id: "request.notifications-and-responses",
    title: "Notifications, and the client's responses, reach the server as they were written",
    source: `${TRANSPORT}, items 3 and 4`,
    run: otherMessages,
  },
  {
    id: "request.chunked-body",
    title: "A body in chunks reaches the server whole",
    source: "RFC 9112 section 7.1",
    run: chunkedBody,
  },
  {
    id: "request.bytewise",
    title: "A request that comes byte by byte reaches the server whole",
    source: "RFC 9112 section 2.2",
    run: bytewise,
  },
  {
    id: "request.large-body",
    title: "A body of half a megabyte reaches the server whole",
    source: "RFC 9110 section 6.4",
    assumes: ["body-limit-1m"],
    run: largeBody,
  },
  {
    id: "request.mirrored-fields",
    title: "MCP-Protocol-Version, Mcp-Method and Mcp-Name reach the server as they were written",
    source: "2026-07-28 basic/transports/streamable-http, Request Metadata; R33",
    run: mirroredFields,
  },
  {
    id: "request.param-fields",
    title: "Mcp-Param fields reach the server as they were written, known or not",
    source: "2026-07-28 basic/transports/streamable-http, Server Behavior for Custom Headers; R33",
    run: paramFields,
  },
  {
    id: "request.version-field",
    title: "A session's MCP-Protocol-Version reaches the server",
    source: "2025-11-25 basic/transports, Protocol Version Header",
    run: versionField,
  },
  {
    id: "request.odd-version-field",
    title: "A session's MCP-Protocol-Version that nobody knows is refused or reaches the server",
    source: "2025-11-25 basic/transports, Protocol Version Header",
    run: oddVersion,
  },
  {
    id: "request.unknown-fields",
    title: "Fields that a proxy does not know reach the server as they were written",
    source: "RFC 9110 section 5.1",
    run: unknownFields,
  },
  {
    id: "request.accept",
    title: "Accept at the server lists both types",
    source: `${TRANSPORT}, item 2; R31`,
    run: acceptField,
  },
  {
    id: "request.content-type",
    title: "Content-Type at the server is that of JSON",
    source: TRANSPORT,
    run: typeField,
  },
  {
    id: "request.get-and-delete",
    title: "GET and DELETE of a session have no body at the server either",
    source: "2025-11-25 basic/transports, Listening for Messages, Session Management",
    run: otherMethods,
  },
  {
    id: "request.one-target",
    title: "Every request of a session goes to the one endpoint of the server",
    source: "2025-11-25 basic/transports, Streamable HTTP",
    run: oneTarget,
  },
];

/** The checks of what reaches the server. */
export const REQUEST: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "request" }));
