/**
 * The keys of an authorization server: fetched when they are needed, kept for a while, and for a longer while where
 * it cannot be reached.
 *
 * `createRemoteJWKSet` of jose is not used for it: it reads the system's clock, asks again for each token while the
 * server is down, and has no use for the keys it has when they are ten minutes old and the server is down.
 *
 * @module
 */

import { createLocalJWKSet, type JSONWebKeySet } from "jose";
import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { Logger } from "../../telemetry/mod.ts";
import { DocumentError, type FetchDocument } from "../../issuer/mod.ts";
import { findJwksUri } from "./issuer.ts";

/** How long keys are used without asking again, in milliseconds. */
export const FRESH_MS = 600_000;

/** How long they are used where asking again fails, from when they were fetched, in milliseconds. */
export const STALE_MS = 3_600_000;

/** The least time between two looks for a key that is not among those at hand, in milliseconds. */
export const COOLDOWN_MS = 30_000;

/** How long who has keys at hand waits for newer ones, in milliseconds from the begin of the attempt. */
export const PATIENCE_MS = 500;

/** The least time from a failure to the next attempt, in milliseconds. */
export const RETRY_MS = 5_000;

/** The longest time for all documents of one attempt, in milliseconds. */
export const ATTEMPT_TIMEOUT_MS = 10_000;

/** Keys of one set. */
export const MAX_KEYS = 100;

/** Finds the key for a token by its header, as jose asks for it. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/** What keys are had with. */
export interface IssuerKeysOptions {
  /** The issuer, as the config has it. */
  readonly issuer: string;
  /** Where its keys are; found out from the issuer where it is left out. */
  readonly jwksUri?: string | undefined;
  /** Fetches a document, within its own bounds. */
  readonly fetchDocument: (url: URL, signal: AbortSignal) => Promise<unknown>;
  /** Time. */
  readonly clock: Clock;
  /** Where failures are told, once for each attempt. */
  readonly logger: Logger;
}

/** Keys being fetched. */
interface Attempt {
  /** What comes of it; rejected with a `ProxyError`. */
  readonly done: Promise<KeySet>;
  /** Resolved when who has keys at hand has waited long enough. */
  readonly patience: Promise<void>;
}

