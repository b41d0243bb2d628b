/**
 * Asking the authorization server that a server names for its document, for clients that do not know where to ask:
 * those of 2025-03-26 look for it at the origin that they dialled.
 *
 * Source: 2025-03-26 basic/authorization, "Server Metadata Discovery"; RFC 8414 section 3; R95.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { DocumentError, findMetadata } from "../issuer/mod.ts";
import { readAuthorizationServer } from "./authorization_server.ts";
import type { Metadata } from "./metadata.ts";

/** The longest time for all that is asked for one document, in milliseconds. */
export const ISSUER_LOOKUP_MS = 10_000;
/** How long a document is kept, in milliseconds. */
export const ISSUER_FOUND_MS = 60_000;
/** How long it is kept that there is none or it could not be had, in milliseconds. */
export const ISSUER_MISSING_MS = 5_000;

/** What asking goes by. */
export interface IssuerLookupOptions {
  /** Time. */
  readonly clock: Clock;
  /**
   * The JSON at a URL, whose address was looked at.
   *
   * @throws {DocumentError}
   */
  fetchDocument(url: URL, signal: AbortSignal): Promise<unknown>;
  /** Told why a document cannot be had. */
  onFailed(issuer: string, reason: string): void;
}

/** What came of asking, and on the clock's monotonic scale until when that holds. */
interface Kept {
  readonly issuer: string;
  readonly outcome: Metadata | ProxyError | undefined;
  readonly untilMs: number;
}

/** The documents of issuers: the latest is kept for a while, and asked for once for all who want it at a time. */
export class IssuerLookup {
  readonly #options: IssuerLookupOptions;
  readonly #over = new AbortController();
  #kept: Kept | undefined;
  #underWay: { readonly issuer: string; readonly done: Promise<Kept> } | undefined;

  /** Nothing is asked before somebody wants to know. */
  constructor(options: IssuerLookupOptions) {
    this.#options = options;
  }

  /**
   * What clients may have of the document of `issuer`; undefined where it has none that they could use, or is where
   * the proxy may not ask.
   *
   * @throws {ProxyError} `authorization_unavailable` where it may be there another time
   */
  async document(issuer: string): Promise<Metadata | undefined> {
    const { outcome } = await this.#current(issuer);
    if (outcome instanceof ProxyError) throw outcome;
    return outcome;
  }

  /** Nobody is asked any more. */
  close(): void {
    this.#over.abort();
  }

  async #current(issuer: string): Promise<Kept> {
    for (;;) {
      const kept = this.#kept;
      if (kept?.issuer === issuer && this.#nowMs() < kept.untilMs) return kept;
      if (this.#underWay === undefined) break;
      // One at a time: who wants another issuer comes behind it.
      const { issuer: asked, done } = this.#underWay;
      const found = await done;
      if (asked === issuer) return found;
    }
    const done = this.#ask(issuer).finally(() => this.#underWay = undefined);
    this.#underWay = { issuer, done };
    return await done;
  }

  /** Never rejects. */
  async #ask(issuer: string): Promise<Kept> {
    const { clock, onFailed } = this.#options;
    const late = new AbortController();
    const timer = clock.after(ISSUER_LOOKUP_MS, () => late.abort());
    let outcome: Kept["outcome"];
    try {
      outcome = await this.#find(issuer, AbortSignal.any([late.signal, this.#over.signal]));
    } catch (error) {
      if (!this.#over.signal.aborted) onFailed(issuer, reasonOf(error));
      outcome = isForGood(error) ? undefined : unavailable(error);
    } finally {
      timer.cancel();
    }
    const isFound = outcome !== undefined && !(outcome instanceof ProxyError);
    const untilMs = this.#nowMs() + (isFound ? ISSUER_FOUND_MS : ISSUER_MISSING_MS);
    return this.#kept = { issuer, outcome, untilMs };
  }

  #find(issuer: string, signal: AbortSignal): Promise<Metadata> {
    const { fetchDocument } = this.#options;
    return findMetadata(issuer, (url) => fetchDocument(url, signal), {
      setting: "the server's metadata",
      member: "endpoints that a client could use",
      read: readAuthorizationServer,
    });
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

/** Whether another attempt comes to the same until somebody sees to it. */
function isForGood(error: unknown): boolean {
  if (!(error instanceof DocumentError)) return false;
  const { isFinal, status = 0 } = error;
  return isFinal || (status >= 300 && status < 500 && status !== 429);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unavailable(cause: unknown): ProxyError {
  return new ProxyError(
    "authorization_unavailable",
    "The authorization server of the server behind this path cannot be asked for its metadata; try again.",
    { cause, headers: { "retry-after": String(ISSUER_MISSING_MS / 1000) } },
  );
}
