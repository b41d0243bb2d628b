/**
 * How requests are framed: where a head and a body end, by RFC 9112.
 *
 * @module
 */

import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import {
  expectRefused,
  expectRefusedOrWhole,
  expectWhole,
  inSession,
  isRefusal,
  marked,
  outcomeOfRaw,
  type RawRequest,
  rawText,
  reached,
  told,
} from "./probe.ts";

const BODY = marked();
const LENGTH = `content-length: ${BODY.length}`;

/** One chunk with the body, and the last chunk. */
const CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const CHUNKED = "transfer-encoding: chunked";

/** Requests that have to be refused: each is sent on its own connection. */
function refusing(variants: Readonly<Record<string, RawRequest>>): Scenario["run"] {
  return async (context) => {
    const session = await inSession(context);
    for (const [what, raw] of Object.entries(variants)) {
      expectRefused(context, await outcomeOfRaw(context, session, raw), what);
    }
  };
}

/** Requests that may be refused, or repaired and served once. */
function refusingOrServing(variants: Readonly<Record<string, RawRequest>>): Scenario["run"] {
  return async (context) => {
    for (const [what, raw] of Object.entries(variants)) {
      context.mock.reset();
      const session = await inSession(context);
      const outcome = await outcomeOfRaw(context, session, raw);
      expectRefusedOrWhole(context, outcome, what);
    }
  };
}

/** Requests that have to be served, each with the body as it is. */
function serving(variants: Readonly<Record<string, RawRequest>>): Scenario["run"] {
  return async (context) => {
    for (const [what, raw] of Object.entries(variants)) {
      context.mock.reset();
      const session = await inSession(context);
      const outcome = await outcomeOfRaw(context, session, raw);
      expect(outcome !== "closed" && outcome.status === 200, `${what} got ${told(outcome)}`);
      expectWhole(context, what);
    }
  };
}

async function bothFramings(context: Context): Promise<void> {
  const session = await inSession(context);
  const lines = [`content-length: ${CHUNKS.length}`, CHUNKED];
  const client = await context.connect();
  await client.write(rawText(context, session, { lines, rest: CHUNKS }));
  const raw = await context.within(client.untilClosed(), "the close that RFC 9112 6.1 demands");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(new TextDecoder().decode(raw))?.[1] ?? 400);
  if (status === 200) return expectWhole(context, "a request with both framings");
  expect(status >= 400 && status <= 501, `both framings got status ${status}, expected 400`);
  expectEqual(reached(context).length, 0, "the number of refused requests at the server");
}

async function shortBody(context: Context): Promise<void> {
  const session = await inSession(context);
  const client = await context.connect();
  // What came is whole JSON; what was announced is not whole.
  const lines = [`content-length: ${BODY.length + 10}`];
  await client.write(rawText(context, session, { lines, rest: BODY }));
  client.close();
  const after = await context.send({ body: callRequest(2), fields: session.fields });
  expectEqual(after.status, 200, "the status of the next request");
  const { length } = reached(context);
  expect(length === 0, "a request whose body broke off reached the server as a whole one");
}

async function pipelined(context: Context): Promise<void> {
  const session = await inSession(context);
  const one = (mark: string, id: string) => {
    const body = marked(mark, id);
    return rawText(context, session, { lines: [`content-length: ${body.length}`], rest: body });
  };
  const client = await context.connect();
  await client.write(one("first", "1") + one("second", "2"));
  const first = await context.within(client.response(), "the first answer");
  const answer = await context.finish(first);
  expect(answer.text.includes("first"), `the first answer is ${answer.text}`);
  // The server of a connection may close it after an answer; what it may not is mix answers up.
  if (first.field("connection")?.toLowerCase() === "close") return;
  const second = await context.within(
    client.response().then((response) => context.finish(response), () => undefined),
    "the second answer, or the end of the connection",
  );
  expect(second?.text.includes("second") ?? true, `the second answer is ${second?.text}`);
}

async function head(context: Context): Promise<void> {
  const session = await inSession(context);
  const line = `HEAD ${context.target.url.pathname} HTTP/1.1`;
  const client = await context.connect();
  await client.write(rawText(context, session, { line }));
  await context.within(client.response("HEAD"), "the answer to HEAD");
  await client.write(rawText(context, session, { lines: [LENGTH], rest: BODY })).catch(() => {});
  const next = await context.within(
    client.response().then(({ status }) => status, (error) => String(error)),
    "what follows HEAD",
  );
  const closed = typeof next === "string" && next.includes("closed");
  expect(next === 200 || closed, `after HEAD came ${next}, expected the next answer or the end`);
}

