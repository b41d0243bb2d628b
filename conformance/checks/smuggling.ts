/**
 * Requests with another one hidden in them (R6): whatever a proxy makes of them, the hidden one is
 * never a request of its own, neither at the server nor for the client.
 *
 * @module
 */

import { type Context, expect, type OpenSession, type Scenario } from "../suite/mod.ts";
import { HIDDEN, hiddenRequest, inSession, marked, rawText, reachedAsMessage } from "./probe.ts";

/** A request with `hidden` in it. */
interface Payload {
  readonly line?: string;
  readonly lines: readonly string[];
  /** What follows the head. */
  readonly rest: (hidden: string) => string;
}

const BODY = marked();
const SIZE = BODY.length.toString(16);
const CHUNKED = "transfer-encoding: chunked";

/** The whole of the hidden request belongs to the body, by its length in bytes. */
const covered = (hidden: string, before: string): string =>
  `content-length: ${before.length + hidden.length}`;

/** A body in one chunk, then the hidden request as the rest of the body that `lines` declare. */
const afterLastChunk = (hidden: string) => `${SIZE}\r\n${BODY}\r\n0\r\n\r\n${hidden}`;

/** A chunked body for those who see chunks, a longer one for those who go by the length. */
function lengthOver(...codings: string[]): (hidden: string) => Payload {
  return (hidden) => ({
    lines: [covered(hidden, afterLastChunk("")), ...codings],
    rest: afterLastChunk,
  });
}

/** A whole body for those who go by a length, the hidden request for those who go by chunks. */
function lengthUnder(...codings: string[]): (hidden: string) => Payload {
  return () => ({
    lines: [`content-length: ${BODY.length}`, ...codings],
    rest: (hidden) => BODY + hidden,
  });
}

/** Two lengths: one ends before the hidden request, one behind it. */
function twoLengths(
  lines: (short: number, long: number) => readonly string[],
): (hidden: string) => Payload {
  return (hidden) => ({
    lines: lines(BODY.length, BODY.length + hidden.length),
    rest: (inner) => BODY + inner,
  });
}

type Family = Readonly<Record<string, (hidden: string) => Payload>>;

const PLAIN_TE: Family = {
  "length over the chunks": lengthOver(CHUNKED),
  "length over the chunks, declared last": (hidden) => ({
    lines: [CHUNKED, covered(hidden, afterLastChunk(""))],
    rest: afterLastChunk,
  }),
  "length under the chunks": lengthUnder(CHUNKED),
  "length zero": () => ({ lines: ["content-length: 0", CHUNKED], rest: (hidden) => hidden }),
};

const ODD_TE: Family = Object.fromEntries([
  "transfer-encoding : chunked",
  "transfer-encoding\t: chunked",
  " transfer-encoding: chunked",
  "transfer-encoding: xchunked",
  "transfer-encoding: chunked, identity",
  "transfer-encoding: identity, chunked",
  "transfer-encoding: chunked\0",
  "transfer-encoding:\x0bchunked",
  "transfer-encoding: \x0cchunked",
  "transfer-encoding: 'chunked'",
  'transfer-encoding: "chunked"',
  "transfer-encoding: chunked;q=1",
  "transfer-encoding: chu\\nked",
  "transfer-encoding: chunked\r",
  "transfer-encoding:\r\n chunked",
  "transfer-encoding:\n chunked",
  "x: y\ntransfer-encoding: chunked",
].flatMap((line) => [
  [`${JSON.stringify(line)}, length over`, lengthOver(line)],
  [`${JSON.stringify(line)}, length under`, lengthUnder(line)],
]));

/** Lines that may be taken for no Transfer-Encoding at all: then the length alone counts. */
const NO_TE: Family = Object.fromEntries([
  "x: y\rtransfer-encoding: chunked",
  "transfer_encoding: chunked",
  "transfer-encoding\0: chunked",
  "transfer encoding: chunked",
  "transfer-encoding",
].map((line) => [JSON.stringify(line), lengthOver(line)]));

