/**
 * Fetching what an authorization server publishes, and posting forms to it, with no more trust in it than that: no
 * redirects, a bounded answer, a deadline, and no address of a network that is not meant (R95).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { lookup } from "node:dns/promises";
import type { Clock, Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import {
  http1Client,
  type HttpAnswer,
  type HttpRequest,
  type HttpTarget,
  mayRepeat,
  parseTarget,
} from "../upstream/mod.ts";
import { type Bytes, isAddress, isPublicAddress, isSecureUrl, retryAfterMs } from "../http/mod.ts";

/** Bytes of a document. */
export const MAX_DOCUMENT_BYTES = 262_144;

/** Bytes of the answer to a form. */
export const MAX_FORM_ANSWER_BYTES = 65_536;

/** The longest time for one answer, from the server's name to its last byte, in milliseconds. */
export const DOCUMENT_TIMEOUT_MS = 5_000;

/** The longest wait for a connection to one of the addresses, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Addresses of one name that are tried. */
const MAX_ADDRESSES = 4;

/** What is told where nobody wants it any more. */
const GIVEN_UP = "it was given up";

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** What fetching goes by. */
export interface DocumentOptions {
  /** Time. */
  readonly clock: Clock;
  /** Whether addresses that are not of the public internet may be dialled, those of this machine included. */
  readonly allowPrivateAddresses: boolean;
  /** The setting that says so, as an operator is told. */
  readonly setting: string;
  /** Finds the addresses of a name; the system's by default. */
  readonly resolve?: Resolve | undefined;
}

/** What is known of a document that could not be had. */
export interface DocumentErrorDetails {
  /** The status of the answer, where there was one. */
  readonly status?: number;
  /** Whether an operator has to see to it; false by default. */
  readonly isFinal?: boolean;
  /** How long it is to be left alone, as it has said, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** What went wrong, if that was an error itself. */
  readonly cause?: unknown;
}

/** Why a document could not be had; the message is for operators. */
export class DocumentError extends Error {
  /** The status of the answer, where there was one. */
  readonly status: number | undefined;
  /** Whether an operator has to see to it: another attempt comes to the same. */
  readonly isFinal: boolean;
  /** How long it is to be left alone, as it has said, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  /** A failure told in one sentence part, such as `it answered 302`. */
  constructor(message: string, details: DocumentErrorDetails = {}) {
    const { status, isFinal = false, retryAfterMs, cause } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DocumentError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.isFinal = isFinal;
  }
}

/** A form to be posted. */
export interface Form {
  /** What it says, as `application/x-www-form-urlencoded`. */
  readonly parameters: URLSearchParams;
  /** Names and values, in turn, of fields beside those of every request. */
  readonly fields: readonly string[];
}

/** The answer to a form. */
export interface FormAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The JSON in it; undefined where an answer other than 200 has none. */
  readonly document: unknown;
  /** How long it is to be left alone, as it has said, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A request to be sent, and what is made of its answer. */
interface Asked<T> extends Pick<HttpRequest, "method" | "fields" | "body"> {
  readonly read: (answer: HttpAnswer, clock: Clock) => Promise<T>;
}

/**
 * The JSON at `url`.
 *
 * @param signal aborted when nobody wants it any more
 * @throws {DocumentError}
 */
export function fetchDocument(
  url: URL,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const fields: string[] = [];
  return inTime({ method: "GET", fields, body: null, read: readDocument }, url, options, signal);
}

/**
 * What a server answers to a form. It is sent once: to another address of the same name only where nothing of it has
 * left.
 *
 * @param signal aborted when nobody wants it any more
 * @throws {DocumentError}
 */
