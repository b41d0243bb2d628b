/**
 * Cases for the fuzzer: sound answers, most of them damaged. Pure: the same random numbers give the
 * same case.
 *
 * @module
 */

/** Numbers from 0 up to, not including, 1. */
export type Random = () => number;

/** Bytes to read, and how. */
export interface Case {
  /** The method of the requests that are answered; of no matter where requests are read. */
  readonly method: string;
  /** One message or several, one behind the other. */
  readonly bytes: Uint8Array;
  /** Two ways to split the bytes, each as {@link piecesOf} takes it. */
  readonly splits: readonly (readonly number[])[];
  /** The bodies, one character a byte, where the bytes are left undamaged. */
  readonly bodies: readonly string[] | undefined;
}

/** One message and its body. */
export interface Message {
  readonly text: string;
  readonly body: string;
}

/** Past the limits on heads and size lines. */
const STRETCHED_BYTES = 70_000;

const TOKENS: readonly string[] = [
  "\r\n",
  "\r\n\r\n",
  "0\r\n\r\n",
  "0\r\n",
  "\n",
  "\r",
  "\0",
  "\xa0",
  " ",
  "\t",
  ":",
  ",",
  ";a=b",
  "-1",
  "0x",
  "ffffffffffffff",
  "1000000000000",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.0 204 \r\n\r\n",
  "HTTP/2 200\r\n",
  "transfer-encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "content-length: 5\r\n",
  "Content-Length: 5, 6\r\n",
  "connection: close\r\n",
];

/** mulberry32: 32 bits of state, good enough to choose inputs by. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Text of characters up to U+00FF as bytes, one each. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The bytes in pieces of the given lengths, taken in turn, over and over. */
export function* piecesOf(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (let count = 0; at < bytes.length; count++) {
    const length = Math.max(1, lengths[count % lengths.length] ?? bytes.length);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** The case that the random numbers stand for. */
export function caseOf(random: Random): Case {
  const method = pick(random, ["GET", "POST", "POST", "HEAD"]);
  const answers = Array.from({ length: 1 + below(random, 3) }, () => answer(random, method));
  if (random() < 0.1) answers.push(answerToEnd(random, method));
  return caseWith(random, method, answers);
}

/** Messages as a case, damaged or not. */
export function caseWith(random: Random, method: string, messages: readonly Message[]): Case {
  const sound = messages.map(({ text }) => text).join("");
  const damages = below(random, 5);
  let text = sound;
  for (let count = 0; count < damages; count++) text = damaged(random, text, sound);
  return {
    method,
    bytes: bytesOf(text),
    splits: [lengths(random), lengths(random)],
    bodies: damages === 0 ? messages.map(({ body }) => body) : undefined,
  };
}

/** A whole number below `bound`. */
export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

/** One of the items. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)]!;
}

function lengths(random: Random): number[] {
  const most = pick(random, [1, 3, 20, 200, 5_000]);
  return Array.from({ length: 8 }, () => 1 + below(random, most));
}

/** An answer whose end does not depend on the end of the connection. */
function answer(random: Random, method: string): Message {
  const empty = random() < 0.2;
  const status = empty ? pick(random, [100, 103, 204, 304]) : pick(random, [200, 202, 404, 503]);
  const body = randomBytes(random);
  const bodiless = empty || method === "HEAD";
  const carried = bodiless ? "" : body;
  if (random() < 0.5) {
    const fields = [pick(random, ["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED \t"])];
    // Read as chunked, whatever the length says (RFC 9112 section 6.3).
    if (random() < 0.1) fields.push("content-length: 3");
    const coded = bodiless ? "" : chunked(random, carried);
    return { text: head(random, 1, status, fields) + coded, body: carried };
  }
  const zeros = "0".repeat(below(random, 3));
  const lines = Array(1 + below(random, 2)).fill(`Content-Length: ${zeros}${body.length}`);
  return { text: head(random, below(random, 2), status, lines) + carried, body: carried };
}

function answerToEnd(random: Random, method: string): Message {
  const body = method === "HEAD" ? "" : randomBytes(random);
  return { text: head(random, below(random, 2), 200, []) + body, body };
}

function head(random: Random, minor: number, status: number, framing: readonly string[]): string {
  const lines = [`HTTP/1.${minor} ${status}${pick(random, ["", " ", " OK", " Kein Gl\xfcck"])}`];
  const others = Array.from({ length: below(random, 4) }, () =>
    pick(random, [
      "Content-Type: application/json",
      "content-type:text/event-stream",
      "Connection: keep-alive, close",
      "Keep-Alive: timeout=5, max=100",
      `X-${below(random, 100)}: \t${"v".repeat(below(random, 30))} `,
    ]));
  lines.push(...others, ...framing);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A body in chunked coding. */
export function chunked(random: Random, body: string): string {
  const most = pick(random, [1, 7, 40, 5_000]);
  const zeros = () => "0".repeat(below(random, 3));
  const extension = () => pick(random, ["", "", " ", ";a", '; a="b;c"', " ;\ta = b"]);
  let text = "";
  for (let at = 0; at < body.length;) {
    const data = body.slice(at, at + 1 + below(random, most));
    const size = data.length.toString(16);
    text += `${zeros()}${random() < 0.5 ? size : size.toUpperCase()}${extension()}\r\n${data}\r\n`;
    at += data.length;
  }
  const trailers = "X-Sum: 1\r\n".repeat(below(random, 3));
  return `${text}0${zeros()}${extension()}\r\n${trailers}\r\n`;
}

/** Bytes of any kind, some of which look like framing. */
export function randomBytes(random: Random): string {
  const length = below(random, random() < 0.05 ? 4_000 : 40);
  // Half of them look like framing, which a reader that lost its place would take for it.
  if (random() < 0.5) return "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".repeat(200).slice(0, length);
  let text = "";
  for (let at = 0; at < length; at++) text += String.fromCharCode(below(random, 256));
  return text;
}

/** The text with one thing wrong, usually. */
function damaged(random: Random, text: string, other: string): string {
  const at = below(random, text.length + 1);
  const end = Math.min(text.length, at + 1 + below(random, pick(random, [1, 4, 30])));
  const before = text.slice(0, at);
  const range = text.slice(at, end);
  const rest = text.slice(end);
  if (random() < 0.001 && range !== "") {
    // Rare, since it is slow: a range over and over, past the limits.
    return before + range.repeat(Math.ceil(STRETCHED_BYTES / range.length)) + rest;
  }
  const from = below(random, other.length);
  const flipped = (range.charCodeAt(0) || 0) ^ (1 << below(random, 8));
  return pick<() => string>(random, [
    () => before + String.fromCharCode(flipped) + text.slice(at + 1),
    () => before + pick(random, TOKENS) + range + rest,
    () => before + pick(random, TOKENS) + rest,
    () => before + rest,
    () => before + range + range + rest,
    () => before + other.slice(from, from + below(random, 60)) + range + rest,
    () => before,
    () => swapped(text, at),
  ])();
}

/** The text with the next CR, or LF, behind `at` turned into the other. */
function swapped(text: string, at: number): string {
  const found = text.slice(at).search(/[\r\n]/);
  if (found === -1) return text;
  const index = at + found;
  return text.slice(0, index) + (text[index] === "\r" ? "\n" : "\r") + text.slice(index + 1);
}