async function expectContinue(context: Context): Promise<void> {
  const session = await inSession(context);
  const raw = { lines: [LENGTH, "expect: 100-continue"], rest: BODY };
  const outcome = await outcomeOfRaw(context, session, raw);
  // It may go on to the server (RFC 9110) or not: what counts is that nobody waits for the other.
  expect(
    outcome !== "closed" && outcome.status === 200,
    `Expect got ${told(outcome)}, expected 200`,
  );
  expectWhole(context, "a request with Expect");
}

async function trailers(context: Context): Promise<void> {
  const session = await inSession(context);
  const rest = CHUNKS.replace(/\r\n\r\n$/, "\r\nx-trailer: 1\r\nmcp-method: x\r\n\r\n");
  const outcome = await outcomeOfRaw(context, session, { lines: [CHUNKED], rest });
  expectRefusedOrWhole(context, outcome, "a body with trailers");
  const names = reached(context).flatMap(({ fields }) => fields.map(([name]) => name));
  expect(!names.includes("mcp-method"), "a trailer of the client became a field of the head");
}

async function folded(context: Context): Promise<void> {
  await refusingOrServing({
    "a folded field": { lines: [LENGTH, "x-folded: a", " b"], rest: BODY },
    "a field folded with a tab": { lines: [LENGTH, "x-folded: a", "\tb"], rest: BODY },
  })(context);
  const value = reached(context)[0]?.field("x-folded");
  expect(value === undefined || /^a\s+b$/.test(value), `a folded field arrived as ${value}`);
}

async function controlCharacters(context: Context): Promise<void> {
  for (const [what, character] of [["NUL", "\0"], ["a bare CR", "\r"]]) {
    context.mock.reset();
    const session = await inSession(context);
    const lines = [LENGTH, `x-odd: a${character}x-second: b`];
    const outcome = await outcomeOfRaw(context, session, { lines, rest: BODY });
    expectRefusedOrWhole(context, outcome, `${what} in a field`);
    const split = reached(context)[0]?.field("x-second");
    expect(split === undefined, `${what} in a field made two fields of it`);
  }
}

async function bareLf(context: Context): Promise<void> {
  const session = await inSession(context);
  // For those who know no bare LF the head ends behind the body.
  const raw = { lines: [LENGTH], rest: `${BODY}\r\n\r\n`, eol: "\n" };
  const outcome = await outcomeOfRaw(context, session, raw);
  if (!isRefusal(outcome)) return expectWhole(context, "a head with bare LF");
  expectEqual(reached(context).length, 0, "the number of refused requests at the server");
}

