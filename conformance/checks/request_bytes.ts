/**
 * The body of a request reaches the server byte for byte.
 *
 * @module
 */

import { type Context, expect, type OpenSession, type Scenario } from "../suite/mod.ts";
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

/** The checks of the bodies of requests, without their group. */
export const BYTES: readonly Omit<Scenario, "group">[] = [
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
];
