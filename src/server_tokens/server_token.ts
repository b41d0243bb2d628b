/**
 * The access token of the proxy for one resource: fetched once for all who want it at a time, renewed ahead of its end
 * and where the server refuses it, and not asked for without a pause where none can be had.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { CancelSignal } from "../http/mod.ts";
import { DocumentError } from "../issuer/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { unlessAborted } from "../upstream/mod.ts";
import { FIRST_WAIT_MS, Pace } from "./pace.ts";
import type { TokenServer } from "./discovery.ts";
import type { Refusal } from "./refusal.ts";
import {
  type FoundToken,
  TokenFinder,
  type TokenFinderOptions,
  Unreached,
} from "./token_finder.ts";
import { refused, TokenTrouble, unavailable } from "./trouble.ts";
import type { Verdict } from "./verdict.ts";

/** The longest time for one token, from what the server wants to the answer, in milliseconds. */
export const ATTEMPT_TIMEOUT_MS = 20_000;
/** A token is renewed so long ahead of its end at most, and a fifth of its life ahead where that is shorter. */
export const MARGIN_MS = 60_000;
/** The longest life of a token that is believed, in milliseconds; nobody knows what holds in a week. */
export const MAX_LIFETIME_MS = 604_800_000;
/** Where nothing was refused for so long, the next refusal is a first one. */
export const CALM_MS = 600_000;
/** Scopes that are gathered from refusals. */
export const MAX_SCOPES = 64;

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

/** Whose request wants a token. */
export interface Wanting {
  /** Name of its target, for the log. */
  readonly target?: string | undefined;
  /** The server that it goes to, which is asked first where something has to be asked. */
  readonly server?: TokenServer | undefined;
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

/** The token for one resource. */
export class ServerToken {
  readonly #options: ServerTokenOptions;
  readonly #clock: Clock;
  readonly #finder: TokenFinder;
  readonly #closing = new AbortController();
  /** How soon the authorization server is asked again that has given nothing. */
  readonly #failures = new Pace();
  /** How soon it is asked for another token in the place of one that the server has refused. */
  readonly #refusals = new Pace();
  /** How soon the servers are asked again behind a request that needs no new token yet, where none can be reached. */
  readonly #unreached = new Pace();
  /** When the server has refused one last. */
  #refusedAtMs = -Infinity;
  #token: Token | undefined;
  /** The attempt under way: all who want a token wait for the same one. */
  #underWay: Promise<Token> | undefined;
  /** Scopes beyond those that the server has wanted at first. */
  #scopes: readonly string[] | undefined;
  #lastTrouble: TokenTrouble["kind"] = "unavailable";
  /** The token of which it is told in the log that the server refuses it. */
  #told: Token | undefined;

  /** Nothing is fetched before somebody asks. */
  constructor(options: ServerTokenOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#finder = new TokenFinder(options);
  }