const TWO_TE: Family = Object.fromEntries(
  [
    ["transfer-encoding: chunked", "transfer-encoding: identity"],
    ["transfer-encoding: identity", "transfer-encoding: chunked"],
    ["transfer-encoding: chunked", "transfer-encoding: x"],
    ["transfer-encoding: chunked", "transfer-encoding: chunked"],
  ].map((codings) => [codings.join(" / "), lengthOver(...codings)]),
);

const LENGTHS: Family = {
  "short, long": twoLengths((a, b) => [`content-length: ${a}`, `content-length: ${b}`]),
  "long, short": twoLengths((a, b) => [`content-length: ${b}`, `content-length: ${a}`]),
  "in one field": twoLengths((a, b) => [`content-length: ${a}, ${b}`]),
  "plus sign": twoLengths((a, b) => [`content-length: +${b}`, `content-length: ${a}`]),
  "space before the colon": twoLengths((a, b) => [`content-length : ${b}`, `content-length: ${a}`]),
  "folded": twoLengths((a, b) => [`content-length: ${a}`, ` ${b}`]),
  "bare LF": twoLengths((a, b) => [`content-length: ${a}\nContent-Length: ${b}`]),
  "bare CR": twoLengths((a, b) => [`content-length: ${a}\rContent-Length: ${b}`]),
  "NUL": twoLengths((a, b) => [`content-length: ${a}\0`, `content-length: ${b}`]),
  "underscore": twoLengths((a, b) => [`content_length: ${a}`, `content-length: ${b}`]),
  "hexadecimal": twoLengths((_, b) => [`content-length: 0x${b.toString(16)}`]),
  "list with an empty member": twoLengths((a, b) => [`content-length: ${a},,${b}`]),
};