const lines = (...extra: string[]): RawRequest => ({ lines: extra, rest: BODY });
const coded = (coding: string): RawRequest => ({
  lines: [`transfer-encoding: ${coding}`],
  rest: CHUNKS,
});
const chunks = (rest: string): RawRequest => ({ lines: [CHUNKED], rest });
const SIZE = BODY.length.toString(16);

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "transport.both-framings",
    title: "Content-Length with Transfer-Encoding: refused, or read as chunked; then closed",
    source: "RFC 9112 sections 6.1 and 6.3; R1",
    run: bothFramings,
  },
  {
    id: "transport.differing-lengths",
    title: "Content-Length with two values is refused",
    source: "RFC 9112 section 6.3, rule 5; R2",
    run: refusing({
      "two lengths, the first too short": lines("content-length: 3", LENGTH),
      "two lengths, the second too short": lines(LENGTH, "content-length: 3"),
      "two lengths in one field": lines(`content-length: ${BODY.length}, 3`),
    }),
  },
  {
    id: "transport.equal-lengths",
    title: "A Content-Length that is repeated is refused, or sent on once",
    source: "RFC 9112 section 6.3, rule 5; R3",
    run: refusingOrServing({
      "the same length twice": lines(LENGTH, LENGTH),
      "the same length twice in one field": lines(`${LENGTH}, ${BODY.length}`),
    }),
  },
  {
    id: "transport.odd-length",
    title: "A Content-Length that is no number is refused",
    source: "RFC 9110 section 8.6, RFC 9112 section 6.3, rule 5; R4",
    run: refusing({
      "a length with a sign": lines(`content-length: +${BODY.length}`),
      "a negative length": lines("content-length: -1"),
      "a hexadecimal length": lines(`content-length: 0x${BODY.length.toString(16)}`),
      "a length with a fraction": lines(`content-length: ${BODY.length}.0`),
      "a length with a space in it": lines(`content-length: 1 ${BODY.length}`),
      "a length beyond 64 bits": lines("content-length: 18446744073709551700"),
    }),
  },
  {
    id: "transport.odd-transfer-coding",
    title: "A Transfer-Encoding that does not end in one plain `chunked` is refused",
    source: "RFC 9112 sections 6.1 and 6.3, rule 4; R4",
    run: refusing({
      "xchunked": coded("xchunked"),
      "chunked, identity": coded("chunked, identity"),
      "chunked followed by gzip": coded("chunked, gzip"),
      "identity": coded("identity"),
      "quoted chunked": coded('"chunked"'),
      "chunked with a vertical tab": coded("\x0bchunked"),
    }),
  },
  {
    id: "transport.other-coding",
    title: "A body that claims a coding before `chunked`, and is not in it, is refused",
    source: "RFC 9112 section 6.1 (501 for codings that are not understood); R4",
    run: refusing({
      "gzip, chunked": coded("gzip, chunked"),
      "x-unknown, chunked": coded("x-unknown, chunked"),
    }),
  },
  {
    id: "transport.space-before-colon",
    title: "White space between a field name and its colon is refused",
    source: "RFC 9112 section 5.1; R4",
    run: refusing({
      "a space after Content-Length": lines(`content-length : ${BODY.length}`),
      "a tab after Content-Length": lines(`content-length\t: ${BODY.length}`),
      "a space after a field of no meaning": lines(LENGTH, "x-odd : 1"),
    }),
  },
  {
    id: "transport.folded-field",
    title: "A field over several lines is refused, or joined",
    source: "RFC 9112 section 5.2; R4",
    run: folded,
  },
  {
    id: "transport.control-characters",
    title: "NUL and a bare CR in a field are refused, or replaced",
    source: "RFC 9110 section 5.5, RFC 9112 section 2.2; R4",
    run: controlCharacters,
  },
  {
    id: "transport.bare-lf",
    title: "A head whose lines end in LF alone is refused, or is one request",
    source: "RFC 9112 section 2.2; R5",
    run: bareLf,
  },
  {
    id: "transport.odd-chunks",
    title: "Chunks that are none are refused, and reach the server as no whole request",
    source: "RFC 9112 section 7.1; R4",
    run: refusing({
      "a size with 0x": chunks(CHUNKS.replace(SIZE, `0x${SIZE}`)),
      "a negative size": chunks(CHUNKS.replace(SIZE, "-1")),
      "a size beyond 64 bits": chunks(CHUNKS.replace(SIZE, `1${"0".repeat(16)}${SIZE}`)),
      "a chunk longer than its size": chunks(`3\r\n${BODY}\r\n0\r\n\r\n`),
      "a size that is empty": chunks(CHUNKS.replace(SIZE, "")),
    }),
  },
  {
    id: "transport.chunked-body",
    title: "Chunks are read as RFC 9112 has them: extensions, leading zeros, capital letters",
    source: "RFC 9112 section 7.1",
    run: serving({
      "one chunk": chunks(CHUNKS),
      "leading zeros": chunks(CHUNKS.replace(SIZE, `000${SIZE}`)),
      "capital letters": chunks(CHUNKS.replace(SIZE, SIZE.toUpperCase())),
      "an extension": chunks(CHUNKS.replace(SIZE, `${SIZE};name=value`)),
      "Chunked": { lines: ["Transfer-Encoding: Chunked"], rest: CHUNKS },
    }),
  },
  {
    id: "transport.trailers",
    title: "What stands behind a chunked body never becomes a field of the head",
    source: "RFC 9110 section 6.5.1, RFC 9112 section 7.1.2",
    run: trailers,
  },
  {
    id: "transport.short-body",
    title: "A request that broke off is none",
    source: "RFC 9112 section 8",
    run: shortBody,
  },
  {
    id: "transport.pipelining",
    title: "Two requests sent at once are answered in their order",
    source: "RFC 9112 section 9.3.2",
    run: pipelined,
  },
  {
    id: "transport.head-without-body",
    title: "HEAD is answered without a body",
    source: "RFC 9110 section 9.3.2",
    run: head,
  },
  {
    id: "transport.expect-continue",
    title: "A client that expects 100 is served; neither side waits for the other",
    source: "RFC 9110 section 10.1.1; R17",
    run: expectContinue,
  },
];

/** The checks of how requests are framed. */
export const FRAMING: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "transport" }));
