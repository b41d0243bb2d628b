/**
 * Fetching what an authorization server publishes, with no more trust in it than that: no redirects, a bounded
 * document, a deadline, and no address of a network that is not meant (R95).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { lookup } from "node:dns/promises";
import type { Clock, Timer } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import {
  http1Client,
  type HttpAnswer,
  type HttpTarget,
  mayRepeat,
  parseTarget,
} from "../../upstream/mod.ts";
import { type Bytes, isAddress, isPublicAddress, isSecureUrl } from "../../http/mod.ts";

/** Bytes of a document. */
export const MAX_DOCUMENT_BYTES = 262_144;

/** The longest time for one document, from its name to its last byte, in milliseconds. */
export const DOCUMENT_TIMEOUT_MS = 5_000;

/** The longest wait for a connection to one of the addresses, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Addresses of one name that are tried. */
const MAX_ADDRESSES = 4;

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** What fetching goes by. */
export interface DocumentOptions {
  /** Time. */
  readonly clock: Clock;
  /** Whether addresses that are not of the public internet may be dialled, those of this machine included. */
  readonly allowPrivateAddresses: boolean;
  /** Finds the addresses of a name; the system's by default. */
  readonly resolve?: Resolve | undefined;
}

/** Why a document could not be had; the message is for operators. */
export class DocumentError extends Error {
  /** The status of the answer, where there was one. */
  readonly status: number | undefined;

  /** A failure told in one sentence part, such as `it answered 302`. */
  constructor(
    message: string,
    details: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "DocumentError";
    this.status = details.status;
  }
}

/**
 * The JSON at `url`.
 *
 * @param signal aborted when nobody wants it any more
 * @throws {DocumentError}
 */
export async function fetchDocument(
  url: URL,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const { clock } = options;
  const abort = new AbortController();
  const give = () => abort.abort();
  const late = Promise.withResolvers<never>();
  const timer: Timer = clock.after(DOCUMENT_TIMEOUT_MS, () => {
    give();
    late.reject(new DocumentError(`it took longer than ${DOCUMENT_TIMEOUT_MS / 1000} seconds`));
  });
  signal.addEventListener("abort", give, { once: true });
  if (signal.aborted) give();
  const fetching = fetchWithin(url, options, abort.signal);
  try {
    return await Promise.race([fetching, late.promise]);
  } catch (error) {
    // Looking up a name cannot be given up; what comes of it then is nobody's.
    fetching.catch(() => {});
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

async function fetchWithin(url: URL, options: DocumentOptions, signal: AbortSignal) {
  if (!isSecureUrl(url)) {
    throw new DocumentError("its URL is not https, nor http on this machine");
  }
  const parsed = parseTarget(url.href, { caCerts: [], cert: undefined, key: undefined });
  if (parsed?.target.kind !== "tcp") throw new DocumentError("its URL names no host");
  const { target, path, query } = parsed;
  const addresses = await checkedAddresses(target.hostname, options);
  for (const [at, address] of addresses.entries()) {
    if (signal.aborted) throw new DocumentError("it was given up");
    try {
      return await ask({ ...target, address }, path + query, options.clock, signal);
    } catch (error) {
      // Nothing was said to this one, so another may be asked.
      const isLast = at === addresses.length - 1;
      if (isLast || !mayRepeat(true, error)) throw error;
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
  { allowPrivateAddresses, resolve = systemResolve }: DocumentOptions,
): Promise<readonly string[]> {
  const found = isAddress(hostname) ? [hostname] : await addressesOf(hostname, resolve);
  const isRefused = !allowPrivateAddresses && !found.every(isPublicAddress);
  if (isRefused) {
    throw new DocumentError(
      "its name resolves to an address that is not of the public internet; " +
        "auth.oauth.allowPrivateAddresses allows those",
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

async function ask(
  target: HttpTarget,
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<unknown> {
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
      method: "GET",
      path,
      fields: ["accept", "application/json", "accept-encoding", "identity"],
      body: null,
      signal,
      timeouts: { headersMs: limit, totalMs: limit, bodyIdleMs: limit, streamIdleMs: limit },
    });
    return await jsonOf(answer);
  } finally {
    await client.close();
  }
}

async function jsonOf({ status, fields, body }: HttpAnswer): Promise<unknown> {
  if (status !== 200) throw new DocumentError(`it answered ${status}`, { status });
  if ((fields.get("content-encoding") ?? "identity") !== "identity") {
    throw new DocumentError("it came in a content coding that was not asked for", { status });
  }
  const pieces: Bytes[] = [];
  let size = 0;
  for (let read = await body.next(); read !== null; read = await body.next()) {
    for (const piece of read) size += piece.length;
    if (size > MAX_DOCUMENT_BYTES) {
      body.discard();
      throw new DocumentError(`it has more than ${MAX_DOCUMENT_BYTES} bytes`, { status });
    }
    pieces.push(...read);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces)));
  } catch (cause) {
    throw new DocumentError("it is no JSON", { status, cause });
  }
}
