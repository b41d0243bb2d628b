/**
 * What is a JSON-RPC message, and what is none.
 *
 * A proxy that reads messages, to route them or to police them, has to read them as the server will.
 * What two readers may take for two things is refused.
 *
 * @module
 */

import { type Answer, type Context, expect, expectOneOf, type Scenario } from "../suite/mod.ts";
import { inSession, MARK, marked, reached } from "./probe.ts";

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";

type Bodies = Readonly<Record<string, string | Uint8Array>>;

/** Sends each; it has to be answered with 400, and with one of these codes if with any. */
function refusing(bodies: Bodies, codes: readonly number[]): Scenario["run"] {
  return async (context) => {
    const { fields } = await inSession(context);
    for (const [what, body] of Object.entries(bodies)) {
      const answer = await context.send({ body, fields });
      expect(answer.status === 400, `${what} got ${answer.status}, expected 400`);
      const code = codeOf(answer);
      if (code !== undefined) expectOneOf(code, codes, `the error code for ${what}`);
      const { length } = reached(context);
      expect(length === 0, `${what} was refused, but reached the server`);
    }
  };
}

/** Sends each; it has to be answered by the server. */
function serving(bodies: Readonly<Record<string, string>>): Scenario["run"] {
  return async (context) => {
    const { fields } = await inSession(context);
    for (const [what, body] of Object.entries(bodies)) {
      const { status, text } = await context.send({ body, fields });
      expect(status === 200, `${what} got ${status}, expected 200: ${text.slice(0, 200)}`);
    }
  };
}

function codeOf({ message }: Answer): unknown {
  if (typeof message !== "object" || message === null || !("error" in message)) return undefined;
  const { error } = message;
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return error.code;
}

const GOOD = marked();

/** A body with this text for its arguments. */
const withArguments = (text: string) => GOOD.replace(`"${MARK}"`, `"${MARK}","x":${text}`);

/** Bodies of which no JSON parser makes a value (after the must-fail files of JSONTestSuite). */
const NOT_JSON: Bodies = {
  "NaN": withArguments("NaN"),
  "Infinity": withArguments("-Infinity"),
  "True": withArguments("True"),
  "a comma before the end": GOOD.replace(/}$/, ",}"),
  "a comma before the end of a list": withArguments("[1,]"),
  "two commas": withArguments("[1,,2]"),
  "a comment": withArguments("/* */ 1"),
  "a line comment": `${GOOD.slice(0, -1)}//\n}`,
  "single quotes": withArguments("'a'"),
  "a name without quotes": withArguments("{a:1}"),
  "a text without an end": GOOD.slice(0, GOOD.indexOf(MARK) + MARK.length),
  "an object without an end": GOOD.slice(0, -1),
  "a raw newline in a text": withArguments('"a\nb"'),
  "a raw tab in a text": withArguments('"a\tb"'),
  "a raw NUL in a text": withArguments('"a\0b"'),
  "an escape that is none": withArguments('"\\x41"'),
  "an escape cut short": withArguments('"\\u00a"'),
  "a leading zero": withArguments("01"),
  "a plus sign": withArguments("+1"),
  "no digit before the point": withArguments(".5"),
  "no digit behind the point": withArguments("1."),
  "no digit in the exponent": withArguments("1e"),
  "a hexadecimal number": withArguments("0x1F"),
  "a minus alone": withArguments("-"),
  "a no-break space between members": withArguments("1,\u00a0 2"),
  "text": `${MARK}`,
};

const TRAILING: Bodies = {
  "a letter behind the message": `${GOOD}x`,
  "a brace behind the message": `${GOOD}}`,
  "two messages": GOOD + GOOD,
  "two messages in two lines": `${GOOD}\n${GOOD}`,
  "NUL behind the message": `${GOOD}\0`,
};

function bytesIn(...bytes: number[]): Uint8Array {
  const [before, after] = withArguments('"@"').split("@").map((text) =>
    new TextEncoder().encode(text)
  );
  return Uint8Array.of(...before!, ...bytes, ...after!);
}

