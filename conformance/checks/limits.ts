/**
 * Requests that are too large: refused before they cost much, and without harm to others.
 *
 * @module
 */

import {
  callRequest,
  type Context,
  expect,
  expectEqual,
  type OpenSession,
  type Scenario,
} from "../suite/mod.ts";
import { ConnectionClosed } from "../wire/mod.ts";
import { inSession, MARK, marked, type RawRequest, rawText } from "./probe.ts";

const MIB = 1024 * 1024;

/** What one write carries. */
const PIECE_BYTES = 64 * 1024;

/** A call of exactly so many bytes. */
function callOf(bytes: number): string {
  const empty = marked("");
  return marked("x".repeat(bytes - empty.length));
}

/**
 * Sends a head, then pieces until the answer is there: a proxy may refuse before it has all. The
 * status; undefined where the connection was closed.
 */
async function statusWhileSending(
  context: Context,
  head: string,
  pieces: readonly string[],
): Promise<number | undefined> {
  const client = await context.connect();
  let answered = false;
  const response = client.response().finally(() => answered = true);
  response.catch(() => {});
  try {
    await client.write(head);
    for (const piece of pieces) if (!answered) await client.write(piece);
  } catch {
    // Refused in the middle: the answer tells.
  }
  try {
    return (await context.within(response, "the answer to a body that is too large")).status;
  } catch (error) {
    if (error instanceof ConnectionClosed) return undefined;
    throw error;
  } finally {
    client.close();
  }
}

/** Fails unless a large request was refused with 413 (or by closing) and came nowhere. */
function expectTooLarge(context: Context, status: number | undefined): void {
  expectEqual(largeOnes(context), 0, "the number of too large requests that reached the server");
  const right = status === 413 || status === undefined;
  expect(right, `a body over the limit got ${status}, expected 413 or a closed connection`);
}

/** The number of requests at the server that are larger than any of opening a session. */
function largeOnes(context: Context): number {
  return context.mock.requests.filter(({ body }) => body.length > PIECE_BYTES).length;
}

async function declared(context: Context): Promise<void> {
  const session = await inSession(context);
  const body = callOf(2 * MIB);
  const head = rawText(context, session, { lines: [`content-length: ${body.length}`] });
  const pieces = piecesOf(body);
  expectTooLarge(context, await statusWhileSending(context, head, pieces));
}

async function chunked(context: Context): Promise<void> {
  const session = await inSession(context);
  const head = rawText(context, session, { lines: ["transfer-encoding: chunked"] });
  const chunks = piecesOf(callOf(2 * MIB)).map((piece) =>
    `${piece.length.toString(16)}\r\n${piece}\r\n`
  );
  expectTooLarge(
    context,
    await statusWhileSending(context, head, [...chunks, "0\r\n\r\n"]),
  );
}

async function oneChunk(context: Context): Promise<void> {
  const session = await inSession(context);
  const head = rawText(context, session, {
    lines: ["transfer-encoding: chunked"],
    rest: "7fffffffffff\r\n",
  });
  const status = await statusWhileSending(context, head, piecesOf(callOf(2 * MIB)));
  expectEqual(
    largeOnes(context),
    0,
    "the number of requests with a chunk of 128 TiB at the server",
  );
  const right = status === undefined || status === 413 || status === 400;
  expect(right, `a chunk of 128 TiB got ${status}, expected 413, 400 or a closed connection`);
}

function piecesOf(text: string): readonly string[] {
  const count = Math.ceil(text.length / PIECE_BYTES);
  return Array.from(
    { length: count },
    (_, at) => text.slice(at * PIECE_BYTES, (at + 1) * PIECE_BYTES),
  );
}

async function atTheLimit(context: Context): Promise<void> {
  const session = await inSession(context);
  const { status } = await context.send({ body: callOf(MIB), fields: session.fields });
  expectEqual(status, 200, "the status of a call of 1 MiB");
}