/** The keys of one issuer. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #closing = new AbortController();
  readonly #unusableTold = new WeakSet<KeySet>();
  #keys: KeySet | undefined;
  #fetchedMs = -Infinity;
  /** The same in milliseconds since 1970, as tokens tell time. */
  #fetchedAtMs = -Infinity;
  /** When the latest attempt ended, and whether it failed. */
  #triedMs = -Infinity;
  #failed = false;
  /** The attempt under way: all who want keys wait for the same one. */
  #attempt: Attempt | undefined;

  /** Without keys yet; nothing is fetched before somebody asks. */
  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /**
   * The keys: those at hand while they are fresh, else new ones, else those at hand where no new ones can be had, or
   * not within `PATIENCE_MS`.
   *
   * @throws {ProxyError} `authorization_unavailable` where there are none
   */
  async current(): Promise<KeySet> {
    const ageMs = this.#nowMs() - this.#fetchedMs;
    const keys = this.#keys;
    if (keys !== undefined && ageMs < FRESH_MS) return keys;
    if (keys === undefined || ageMs >= STALE_MS) return await this.#renewal().done;
    try {
      const { done, patience } = this.#renewal();
      return await Promise.race([done, patience.then(() => keys)]);
    } catch {
      // Told in the log by the attempt itself.
      return keys;
    }
  }

  /**
   * Keys that are newer than `keys`, among which that of a token was missing; undefined where it is too early to ask
   * again, and the token is older than the keys.
   *
   * @param issuedMs when the token was issued at the latest, in milliseconds since 1970
   * @throws {ProxyError} `authorization_unavailable` where asking has failed, or it is too early for it and the token
   * is newer: the key may be a new one
   */
  async newerThan(keys: KeySet, issuedMs: number): Promise<KeySet | undefined> {
    if (this.#keys !== undefined && this.#keys !== keys) return this.#keys;
    const waitMs = this.#triedMs + COOLDOWN_MS - this.#nowMs();
    if (this.#failed || this.#attempt !== undefined || waitMs <= 0) {
      return await this.#renewal().done;
    }
    if (issuedMs < this.#fetchedAtMs) return undefined;
    throw unavailable(waitMs, "it is signed with a key that is not known here yet");
  }

  /** A key of `keys` cannot be used, for its size or its form: told once for each set of keys, whoever shows tokens. */
  tellUnusable(keys: KeySet, error: unknown): void {
    if (this.#unusableTold.has(keys)) return;
    this.#unusableTold.add(keys);
    const { issuer, logger } = this.#options;
    logger.warn("a key of the authorization server cannot be used", {
      issuer,
      reason: String(error),
    });
  }

  /** Gives up what is being fetched, for good: who waits may be known by those that come in its place. */
  close(): void {
    this.#closing.abort();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** The attempt under way, or a new one. */
  #renewal(): Attempt {
    if (this.#attempt !== undefined) return this.#attempt;
    const waitMs = this.#failed ? this.#triedMs + RETRY_MS - this.#nowMs() : 0;
    if (waitMs > 0) throw unavailable(waitMs);
    const patience = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(PATIENCE_MS, patience.resolve);
    const done = this.#fetch().finally(() => {
      timer.cancel();
      this.#attempt = undefined;
    });
    this.#attempt = { done, patience: patience.promise };
    return this.#attempt;
  }

  async #fetch(): Promise<KeySet> {
    const { issuer, logger } = this.#options;
    try {
      const keys = await this.#fetchWithin();
      if (this.#failed) logger.info("keys of the authorization server are there again", { issuer });
      this.#failed = false;
      this.#keys = keys;
      this.#fetchedAtMs = this.#options.clock.now().getTime();
      this.#fetchedMs = this.#triedMs = this.#nowMs();
      return keys;
    } catch (error) {
      if (this.#closing.signal.aborted) throw unavailable(0);
      this.#failed = true;
      this.#triedMs = this.#nowMs();
      const reason = error instanceof DocumentError ? error.message : String(error);
      logger.warn("keys of the authorization server cannot be had", { issuer, reason });
      throw unavailable(RETRY_MS);
    }
  }

  async #fetchWithin(): Promise<KeySet> {
    const { issuer, jwksUri, clock } = this.#options;
    const abort = new AbortController();
    const give = () => abort.abort();
    const timer = clock.after(ATTEMPT_TIMEOUT_MS, give);
    this.#closing.signal.addEventListener("abort", give);
    if (this.#closing.signal.aborted) give();
    const fetchDocument: FetchDocument = (url) => this.#options.fetchDocument(url, abort.signal);
    try {
      const uri = jwksUri === undefined
        ? await findJwksUri(issuer, fetchDocument)
        : new URL(jwksUri);
      return keySetOf(await fetchDocument(uri));
    } finally {
      timer.cancel();
      this.#closing.signal.removeEventListener("abort", give);
    }
  }
}

function keySetOf(document: unknown): KeySet {
  const keys = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new DocumentError("its jwks_uri has no list of keys");
  if (keys.length > MAX_KEYS) throw new DocumentError(`it has more than ${MAX_KEYS} keys`);
  try {
    return createLocalJWKSet(document as JSONWebKeySet);
  } catch (cause) {
    throw new DocumentError("its jwks_uri has keys that cannot be read", { cause });
  }
}

function unavailable(
  waitMs: number,
  reason = "the keys of the authorization server cannot be had",
): ProxyError {
  return new ProxyError(
    "authorization_unavailable",
    `The access token cannot be checked for the moment, because ${reason}; try again.`,
    { headers: { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000))) } },
  );
}
