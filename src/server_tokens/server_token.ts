/**
 * The access token of the proxy for one resource: renewed ahead of its end, and where the server refuses it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { CancelSignal } from "../http/mod.ts";
import { unlessAborted } from "../upstream/mod.ts";
import type { TokenServer } from "./discovery.ts";
import { FIRST_WAIT_MS, Pace } from "./pace.ts";
import type { Refusal } from "./refusal.ts";
import { factsOf, Renewals, type ServerTokenOptions, type Token } from "./renewals.ts";
import { Unreached } from "./token_finder.ts";
import { unavailable } from "./trouble.ts";
import type { Verdict } from "./verdict.ts";

/** Where nothing was refused for so long, the next refusal is a first one. */
export const CALM_MS = 600_000;
/** Scopes that are gathered from refusals. */
export const MAX_SCOPES = 64;

/** Whose request wants a token. */
export interface Wanting {
  /** Name of its target, for the log. */
  readonly target?: string | undefined;
  /** The server that it goes to, which is asked first where something has to be asked. */
  readonly server?: TokenServer | undefined;
}

/** The token for one resource. */
export class ServerToken {
  readonly #options: ServerTokenOptions;
  readonly #clock: Clock;
  readonly #renewals: Renewals;
  /** How soon another token is asked for in the place of one that the server has refused. */
  readonly #refusals = new Pace();
  /** When the server has refused one last. */
  #refusedAtMs = -Infinity;
  /** The token of which it is told in the log that the server refuses it. */
  #told: Token | undefined;

  /** Nothing is fetched before somebody asks. */
  constructor(options: ServerTokenOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#renewals = new Renewals(options);
  }

  /** The token, where there is one; it is renewed behind that where its end is near. */
  atHand({ server }: Wanting = {}): Token | undefined {
    const renewals = this.#renewals;
    const { token } = renewals;
    const nowMs = this.#clock.monotonicMs();
    if (token === undefined || nowMs >= token.endsAtMs) return undefined;
    if (nowMs >= token.renewAtMs && !renewals.isTooEarlyBehind(nowMs)) {
      // What comes of it is told in the log, and to who finds no token at hand.
      renewals.next(server).catch(() => {});
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
    const token = this.atHand(by);
    if (token !== undefined) return token;
    if (this.#renewals.isStepUp) await this.#renewals.settled(signal);
    return this.atHand(by) ?? await this.#waitFor(() => this.#renewals.next(by.server), signal, by);
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
    if (isOfToken && this.#renewals.token === token) {
      this.#another(token, refusal, by)?.catch(() => {});
    }
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
      ...factsOf(this.#options, target),
      reason: wanted?.error ?? kind,
      ...(lacking?.length ? { scopes: lacking.join(" ") } : {}),
    });
  }

  /** Nothing is fetched any more, for good; a token at hand is. */
  close(): void {
    this.#renewals.close();
  }

  async #replace(
    token: Token,
    refusal: Refusal,
    signal: CancelSignal,
    by: Wanting,
  ): Promise<Token | undefined> {
    if (this.#renewals.isStepUp) await this.#renewals.settled(signal);
    if (this.#renewals.token !== token) return await this.current(signal, by);
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
    if (this.#renewals.underWay !== undefined) return this.#renewals.underWay;
    // Where the authorization server has failed, it is that which is told.
    if (!this.#renewals.isTooEarly(this.#clock.monotonicMs())) {
      if (!this.#mayReplace()) return undefined;
      // 2026-07-28 "Scope Selection Strategy": with those that there were, or other calls would lack them.
      const scopes = union(token.scopes, wanted?.scopes ?? []);
      const isSound = scopes.length > 0 && scopes.length <= MAX_SCOPES;
      this.#renewals.learn(wanted, server, isSound ? scopes : undefined);
    }
    const attempt = this.#renewals.next(server);
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
      const held = this.#renewals.token;
      const covers = wanted.every((scope) => held?.scopes.includes(scope));
      if (held !== undefined && covers) return held;
      if (this.#renewals.underWay === undefined) break;
      // It may have been asked for less.
      await this.#renewals.settled(signal);
    }
    const scopes = union(this.#renewals.token?.scopes ?? token.scopes, wanted);
    if (scopes.length > MAX_SCOPES) return undefined;
    return await this.#waitFor(() => this.#renewals.next(by.server, scopes), signal, by);
  }
}

/** A scope that names nobody's address. */
const PLAIN = /^[A-Za-z0-9_:-]{1,64}$/;

function union(some: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set([...some, ...others])];
}
