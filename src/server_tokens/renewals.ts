/**
 * Attempts at an access token for one resource: one at a time for all who want one, each given up in time, and none too
 * soon behind one that has failed.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ProxyError } from "../errors.ts";
import type { CancelSignal } from "../http/mod.ts";
import { DocumentError } from "../issuer/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { unlessAborted } from "../upstream/mod.ts";
import type { TokenServer } from "./discovery.ts";
import { Pace, Paces } from "./pace.ts";
import type { Wanted } from "./refusal.ts";
import {
  type FoundToken,
  TokenFinder,
  type TokenFinderOptions,
  Unreached,
} from "./token_finder.ts";
import { refused, TokenTrouble, unavailable } from "./trouble.ts";

/** The longest time for one token, from what the server wants to the answer, in milliseconds. */
export const ATTEMPT_TIMEOUT_MS = 20_000;
/** A token is renewed so long ahead of its end at most, and a fifth of its life ahead where that is shorter. */
export const MARGIN_MS = 60_000;
/** The longest life of a token that is believed, in milliseconds; nobody knows what holds in a week. */
export const MAX_LIFETIME_MS = 604_800_000;

/** A token at work. */
export interface Token {
  /** The token. */
  readonly value: string;
  /** Its field as a line of a head. */
  readonly line: string;
  /** The scopes that were asked for. */
  readonly scopes: readonly string[];
  /** When it was asked for, on the clock's monotonic scale. */
  readonly askedMs: number;
  /** When it is to be renewed, on the same scale. */
  readonly renewAtMs: number;
  /** When it ends. */
  readonly endsAtMs: number;
}

/** What has become of the tokens of a route. */
export interface TokenStats {
  /** Tokens that were fetched. */
  fetched: number;
  /** Attempts to fetch one that failed. */
  failed: number;
  /** Requests that the server has refused for good, with the token of the moment. */
  refused: number;
}

/** What a token is had with. */
export interface ServerTokenOptions extends TokenFinderOptions {
  /** Name of the route, for the log. */
  readonly route: string;
  /** Name of the target, for the log; undefined where it has none. */
  readonly target?: string | undefined;
  /** Where it is told that a token was fetched, or cannot be had. */
  readonly logger: Logger;
  /** Where it is counted, together with others of the route. */
  readonly stats: TokenStats;
}

/** What tokens come from. */
export class Renewals {
  readonly #options: ServerTokenOptions;
  readonly #clock: Clock;
  readonly #finder: TokenFinder;
  readonly #closing = new AbortController();
  /** How soon the authorization server is asked again that has given nothing. */
  readonly #failures = new Pace();
  /** The same for tokens that allow more, by their scopes, where it has refused those: others do with less. */
  readonly #stepUps = new Paces();
  /** How soon the servers are asked again behind a request that needs no new token yet, where none can be reached. */
  readonly #unreached = new Pace();
  #token: Token | undefined;
  #underWay: Promise<Token> | undefined;
  #isStepUp = false;
  /** Scopes beyond those that the server has wanted at first. */
  #scopes: readonly string[] | undefined;
  #lastTrouble: TokenTrouble["kind"] = "unavailable";

  /** Nothing is fetched before somebody asks. */
  constructor(options: ServerTokenOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#finder = new TokenFinder(options);
  }

  /** The latest token, however old it is. */
  get token(): Token | undefined {
    return this.#token;
  }

  /** The attempt under way: all who want a token wait for the same one. */
  get underWay(): Promise<Token> | undefined {
    return this.#underWay;
  }

  /** Whether that is for a token that allows more, which says little to who needs no more. */
  get isStepUp(): boolean {
    return this.#isStepUp;
  }

  /** Whether it is too early, since the authorization server has failed. */
  isTooEarly(nowMs: number): boolean {
    return this.#failures.waitMs(nowMs) > 0;
  }

  /** Whether it is too early for what nobody waits for, since the servers cannot be reached either. */
  isTooEarlyBehind(nowMs: number): boolean {
    return this.isTooEarly(nowMs) || this.#unreached.waitMs(nowMs) > 0;
  }

  /** A server has refused a token: what it wants, and the scopes of the tokens to come, where they are given. */
  learn(
    wanted: Wanted | undefined,
    server: TokenServer | undefined,
    scopes: readonly string[] | undefined,
  ): void {
    this.#finder.learn(wanted, server);
    this.#scopes = scopes ?? this.#scopes;
  }

  /** Nothing is fetched any more, for good. */
  close(): void {
    this.#closing.abort();
  }