  /** The token, where there is one; it is renewed behind that where its end is near. */
  atHand({ server }: Wanting = {}): Token | undefined {
    const token = this.#token;
    const nowMs = this.#clock.monotonicMs();
    if (token === undefined || nowMs >= token.endsAtMs) return undefined;
    const waitMs = Math.max(this.#failures.waitMs(nowMs), this.#unreached.waitMs(nowMs));
    if (nowMs >= token.renewAtMs && waitMs === 0) {
      // What comes of it is told in the log, and to who finds no token at hand.
      this.#renewal(server).catch(() => {});
    }
    return token;
  }

  /**
   * The token, or a new one.
   *
   * @throws {ProxyError} `server_token_unavailable` or `server_access_refused` where there is none; what keeps the
   * server of the request from being asked; `client_closed` where nobody waits any more
   */
  async current(signal: CancelSignal, by: Wanting = {}): Promise<Token> {
    return this.atHand(by) ?? await this.#waitFor(() => this.#renewal(by.server), signal, by);
  }

  /**
   * Another token in the place of one that the server has refused; undefined where none would help. The refused one is
   * in use until there is another: it may be good for other requests, or other servers.
   *
   * @throws {ProxyError} as `current`
   */
  async instead(
    token: Token,
    refusal: Refusal,
    signal: CancelSignal,
    by: Wanting = {},
  ): Promise<Token | undefined> {
    const other = refusal.kind === "token"
      ? await this.#replace(token, refusal, signal, by)
      : await this.#stepUp(token, refusal, signal, by);
    return other ?? this.tellRefused(token, refusal, by);
  }

  /** A request was refused, and is not sent again since it may have run: another token is for those to come. */
  doubt(token: Token, refusal: Refusal, verdict: Verdict, by: Wanting = {}): void {
    const isOfToken = refusal.kind === "token" && verdict === "doubtful";
    // What comes of it is told in the log.
    if (isOfToken && this.#token === token) this.#another(token, refusal, by)?.catch(() => {});
    this.tellRefused(token, refusal, by);
  }

  /** A request was refused for good. */
  tellRefused(token: Token, { kind, wanted }: Refusal, { target }: Wanting = {}): undefined {
    const { logger, stats } = this.#options;
    stats.refused++;
    if (this.#told === token) return;
    this.#told = token;
    const lacking = kind === "scope" ? wanted?.scopes?.filter((scope) => PLAIN.test(scope)) : [];
    logger.warn("the server refuses the proxy's access token", {
      ...this.#facts(target),
      reason: wanted?.error ?? kind,
      ...(lacking?.length ? { scopes: lacking.join(" ") } : {}),
    });
  }

  /** Nothing is fetched any more, for good; a token at hand is. */
  close(): void {
    this.#closing.abort();
  }

  async #replace(
    token: Token,
    refusal: Refusal,
    signal: CancelSignal,
    by: Wanting,
  ): Promise<Token | undefined> {
    if (this.#token !== token) return await this.current(signal, by);
    const another = this.#another(token, refusal, by);
    return another && await this.#waitFor(() => another, signal, by);
  }

  /** What an attempt comes to for one of those who wait for it. */
  async #waitFor(attempt: () => Promise<Token>, signal: CancelSignal, by: Wanting): Promise<Token> {
    for (let isLast = false;; isLast = true) {
      try {
        return await unlessAborted(attempt(), signal);
      } catch (error) {
        if (!(error instanceof Unreached)) throw error;
        // It is the server itself that cannot be reached, as it could not have been with the request.
        const own = error.of(by.server);
        if (own !== undefined) throw own;
        // Others were asked, for somebody else's request: that says nothing of this server.
        if (isLast) throw unavailable(FIRST_WAIT_MS);
      }
    }
  }

  /** Another token than the one in use, which was refused; undefined where it is too early for one. */
  #another(token: Token, { wanted }: Refusal, { server }: Wanting): Promise<Token> | undefined {
    if (this.#underWay !== undefined) return this.#underWay;
    // Where the authorization server has failed, it is that which is told.
    if (this.#failures.waitMs(this.#clock.monotonicMs()) === 0) {
      if (!this.#mayReplace()) return undefined;
      this.#finder.learn(wanted, server);
      // 2026-07-28 "Scope Selection Strategy": with those that there were, or other calls would lack them.
      const scopes = union(token.scopes, wanted?.scopes ?? []);
      if (scopes.length > 0 && scopes.length <= MAX_SCOPES) this.#scopes = scopes;
    }
    const attempt = this.#renewal(server);
    // One that comes to nothing is counted as that, and says nothing of new tokens.
    attempt.then(() => this.#refusals.failed(this.#clock.monotonicMs()), () => {});
    return attempt;
  }

  /** A server that refuses each new token would have one fetched for each of its calls. */
  #mayReplace(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#refusedAtMs >= CALM_MS) this.#refusals.calm();
    this.#refusedAtMs = nowMs;
    return this.#refusals.waitMs(nowMs) === 0;
  }

  async #stepUp(
    token: Token,
    refusal: Refusal,
    signal: CancelSignal,
    by: Wanting,
  ): Promise<Token | undefined> {
    const wanted = refusal.wanted?.scopes ?? [];
    const isAsked = wanted.every((scope) => token.scopes.includes(scope));
    if (this.#options.scopes !== undefined || isAsked) return undefined;
    for (;;) {
      const held = this.#token;
      const covers = wanted.every((scope) => held?.scopes.includes(scope));
      if (held !== undefined && covers) return held;
      if (this.#underWay === undefined) break;
      // It may have been asked for less.
      await unlessAborted(this.#underWay.catch(() => {}), signal);
    }
    const scopes = union(this.#token?.scopes ?? token.scopes, wanted);
    if (scopes.length > MAX_SCOPES) return undefined;
    return await this.#waitFor(() => this.#renewal(by.server, scopes), signal, by);
  }

  /** The attempt under way, or a new one, for `scopes` from then on where they are given. */
  #renewal(server: TokenServer | undefined, scopes = this.#scopes): Promise<Token> {
    if (this.#underWay !== undefined) return this.#underWay;
    const waitMs = this.#failures.waitMs(this.#clock.monotonicMs());
    if (this.#closing.signal.aborted) return Promise.reject(unavailable(0));
    if (waitMs > 0) return Promise.reject(this.#toldAgain(waitMs));
    this.#scopes = scopes;
    const attempt = this.#fetch(server).finally(() => this.#underWay = undefined);
    this.#underWay = attempt;
    return attempt;
  }

  async #fetch(server: TokenServer | undefined): Promise<Token> {
    const abort = new AbortController();
    const give = () => abort.abort();
    const timer = this.#clock.after(ATTEMPT_TIMEOUT_MS, give);
    this.#closing.signal.addEventListener("abort", give);
    const askedMs = this.#clock.monotonicMs();
    try {
      const found = await this.#finder.token(this.#scopes, abort.signal, server);
      const token = tokenAtWork(found, askedMs);
      this.#fetched(token);
      return token;
    } catch (error) {
      throw this.#failed(error, abort.signal.aborted);
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
    logger.info("an access token for the server was fetched", { ...this.#facts(), seconds });
  }

  /** What has become of an attempt, as it is told; what was found out is forgotten where that may have failed. */
  #failed(error: unknown, wasGivenUp: boolean): Error {
    if (this.#closing.signal.aborted) return unavailable(0);
    const nowMs = this.#clock.monotonicMs();
    if (!wasGivenUp && error instanceof Unreached) {
      this.#unreached.failed(nowMs);
      return error;
    }
    this.#finder.forget();
    this.#scopes = undefined;
    const { logger, stats } = this.#options;
    this.#failures.failed(nowMs);
    this.#lastTrouble = error instanceof TokenTrouble ? error.kind : "unavailable";
    stats.failed++;
    const reason = wasGivenUp
      ? `it took longer than ${ATTEMPT_TIMEOUT_MS / 1_000} seconds`
      : reasonOf(error);
    logger.warn("no access token for the server can be had", { ...this.#facts(), reason });
    return this.#toldAgain(this.#failures.waitMs(nowMs));
  }

  /** What a client is told for the latest failure. */
  #toldAgain(waitMs: number): ProxyError {
    return this.#lastTrouble === "refused" ? refused() : unavailable(waitMs);
  }

  #facts(by?: string) {
    const { route, target, issuer } = this.#options;
    return { route, target: by ?? target, issuer };
  }
}

/** A scope that names nobody's address. */
const PLAIN = /^[A-Za-z0-9_:-]{1,64}$/;

function union(some: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set([...some, ...others])];
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

/** What an operator is told; anything else may hold anything. */
function reasonOf(error: unknown): string {
  const isTold = error instanceof TokenTrouble || error instanceof DocumentError;
  return isTold ? error.message : "it failed";
}