/** Sends each head; it has to be refused, and the next call served. */
function refusingHeads(heads: () => Readonly<Record<string, RawRequest>>): Scenario["run"] {
  return async (context) => {
    const session = await inSession(context);
    for (const [what, raw] of Object.entries(heads())) {
      const status = await statusWhileSending(context, rawText(context, session, raw), []);
      const right = status === undefined || REFUSED_HEAD.has(status);
      expect(right, `${what} got ${status}, expected 431, 400 or a closed connection`);
      await expectServed(context, session, `the call after ${what}`);
    }
  };
}

/** Bad Request, Not Found, Content Too Large, URI Too Long, Request Header Fields Too Large. */
const REFUSED_HEAD = new Set([400, 404, 413, 414, 431]);

async function expectServed(context: Context, session: OpenSession, what: string): Promise<void> {
  const { status } = await context.send({ body: callRequest(2), fields: session.fields });
  expect(status === 200, `${what} got ${status}, expected 200`);
}

async function compressedBody(context: Context): Promise<void> {
  const session = await inSession(context);
  const plain = new Blob([marked(MARK), " ".repeat(4 * MIB)]).stream();
  const zipped = await new Response(plain.pipeThrough(new CompressionStream("gzip"))).bytes();
  const fields = { ...session.fields, "content-encoding": "gzip" };
  await context.send({ body: zipped, fields });
  const largest = Math.max(
    0,
    ...context.mock.requests.map(({ body }) => body.length),
  );
  expect(largest <= MIB, `${zipped.length} bytes of gzip became ${largest} bytes for the server`);
}

async function othersMeanwhile(context: Context): Promise<void> {
  const session = await inSession(context);
  const client = await context.connect();
  const lines = [`content-length: ${MIB}`];
  await client.write(rawText(context, session, { lines, rest: "{" }));
  await expectServed(context, session, "a call while another is half sent");
}

const many = (count: number, text: string): readonly string[] => Array(count).fill(text);

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "limits.declared-length",
    title: "A body whose declared length is over the limit is refused",
    source: "RFC 9110 section 15.5.14; R32",
    assumes: ["body-limit-1m"],
    run: declared,
  },
  {
    id: "limits.chunked-length",
    title: "A chunked body that grows over the limit is refused",
    source: "RFC 9110 section 15.5.14; R32",
    assumes: ["body-limit-1m"],
    run: chunked,
  },
  {
    id: "limits.one-huge-chunk",
    title: "A chunk that announces 128 TiB is refused before it has come",
    source: "RFC 9112 section 7.1; R32",
    assumes: ["body-limit-1m"],
    run: oneChunk,
  },
  {
    id: "limits.body-at-limit",
    title: "A body of just the limit is served",
    source: "R32",
    assumes: ["body-limit-1m"],
    run: atTheLimit,
  },
  {
    id: "limits.long-head",
    title: "A head that is too long is refused, and harms nobody",
    source: "RFC 9110 section 5.4, RFC 6585 section 5",
    run: refusingHeads(() => ({
      "a field of 1 MiB": { lines: [`x-long: ${"x".repeat(MIB)}`] },
      "a field name of 1 MiB": { lines: [`${"x".repeat(MIB)}: 1`] },
      "20,000 fields": { lines: many(20_000, "x-many: 1234567890123456789012345678901234567890") },
    })),
  },
  {
    id: "limits.long-target",
    title: "A target that is too long is refused, and harms nobody",
    source: "RFC 9110 section 15.5.15",
    run: refusingHeads(() => ({
      "a target of 1 MiB": { line: `POST /${"x".repeat(MIB)} HTTP/1.1` },
      "a query of 1 MiB": { line: `POST /?${"x".repeat(MIB)} HTTP/1.1` },
      "a method of 1 MiB": { line: `${"X".repeat(MIB)} / HTTP/1.1` },
    })),
  },
  {
    id: "limits.compressed-body",
    title: "A small body of gzip never becomes a large one for the server",
    source: "RFC 9110 section 8.4; R87",
    assumes: ["body-limit-1m"],
    run: compressedBody,
  },
  {
    id: "limits.half-sent",
    title: "A request that is half sent holds up nobody else",
    source: "R83",
    run: othersMeanwhile,
  },
];

/** The checks of what is too large. */
export const LIMITS: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "limits" }));