  /** Resolves when the attempt under way has come to something, whatever that is. */
  async settled(signal: CancelSignal): Promise<void> {
    await unlessAborted(this.#underWay?.then(() => {}, () => {}) ?? Promise.resolve(), signal);
  }

  /**
   * The attempt under way, or a new one: for a token that allows `wider`, if that is given, as those to come then do.
   *
   * @throws {ProxyError} `server_token_unavailable` or `server_access_refused`
   * @throws {Unreached} where no server can be reached
   */
  next(server: TokenServer | undefined, wider?: readonly string[]): Promise<Token> {
    if (this.#underWay !== undefined) return this.#underWay;
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.#failures.waitMs(nowMs);
    if (this.#closing.signal.aborted) return Promise.reject(unavailable(0));
    if (waitMs > 0) return Promise.reject(this.#toldAgain(waitMs));
    if (wider !== undefined && this.#stepUps.waitMs(keyOf(wider), nowMs) > 0) {
      return Promise.reject(refused());
    }
    const attempt = this.#fetch(server, wider).finally(() => {
      this.#underWay = undefined;
      this.#isStepUp = false;
    });
    this.#underWay = attempt;
    this.#isStepUp = wider !== undefined;
    return attempt;
  }

  async #fetch(server: TokenServer | undefined, wider?: readonly string[]): Promise<Token> {
    const abort = new AbortController();
    const give = () => abort.abort();
    const timer = this.#clock.after(ATTEMPT_TIMEOUT_MS, give);
    this.#closing.signal.addEventListener("abort", give);
    const askedMs = this.#clock.monotonicMs();
    try {
      const found = await this.#finder.token(wider ?? this.#scopes, abort.signal, server);
      const token = tokenAtWork(found, askedMs);
      if (wider !== undefined) this.#scopes = wider;
      this.#fetched(token);
      return token;
    } catch (error) {
      throw this.#failed(error, abort.signal.aborted, wider);
    } finally {
      timer.cancel();
      this.#closing.signal.removeEventListener("abort", give);
    }
  }

  #fetched(token: Token): void {
    const { logger, stats } = this.#options;
    this.#token = token;
    this.#failures.calm();
    this.#unreached.calm();
    stats.fetched++;
    const seconds = (token.endsAtMs - token.askedMs) / 1_000;
    logger.info("an access token for the server was fetched", {
      ...factsOf(this.#options),
      seconds,
    });
  }

  /** What has become of an attempt, as it is told. */
  #failed(error: unknown, wasGivenUp: boolean, wider: readonly string[] | undefined): Error {
    if (this.#closing.signal.aborted) return unavailable(0);
    const nowMs = this.#clock.monotonicMs();
    if (!wasGivenUp && error instanceof Unreached) {
      this.#unreached.failed(nowMs);
      return error;
    }
    const { logger, stats } = this.#options;
    const trouble = wasGivenUp ? LATE : troubleIn(error);
    stats.failed++;
    const { message: reason } = trouble;
    logger.warn("no access token for the server can be had", { ...factsOf(this.#options), reason });
    if (wider !== undefined && trouble.kind === "refused") {
      // That says nothing of tokens that allow what they did.
      this.#stepUps.failed(keyOf(wider), nowMs);
      return refused();
    }
    // Something of what was found out may be what has failed.
    this.#finder.forget();
    if (trouble.kind === "refused") this.#scopes = undefined;
    this.#failures.failed(nowMs, trouble.retryAfterMs);
    this.#lastTrouble = trouble.kind;
    return this.#toldAgain(this.#failures.waitMs(nowMs));
  }

  /** What a client is told for the latest failure. */
  #toldAgain(waitMs: number): ProxyError {
    return this.#lastTrouble === "refused" ? refused() : unavailable(waitMs);
  }
}

/** Whose token it is, for the log. */
export function factsOf({ route, target, issuer }: ServerTokenOptions, by = target) {
  return { route, target: by, issuer };
}

/** Its life is counted from when it was asked for: what the way has taken is no life of it. */
function tokenAtWork({ value, lifetimeMs, scopes }: FoundToken, askedMs: number): Token {
  const endsAtMs = askedMs + Math.min(lifetimeMs, MAX_LIFETIME_MS);
  const renewAtMs = endsAtMs - Math.min(MARGIN_MS, (endsAtMs - askedMs) / 5);
  return {
    value,
    line: `authorization: Bearer ${value}\r\n`,
    scopes,
    askedMs,
    renewAtMs,
    endsAtMs,
  };
}

/** An attempt that has used up its time. */
const LATE = new TokenTrouble(
  "unavailable",
  `it took longer than ${ATTEMPT_TIMEOUT_MS / 1_000} seconds`,
);

/** What stands in the way, as an operator is told: anything else than these may hold anything. */
function troubleIn(error: unknown): TokenTrouble {
  if (error instanceof TokenTrouble) return error;
  if (!(error instanceof DocumentError)) return new TokenTrouble("unavailable", "it failed", error);
  const kind = error.isFinal ? "refused" : "unavailable";
  return new TokenTrouble(kind, error.message, error, error.retryAfterMs);
}

/** What a set of scopes is known by. */
function keyOf(scopes: readonly string[]): string {
  return scopes.toSorted().join(" ");
}
