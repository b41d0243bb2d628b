/**
 * One token after the other for one resource: what has been found out about it is kept from one to the next.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type DocumentOptions, postForm, type Resolve } from "../issuer/mod.ts";
import { type ClientCredentials, proofOf } from "./client_proof.ts";
import {
  askServer,
  type AuthorizationServer,
  findAuthorizationServer,
  findResource,
  type TokenServer,
} from "./discovery.ts";
import type { Wanted } from "./refusal.ts";
import type { Resource } from "./resource.ts";
import { type GivenToken, readToken, tokenForm } from "./token_request.ts";
import { TokenTrouble } from "./trouble.ts";

/** Servers of one resource that are asked one after the other, where the first ones cannot be reached. */
export const MAX_SERVERS = 3;

/** What tokens are had with. */
export interface TokenFinderOptions {
  /** The authorization server, as the config has it. */
  readonly issuer: string;
  /** What the proxy was registered with there. */
  readonly client: ClientCredentials;
  /** Scopes to ask for; undefined for what the server wants. */
  readonly scopes?: readonly string[] | undefined;
  /** The resource that tokens are for; undefined for what the server says. */
  readonly resource?: string | undefined;
  /** Whether the authorization server may be at an address that is not of the public internet. */
  readonly allowPrivateAddresses: boolean;
  /** The servers that tokens are for, as they are now: the same to clients. */
  servers(): readonly TokenServer[];
  /** Time. */
  readonly clock: Clock;
  /** Finds the addresses of a name; the system's by default. */
  readonly resolve?: Resolve | undefined;
}

/** A token, and what it was asked for with. */
export interface FoundToken extends GivenToken {
  /** The scopes that were asked for. */
  readonly scopes: readonly string[];
}

/** What was found out. */
interface Found {
  readonly resource: Resource;
  readonly authorizationServer: AuthorizationServer;
}

/** Finds out, and asks. One call at a time. */
export class TokenFinder {
  readonly #options: TokenFinderOptions;
  readonly #documents: DocumentOptions;
  /** What the server has said it wants; undefined where it has not been asked. */
  #wanted: Wanted | undefined;
  #found: Found | undefined;

  /** Nothing is known yet. */
  constructor(options: TokenFinderOptions) {
    this.#options = options;
    const { clock, resolve, allowPrivateAddresses } = options;
    const setting = "upstream.oauth.allowPrivateAddresses";
    this.#documents = { clock, resolve, allowPrivateAddresses, setting };
  }

  /** The server has refused a token: what was found out may not hold any more, and what it wants now does. */
  learn(wanted: Wanted | undefined): void {
    this.#wanted = wanted;
    this.#found = undefined;
  }

  /**
   * A new token.
   *
   * @param scopes to ask for in place of those that the server wants
   * @throws {ProxyError} of source upstream where the server cannot be reached
   * @throws {DocumentError} where the authorization server cannot, or a document is not sound
   * @throws {TokenTrouble} where there is no token for the proxy
   */
  async token(scopes: readonly string[] | undefined, signal: AbortSignal): Promise<FoundToken> {
    const { client, clock, issuer } = this.#options;
    this.#found ??= await this.#find(signal);
    const { resource, authorizationServer: { tokenEndpoint, algorithms } } = this.#found;
    const asked = this.#options.scopes ?? scopes ?? this.#wanted?.scopes ?? resource.scopes ?? [];
    const proof = await proofOf(client, { issuer, algorithms }, clock);
    const form = tokenForm(resource.resource, asked, proof);
    const answer = await postForm(tokenEndpoint, form, this.#documents, signal);
    return { ...readToken(answer), scopes: asked };
  }

  /** The server first: while that is down nobody asks the authorization server for anything. */
  async #find(signal: AbortSignal): Promise<Found> {
    const resource = await this.#findResource(signal);
    const { issuer } = this.#options;
    const authorizationServer = await findAuthorizationServer(issuer, this.#documents, signal);
    return { resource, authorizationServer };
  }

  async #findResource(signal: AbortSignal): Promise<Resource> {
    let failure: unknown = new TokenTrouble("unavailable", "it is for a target that is no more");
    for (const server of this.#options.servers().slice(0, MAX_SERVERS)) {
      const client = server.open();
      try {
        const wanted = this.#wanted ??= await askServer(client, server, signal);
        const { issuer, resource: configured } = this.#options;
        const question = { wanted, configured, issuer, documents: this.#documents };
        return await findResource(client, server, question, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof ProxyError)) throw error;
        failure = error;
      } finally {
        await client.close();
      }
    }
    throw failure;
  }
}