const NOT_UTF8: Bodies = {
  "a stray byte": bytesIn(0xff),
  "a continuation byte alone": bytesIn(0x80),
  "an overlong slash": bytesIn(0xc0, 0xaf),
  "a surrogate": bytesIn(0xed, 0xa0, 0x80),
  "beyond U+10FFFF": bytesIn(0xf4, 0x90, 0x80, 0x80),
  "a character cut short": bytesIn(0xe2, 0x82),
  "UTF-16": new Uint8Array(new Uint16Array([...GOOD].map((char) => char.charCodeAt(0))).buffer),
};

const TWICE: Bodies = {
  "two ids": GOOD.replace('"id":1', '"id":1,"id":2'),
  "two methods": GOOD.replace('"params"', '"method":"ping","params"'),
  "two methods, one escaped": GOOD.replace('"params"', '"\\u006dethod":"ping","params"'),
  "two params": GOOD.replace('"params"', '"params":{},"params"'),
  "two names": GOOD.replace('"name":"echo"', '"name":"echo","name":"other"'),
};

const withId = (text: string) => marked(MARK, text);

const BAD_IDS: Bodies = {
  "an id null": withId("null"),
  "an id object": withId("{}"),
  "an id list": withId("[1]"),
  "an id true": withId("true"),
};

const NO_MESSAGES: Bodies = {
  "a text": `"${MARK}"`,
  "a number": "1",
  "null": "null",
  "an empty object": "{}",
  "no jsonrpc": GOOD.replace('"jsonrpc":"2.0",', ""),
  "jsonrpc 1.0": GOOD.replace('"2.0"', '"1.0"'),
  "jsonrpc as a number": GOOD.replace('"2.0"', "2.0"),
  "a method that is a number": GOOD.replace('"tools/call"', "5"),
  "a method that is null": GOOD.replace('"tools/call"', "null"),
  "neither method nor result": `{"jsonrpc":"2.0","id":1,"x":"${MARK}"}`,
  "both result and error":
    `{"jsonrpc":"2.0","id":1,"result":{"x":"${MARK}"},"error":{"code":1,"message":""}}`,
  "both method and result": GOOD.replace('"params"', '"result":{},"params"'),
  "a result without an id": `{"jsonrpc":"2.0","result":{"x":"${MARK}"}}`,
  "params that are a text": `{"jsonrpc":"2.0","id":1,"method":"ping","params":"${MARK}"}`,
};

const LOOK_ALIKES: Bodies = {
  "Method": GOOD.replace('"method"', '"Method"'),
  "METHOD": GOOD.replace('"method"', '"METHOD"'),
  "JsonRpc": GOOD.replace('"jsonrpc"', '"JsonRpc"'),
  "a full-width m": GOOD.replace('"method"', '"\uff4dethod"'),
  "a long s in jsonrpc": GOOD.replace('"jsonrpc"', '"j\u017fonrpc"'),
  "a space behind method": GOOD.replace('"method"', '"method "'),
};

const PROTO: Bodies = {
  "a method in __proto__": `{"jsonrpc":"2.0","id":1,"__proto__":{"method":"ping","x":"${MARK}"}}`,
  "jsonrpc in __proto__": `{"__proto__":{"jsonrpc":"2.0"},"id":1,"method":"${MARK}"}`,
  "a method in constructor.prototype":
    `{"jsonrpc":"2.0","id":1,"constructor":{"prototype":{"method":"ping"}},"x":"${MARK}"}`,
};

const GOOD_ODDITIES: Readonly<Record<string, string>> = {
  "an escaped name": GOOD.replace('"method"', '"\\u006dethod"'),
  "an escaped slash": GOOD.replace("tools/call", "tools\\/call"),
  "white space everywhere": ` \t\r\n${GOOD.replaceAll(":", " :\n").replaceAll(",", "\t,\r\n")}\n`,
  "numbers beyond a double": withArguments("[1e400,0.1000,123456789012345678901234567890,-0]"),
  "half a surrogate pair, escaped": withArguments('"\\ud800"'),
  "U+2028, U+2029 and DEL": withArguments('"\u2028\u2029\u007f"'),
  "a NUL, escaped": withArguments('"\\u0000"'),
  "an empty name": withArguments('{"":{"":[]}}'),
  "members of the message that nobody knows": GOOD.replace(
    '"params"',
    '"x":{},"trace":[],"params"',
  ),
  "32 levels": withArguments("[".repeat(32) + "]".repeat(32)),
  "the same name at two levels": withArguments('{"id":1,"method":2,"jsonrpc":3}'),
};

