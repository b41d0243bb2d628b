/**
 * What the fuzzer holds the readers of answers and of requests to. Pure.
 *
 * A case is read whole and in two splits. All readings must agree; only {@link HttpSyntaxError} may
 * be thrown; each call must use at least one byte; no more may come out than went in; what was left
 * undamaged must be read as it was written.
 *
 * @module
 */

import { ChunkedDecoder, type Decoded } from "./chunked.ts";
import { type AnswerFraming, answerFraming } from "./answer_framing.ts";
import { type AnswerHead, AnswerHeadReader } from "./answer_head.ts";
import type { BodyFraming } from "./body_decoder.ts";
import { bytesOf, type Case, caseOf, piecesOf, type Random } from "./fuzz_cases.ts";
import { requestCaseOf } from "./fuzz_requests.ts";
import type { HeadResult } from "./kept_head.ts";
import { type RequestHead, RequestHeadReader } from "./request_head.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** Readings of a case: whole, and in two splits. */
export const READINGS = 3;

const latin1 = new TextDecoder("latin1");

/** What is fuzzed; a parameter, so that a test can pass a broken one. */
export interface Subject<H = AnswerHead, F extends Framed = AnswerFraming> {
  /** A reader of heads. */
  readonly headReader: () => { feed(piece: Uint8Array): HeadResult<H> | undefined };
  /** A decoder of one chunked body. */
  readonly decoder: () => {
    readonly done: boolean;
    readonly salvaged: number;
    decode(piece: Uint8Array): Decoded;
  };
  /** The framing of a message. */
  readonly framing: (method: string, head: H) => F;
}

/** What tells how a body ends. */
export interface Framed {
  readonly body: BodyFraming;
}

/** A subject and the cases for it. */
export interface Target {
  /** The case that random numbers stand for. */
  caseOf(random: Random): Case;
  /** Holds the subject to a case; see {@link check}. */
  check(tried: Case): boolean;
}

/** The code of this folder that reads answers. */
export const SUBJECT: Subject = {
  headReader: () => new AnswerHeadReader(),
  decoder: () => new ChunkedDecoder(),
  framing: answerFraming,
};

/** The code of this folder that reads requests. */
export const REQUEST_SUBJECT: Subject<RequestHead, RequestHead> = {
  headReader: () => new RequestHeadReader(),
  decoder: () => new ChunkedDecoder(),
  framing: (_, head) => head,
};

/** A reader of answers, on answers. */
export function answers(subject = SUBJECT): Target {
  return { caseOf, check: (tried) => check(tried, subject) };
}

/** A reader of requests, on requests. */
export function requests(subject = REQUEST_SUBJECT): Target {
  return { caseOf: requestCaseOf, check: (tried) => check(tried, subject) };
}

/** The code broke a promise; the message tells which. */
export class Finding extends Error {
  /** Its name. */
  override readonly name = "Finding";
}

/**
 * Holds all readings of a case against each other; whether the bytes were refused.
 *
 * @throws {Finding} where they differ, or what the subject throws beside {@link HttpSyntaxError}.
 */
export function check<H, F extends Framed>(tried: Case, subject: Subject<H, F>): boolean {
  const whole = read(tried, [tried.bytes.length], subject);
  for (const split of tried.splits) {
    const difference = differenceOf(whole, read(tried, split, subject));
    if (difference !== undefined) throw new Finding(`splits differ in their ${difference}`);
  }
  if (whole.bodies.join("").length > tried.bytes.length) throw new Finding("more out than in");
  if (tried.bodies !== undefined) {
    const written = tried.bodies.map((body) => latin1.decode(bytesOf(body)));
    const same = JSON.stringify(written) === JSON.stringify(whole.bodies);
    if (whole.refused || !same) throw new Finding("sound messages are read otherwise than written");
  }
  return whole.refused;
}

