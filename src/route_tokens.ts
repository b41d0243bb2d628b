/**
 * The access tokens of the proxy for the servers of one route: one where the config names what they are for, else one
 * for each target, whose address that is.
 *
 * @module
 */

import { clientCredentials } from "./client_keys.ts";
import type { Clock } from "./clock.ts";
import type { UpstreamOauthConfig } from "./config/mod.ts";
import { UNNAMED } from "./http/mod.ts";
import {
  type ClientCredentials,
  ServerToken,
  tokenClient,
  type TokenClientOptions,
  type TokenServer,
  type TokenStats,
} from "./server_tokens/mod.ts";
import type { Logger } from "./telemetry/mod.ts";
import type { HttpClientFactory } from "./upstream/mod.ts";

/** A target of the route. */
export interface TokenTarget {
  /** Its name. */
  readonly name: string;
  /** Its URL, as the config has it. */
  readonly url: string;
  /** How it is asked what it wants. */
  readonly server: TokenServer;
}

/** What works on tokens. */
export interface TokenTools {
  /** Time. */
  readonly timers: Clock;
  /** Where it is told that one was fetched, or cannot be had. */
  readonly logger: Logger;
}

/** Tokens of targets that are no more which are kept: such a target has answers to finish, and may come back. */
export const MAX_LEFT = 100;

/** Stands for all targets, where the config names the resource. */
const ALL = "";

/** The tokens of a route. */
export class RouteTokens {
  /** What has become of them. */
  readonly stats: TokenStats = { fetched: 0, failed: 0, refused: 0 };
  readonly #route: string;
  readonly #oauth: UpstreamOauthConfig;
  readonly #tools: TokenTools;
  readonly #client: ClientCredentials;
  readonly #sources = new Map<string, ServerToken>();
  #targets: readonly TokenTarget[] = [];

  /**
   * None is fetched before it is needed.
   *
   * @throws {ConfigError} where the client's key cannot be used
   */
  constructor(route: string, oauth: UpstreamOauthConfig, tools: TokenTools) {
    this.#route = route;
    this.#oauth = oauth;
    this.#tools = tools;
    this.#client = clientCredentials(oauth, `upstream.oauth of the route ${route}`);
  }

  /** These are the targets from now on. */
  serve(targets: readonly TokenTarget[]): void {
    this.#targets = targets;
    const keys = new Set(targets.map(({ url }) => this.#keyOf(url)));
    const left = [...this.#sources].filter(([key]) => !keys.has(key));
    for (const [key, source] of left.slice(0, Math.max(0, left.length - MAX_LEFT))) {
      source.close();
      this.#sources.delete(key);
    }
  }

  /** Has clients of a target show its token with each request. */
  guard(
    target: TokenTarget,
    make: HttpClientFactory,
    options?: TokenClientOptions,
  ): HttpClientFactory {
    const source = this.#sourceOf(target);
    const by = { target: told(target.name), server: target.server };
    return (settings) => tokenClient(make(settings), source, { ...options, ...by });
  }

  /** Nothing is fetched any more. */
  close(): void {
    for (const source of this.#sources.values()) source.close();
  }

  #keyOf(url: string): string {
    return this.#oauth.resource === undefined ? url : ALL;
  }

  #sourceOf({ name, url }: TokenTarget): ServerToken {
    const key = this.#keyOf(url);
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const { issuer, scopes, resource, allowPrivateAddresses } = this.#oauth;
    const { timers: clock, logger } = this.#tools;
    const source = new ServerToken({
      route: this.#route,
      target: key === ALL ? undefined : told(name),
      issuer,
      client: this.#client,
      scopes,
      resource,
      allowPrivateAddresses,
      servers: () =>
        this.#targets.filter((one) => this.#keyOf(one.url) === key).map(({ server }) => server),
      clock,
      logger,
      stats: this.stats,
    });
    this.#sources.set(key, source);
    return source;
  }
}

/** The name of a target, as it is told. */
function told(name: string): string | undefined {
  return name === UNNAMED ? undefined : name;
}