/** A chunked body that ends early for those who read its chunks otherwise. */
const chunked = (rest: (hidden: string) => string) => (): Payload => ({ lines: [CHUNKED], rest });
const chunkOf = (hidden: string) => `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;

const CHUNKS: Family = {
  "hidden in a chunk": chunked(chunkOf),
  "an extension with a bare LF": chunked((hidden) =>
    `${SIZE};\n${BODY}\r\n${hidden.length.toString(16)}\r\n0\r\n\r\n${hidden}\r\n0\r\n\r\n`
  ),
  "an extension with a bare CR": chunked((hidden) =>
    `${SIZE};\r${BODY}\r\n${hidden.length.toString(16)}\r\n0\r\n\r\n${hidden}\r\n0\r\n\r\n`
  ),
  "a size that overflows 64 bits": chunked((hidden) => `1${"0".repeat(16)}\r\n\r\n${hidden}`),
  "a negative size": chunked((hidden) => `-0\r\n\r\n${hidden}`),
  "0x0": chunked((hidden) => `0x0\r\n\r\n${hidden}`),
  "no CRLF behind a chunk": chunked((hidden) => `${SIZE}\r\n${BODY}0\r\n\r\n${hidden}`),
  "two other bytes behind a chunk": chunked((hidden) => `${SIZE}\r\n${BODY}xx0\r\n\r\n${hidden}`),
};

const BODY_FOR_ALL = (hidden: string) => ({
  lines: [`content-length: ${hidden.length}`],
  rest: () => hidden,
});

const METHODS: Family = Object.fromEntries(
  ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "FOO"].flatMap((method) => [
    [`${method} with a length`, (hidden: string) => ({
      line: `${method} @ HTTP/1.1`,
      ...BODY_FOR_ALL(hidden),
    })],
    [`${method} with chunks`, () => ({
      line: `${method} @ HTTP/1.1`,
      lines: [CHUNKED],
      rest: chunkOf,
    })],
  ]),
);

const ODD_HEADS: Family = {
  "Expect with a body": (hidden) => ({
    lines: ["expect: 100-continue", `content-length: ${hidden.length}`],
    rest: () => hidden,
  }),
  "an upgrade with a body": (hidden) => ({
    lines: ["connection: upgrade", "upgrade: websocket", `content-length: ${hidden.length}`],
    rest: () => hidden,
  }),
  "Connection: content-length": (hidden) => ({
    lines: ["connection: content-length", `content-length: ${hidden.length}`],
    rest: () => hidden,
  }),
  "HTTP/1.0 with chunks over a length": (hidden) => ({
    line: "POST @ HTTP/1.0",
    ...lengthOver(CHUNKED)(hidden),
  }),
  "CR LF in the target": (hidden) => ({
    line: `POST @?a=%0d%0a HTTP/1.1`,
    ...BODY_FOR_ALL(hidden),
  }),
  "a field without a colon": (hidden) => ({
    lines: ["no-colon", `content-length: ${hidden.length}`],
    rest: () => hidden,
  }),
};

/** Hides a request in each payload; the number that may be seen of it is none. */
function hiding(family: Family): Scenario["run"] {
  return async (context) => {
    const session = await inSession(context);
    const hidden = hiddenRequest(context, session);
    for (const [what, make] of Object.entries(family)) {
      const said = await conversation(context, session, make(hidden), hidden);
      const { length } = reachedAsMessage(context, HIDDEN);
      expect(length === 0, `${what}: the hidden request reached the server`);
      // The mock answers a hidden request with its mark in escaped JSON.
      expect(!/\\"mark\\":\\"hidden/.test(said), `${what}: the hidden request was answered`);
    }
  };
}

/** How long a connection may take to end after a request that asks for it. */
const MAX_WAIT_MS = 500;

/** Sends a payload and then a last request that asks for the end; what the client was told. */
async function conversation(
  context: Context,
  session: OpenSession,
  payload: Payload,
  hidden: string,
): Promise<string> {
  const { pathname } = context.target.url;
  const { line, lines } = payload;
  const rest = payload.rest(hidden);
  const raw = { ...(line && { line: line.replace("@", pathname) }), lines, rest };
  const client = await context.connect();
  const ended = client.untilClosed();
  const last = rawText(context, session, {
    line: `OPTIONS ${pathname} HTTP/1.1`,
    lines: ["connection: close"],
  });
  await client.write(rawText(context, session, raw)).catch(() => {});
  await client.write(last).catch(() => {});
  // Nothing is judged by whether it closes; one that does not is not waited for.
  const limitMs = Math.min(context.patienceMs, MAX_WAIT_MS);
  const said = await context.within(ended, "the end", limitMs).catch(() => undefined);
  client.close();
  return new TextDecoder().decode(said ?? await ended);
}

const FAMILIES: Readonly<Record<string, readonly [title: string, source: string, Family]>> = {
  "both-framings": [
    "a request between a Content-Length and the end of chunks",
    "RFC 9112 sections 6.1, 6.3 and 11.2",
    PLAIN_TE,
  ],
  "odd-coding": [
    "a request behind a Transfer-Encoding that some understand and some do not",
    "RFC 9112 sections 5.1, 6.1 and 11.2",
    { ...ODD_TE, ...NO_TE },
  ],
  "two-codings": [
    "a request behind two Transfer-Encodings",
    "RFC 9112 sections 6.1 and 6.3",
    TWO_TE,
  ],
  "lengths": ["a request between two lengths", "RFC 9112 section 6.3, rule 5", LENGTHS],
  "chunks": ["a request in or behind odd chunks", "RFC 9112 section 7.1", CHUNKS],
  "methods": [
    "a request in the body of a method that seldom has one",
    "RFC 9110 section 9.3, RFC 9112 section 6.3",
    METHODS,
  ],
  "odd-heads": [
    "a request in the body of one with an odd head",
    "RFC 9110 sections 7.6.1, 7.8 and 10.1.1",
    ODD_HEADS,
  ],
};

/** The checks of smuggling. */
export const SMUGGLING: readonly Scenario[] = Object.entries(FAMILIES).map(
  ([name, [title, source, family]]) => ({
    id: `transport.smuggling-${name}`,
    group: "transport",
    title: `Never served: ${title}`,
    source: `${source}; R6`,
    run: hiding(family),
  }),
);