async function deepNesting(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  for (const body of [deep, withArguments(deep), "[".repeat(200_000)]) {
    const { status } = await context.send({ body, fields });
    expect(status < 500, `200,000 levels of nesting got ${status}, expected 400 or an answer`);
  }
  const { status } = await context.send({ body: GOOD, fields });
  expect(status === 200, `the next call got ${status}, expected 200`);
}

async function refusalId(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  for (const id of ["7", '"7"', "9007199254740993", '""', '"\\u0061"']) {
    const { status, text, message } = await context.send({
      body: `{"jsonrpc":"2.0","id":${id},"method":5}`,
      fields,
    });
    const hasId = typeof message === "object" && message !== null && "id" in message;
    if (status < 400 || !hasId || message.id === null) continue;
    const told = /"id"\s*:\s*("(?:[^"\\]|\\.)*"|[^,}\s]+)/.exec(text)?.[1];
    const same = told === id || (id.startsWith('"') && told === JSON.stringify(JSON.parse(id)));
    expect(same, `the refusal of a request with the id ${id} has the id ${told}`);
  }
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "json.not-json",
    title: "What is no JSON is answered with 400, and Parse error if anything",
    source: `JSON-RPC 2.0 section 5.1; RFC 8259; ${TRANSPORT}; R27`,
    run: refusing(NOT_JSON, [PARSE_ERROR]),
  },
  {
    id: "json.trailing-data",
    title: "A message with anything behind it is refused",
    source: `RFC 8259 section 2; ${TRANSPORT}; R27`,
    run: refusing(TRAILING, [PARSE_ERROR]),
  },
  {
    id: "json.empty-body",
    title: "A POST without a body is refused",
    source: `${TRANSPORT}; R27`,
    run: refusing({ "nothing": "", "white space": " \r\n" }, [PARSE_ERROR, INVALID_REQUEST]),
  },
  {
    id: "json.not-utf8",
    title: "Bytes that are no UTF-8 are refused",
    source: '2025-11-25 basic/transports ("JSON-RPC messages MUST be UTF-8 encoded"); R28',
    run: refusing(NOT_UTF8, [PARSE_ERROR]),
  },
  {
    id: "json.deep-nesting",
    title: "200,000 levels of nesting are refused or passed on, and break nothing",
    source: "RFC 8259 section 9; R26",
    run: deepNesting,
  },
  {
    id: "json.duplicate-names",
    title: "A message with one name twice, which two readers read differently, is refused",
    source: "RFC 8259 section 4; R22",
    run: refusing(TWICE, [INVALID_REQUEST, PARSE_ERROR]),
  },
  {
    id: "json.bad-id",
    title: "An id that is neither a text nor a number is refused",
    source: "2025-11-25 basic/index, Requests; R25",
    run: refusing(BAD_IDS, [INVALID_REQUEST]),
  },
  {
    id: "json.no-message",
    title: "JSON that is no JSON-RPC message is refused",
    source: `JSON-RPC 2.0 sections 4 and 5; ${TRANSPORT}`,
    run: refusing(NO_MESSAGES, [INVALID_REQUEST]),
  },
  {
    id: "json.look-alike-names",
    title: "Names that look like those of JSON-RPC are not taken for them",
    source: "JSON-RPC 2.0 section 4 (member names are case-sensitive); CVE-2026-27896; R21",
    run: refusing(LOOK_ALIKES, [INVALID_REQUEST]),
  },
  {
    id: "json.proto",
    title: "A member called __proto__ is a member, and lends nothing to its message",
    source: "RFC 8259 section 4; R23",
    run: refusing(PROTO, [INVALID_REQUEST]),
  },
  {
    id: "json.valid-oddities",
    title: "What is rare but right is served",
    source: "RFC 8259; JSON-RPC 2.0 section 4; R27",
    run: serving(GOOD_ODDITIES),
  },
  {
    id: "json.refusal-id",
    title: "The refusal of a request has the request's own id, or none",
    source: "JSON-RPC 2.0 section 5; 2025-11-25 basic/index, Responses; R24",
    run: refusalId,
  },
];

/** The checks of what is a message. */
export const JSON_CHECKS: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "json" }));