function differenceOf<H, F extends Framed>(
  one: Reading<H, F>,
  other: Reading<H, F>,
): string | undefined {
  if (one.refused !== other.refused) return "errors";
  if (JSON.stringify(one.heads) !== JSON.stringify(other.heads)) return "heads";
  if (one.ends.join() !== other.ends.join()) return "ends";
  if (JSON.stringify(one.bodies) !== JSON.stringify(other.bodies)) return "bodies";
  return undefined;
}

function read<H, F extends Framed>(
  { method, bytes }: Case,
  split: readonly number[],
  subject: Subject<H, F>,
): Reading<H, F> {
  const reading = new Reading(method, subject);
  try {
    // A copy, since bodies are decoded in place.
    for (const piece of piecesOf(bytes.slice(), split)) reading.take(piece);
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    reading.refused = true;
  }
  return reading;
}

/** Reads message after message, as from a connection. */
class Reading<H, F extends Framed> {
  /** Heads and their framings, as JSON has them. */
  readonly heads: (readonly [H, F])[] = [];
  /** A body for each head; the last may go on. */
  readonly bodies: string[] = [];
  /** Offsets at which messages ended. */
  readonly ends: number[] = [];
  refused = false;
  readonly #method: string;
  readonly #subject: Subject<H, F>;
  readonly #headReader: ReturnType<Subject<H, F>["headReader"]>;
  #decoder: ReturnType<Subject["decoder"]>;
  /** The framing of the body that goes on; undefined in a head. */
  #body: BodyFraming | undefined;
  #remaining = 0;
  #offset = 0;

  constructor(method: string, subject: Subject<H, F>) {
    this.#method = method;
    this.#subject = subject;
    this.#headReader = subject.headReader();
    this.#decoder = subject.decoder();
  }

  /** Takes the next piece; each call of the subject must use at least one byte, and no more. */
  take(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      const rest = piece.subarray(at);
      const used = this.#body === undefined ? this.#head(rest) : this.#bodyBytes(rest, this.#body);
      if (!(used >= 1 && used <= rest.length)) {
        throw new Finding(`${used} of ${rest.length} bytes used`);
      }
      at += used;
      this.#offset += used;
      if (this.#body?.kind === "none") {
        this.#body = undefined;
        this.ends.push(this.#offset);
      }
    }
  }

  #head(rest: Uint8Array): number {
    const result = this.#headReader.feed(rest);
    if (result === undefined) return rest.length;
    const framing = this.#subject.framing(this.#method, result.head);
    this.heads.push([result.head, framing]);
    this.bodies.push("");
    this.#body = framing.body;
    this.#remaining = framing.body.kind === "length" ? framing.body.bytes : 0;
    if (framing.body.kind === "chunked") this.#decoder = this.#subject.decoder();
    return result.consumed;
  }

  #bodyBytes(rest: Uint8Array, body: BodyFraming): number {
    const { length, consumed } = body.kind === "chunked" ? this.#decode(rest) : this.#count(rest);
    this.bodies[this.bodies.length - 1] += latin1.decode(rest.subarray(0, length));
    return consumed;
  }

  #decode(rest: Uint8Array): Decoded {
    const decoded = this.#salvage(rest, () => this.#decoder.decode(rest));
    if (decoded.length > decoded.consumed) throw new Finding("more decoded than read");
    if (this.#decoder.done) this.#body = { kind: "none" };
    else if (decoded.consumed !== rest.length) throw new Finding("the decoder stopped early");
    return decoded;
  }

  /** Counts what came ahead of a mistake to the body: it is handed out all the same. */
  #salvage(rest: Uint8Array, decode: () => Decoded): Decoded {
    try {
      return decode();
    } catch (error) {
      const ahead = rest.subarray(0, this.#decoder.salvaged);
      this.bodies[this.bodies.length - 1] += latin1.decode(ahead);
      throw error;
    }
  }

  #count(rest: Uint8Array): Decoded {
    if (this.#body?.kind === "close") return { length: rest.length, consumed: rest.length };
    const length = Math.min(this.#remaining, rest.length);
    this.#remaining -= length;
    if (this.#remaining === 0) this.#body = { kind: "none" };
    return { length, consumed: length };
  }
}