export function postForm(
  url: URL,
  form: Form,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<FormAnswer> {
  const fields = ["content-type", "application/x-www-form-urlencoded", ...form.fields];
  const body = new TextEncoder().encode(form.parameters.toString());
  return inTime({ method: "POST", fields, body, read: readFormAnswer }, url, options, signal);
}

async function inTime<T>(
  asked: Asked<T>,
  url: URL,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<T> {
  if (signal.aborted) throw new DocumentError(GIVEN_UP);
  const { clock } = options;
  const abort = new AbortController();
  const late = Promise.withResolvers<never>();
  const end = (why: string) => {
    abort.abort();
    late.reject(new DocumentError(why));
  };
  const give = () => end(GIVEN_UP);
  const timer: Timer = clock.after(
    DOCUMENT_TIMEOUT_MS,
    () => end(`it took longer than ${DOCUMENT_TIMEOUT_MS / 1000} seconds`),
  );
  signal.addEventListener("abort", give, { once: true });
  const asking = askWithin(asked, url, options, abort.signal);
  try {
    return await Promise.race([asking, late.promise]);
  } catch (error) {
    // Looking up a name cannot be given up; what comes of it then is nobody's.
    asking.catch(() => {});
    throw error instanceof DocumentError ? error : new DocumentError(told(error), { cause: error });
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", give);
  }
}

/** What a failure of a connection is called; the rest is in its cause. */
function told(error: unknown): string {
  return error instanceof ProxyError ? `the exchange failed (${error.kind})` : "it failed";
}

async function askWithin<T>(
  asked: Asked<T>,
  url: URL,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<T> {
  if (!isSecureUrl(url)) {
    throw new DocumentError("its URL is not https, nor http on this machine", { isFinal: true });
  }
  const parsed = parseTarget(url.href, { caCerts: [], cert: undefined, key: undefined });
  if (parsed?.target.kind !== "tcp") {
    throw new DocumentError("its URL names no host", { isFinal: true });
  }
  const { target, path, query } = parsed;
  const addresses = await checkedAddresses(target.hostname, options);
  for (const [at, address] of addresses.entries()) {
    if (signal.aborted) throw new DocumentError(GIVEN_UP);
    try {
      return await ask(asked, { ...target, address }, path + query, options.clock, signal);
    } catch (error) {
      // This one has said nothing, so another may be asked.
      const isLast = at === addresses.length - 1;
      if (isLast || !mayRepeat(asked.method === "GET", error)) throw error;
    }
  }
  throw new DocumentError("its name has no address");
}

/**
 * The addresses of a name, each of which may be dialled. The one that was looked at is the one that is dialled: a
 * name that resolves to another address a moment later changes nothing.
 */
async function checkedAddresses(
  hostname: string,
  { allowPrivateAddresses, setting, resolve = systemResolve }: DocumentOptions,
): Promise<readonly string[]> {
  const found = isAddress(hostname) ? [hostname] : await addressesOf(hostname, resolve);
  const isRefused = !allowPrivateAddresses && !found.every(isPublicAddress);
  if (isRefused) {
    throw new DocumentError(
      `its name resolves to an address that is not of the public internet; ${setting} allows those`,
      { isFinal: true },
    );
  }
  return found.slice(0, MAX_ADDRESSES);
}

async function addressesOf(hostname: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    return await resolve(hostname);
  } catch (cause) {
    throw new DocumentError("its name cannot be resolved", { cause });
  }
}

/** As programs on this machine resolve names, its own file of hosts included. */
async function systemResolve(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

async function ask<T>(
  { method, fields, body, read }: Asked<T>,
  target: HttpTarget,
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const client = http1Client({
    target,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    maxConnections: 1,
    maxStreams: 1,
    maxQueued: 1,
    queueTimeoutMs: CONNECT_TIMEOUT_MS,
    keepAliveMs: 1,
    clock,
  });
  const limit = DOCUMENT_TIMEOUT_MS;
  try {
    const answer = await client.send({
      method,
      path,
      fields: ["accept", "application/json", "accept-encoding", "identity", ...fields],
      body,
      signal,
      timeouts: { headersMs: limit, totalMs: limit, bodyIdleMs: limit, streamIdleMs: limit },
    });
    return await read(answer, clock);
  } finally {
    await client.close();
  }
}

function readDocument(answer: HttpAnswer, clock: Clock): Promise<unknown> {
  const { status } = answer;
  if (status !== 200) {
    throw new DocumentError(`it answered ${status}`, { status, ...laterIn(answer, clock) });
  }
  return readJson(answer, MAX_DOCUMENT_BYTES);
}

async function readFormAnswer(answer: HttpAnswer, clock: Clock): Promise<FormAnswer> {
  const { status } = answer;
  const later = laterIn(answer, clock);
  try {
    return { status, document: await readJson(answer, MAX_FORM_ANSWER_BYTES), ...later };
  } catch (error) {
    // A refusal counts, whatever it is written in.
    if (status === 200 || !(error instanceof DocumentError)) throw error;
    return { status, document: undefined, ...later };
  }
}

/** How long a server that has no answer now is to be left alone, if it says so. */
function laterIn({ status, fields }: HttpAnswer, clock: Clock) {
  if (status !== 429 && status !== 503) return {};
  return { retryAfterMs: retryAfterMs(fields, clock.now().getTime()) };
}

async function readJson({ status, fields, body }: HttpAnswer, maxBytes: number): Promise<unknown> {
  if ((fields.get("content-encoding") ?? "identity") !== "identity") {
    throw new DocumentError("it came in a content coding that was not asked for", { status });
  }
  const pieces: Bytes[] = [];
  let size = 0;
  for (let read = await body.next(); read !== null; read = await body.next()) {
    for (const piece of read) size += piece.length;
    if (size > maxBytes) {
      body.discard();
      throw new DocumentError(`it has more than ${maxBytes} bytes`, { status });
    }
    pieces.push(...read);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces)));
  } catch (cause) {
    throw new DocumentError("it is no JSON", { status, cause });
  }
}
