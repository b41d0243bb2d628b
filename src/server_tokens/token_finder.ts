/**
 * One token after the other for one resource: what has been found out about it is kept from one to the next.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { NOTHING_SENT, ProxyError } from "../errors.ts";
import { type DocumentOptions, postForm, type Resolve } from "../issuer/mod.ts";
import type { HttpClient } from "../upstream/mod.ts";
import { type ClientCredentials, proofOf } from "./client_proof.ts";
import {
  askServer,
  type AuthorizationServer,
  findAuthorizationServer,
  findResource,
  type TokenServer,
} from "./discovery.ts";
import type { Wanted } from "./refusal.ts";
import { dialledUrl, type Resource } from "./resource.ts";
import { type GivenToken, readToken, tokenForm } from "./token_request.ts";
import { TokenTrouble } from "./trouble.ts";

/** Servers of one resource that are asked one after the other, where the first ones cannot be reached. */
export const MAX_SERVERS = 3;

/** The longest time for each of several servers to say what it wants, in milliseconds: the last one has its share. */
export const SERVER_SHARE_MS = 5_000;

/** None of the servers that were asked could be reached; nobody has asked the authorization server then. */
export class Unreached extends Error {
  readonly #failures: readonly (readonly [TokenServer, ProxyError])[];

  /** What has kept each of them from being asked; one at least. */
  constructor(failures: readonly (readonly [TokenServer, ProxyError])[]) {
    super("the server cannot be reached");
    this.name = "Unreached";
    this.#failures = failures;
  }

  /** What it was with a server, as for a request of which nothing was sent; undefined where that was not asked. */
  of(server: TokenServer | undefined): ProxyError | undefined {
    const failure = this.#failures.findLast(([asked]) => isSame(asked, server))?.[1];
    if (failure === undefined) return undefined;
    const { kind, message, headers } = failure;
    return new ProxyError(kind, message, { cause: failure, headers, progress: NOTHING_SENT });
  }
}

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

/** Finds out, and asks. */
export class TokenFinder {
  readonly #options: TokenFinderOptions;
  readonly #documents: DocumentOptions;
  /** What a server has said it wants. */
  #wanted: Wanted | undefined;
  /** Which one that was; undefined where that is not known. */
  #by: TokenServer | undefined;
  /** Whether that holds still, so that it need not be asked again. */
  #isAsked = false;
  #found: Found | undefined;
  /** How often something was learned: what was asked before says less. */
  #learned = 0;

  /** Nothing is known yet. */
  constructor(options: TokenFinderOptions) {
    this.#options = options;
    const { clock, resolve, allowPrivateAddresses } = options;
    const setting = "upstream.oauth.allowPrivateAddresses";
    this.#documents = { clock, resolve, allowPrivateAddresses, setting };
  }

  /**
   * A server has refused a token: what was found out may not hold any more, and what it wants now does. What it does
   * not say again is as it was.
   */
  learn(wanted: Wanted | undefined, by?: TokenServer): void {
    this.#learned++;
    this.#found = undefined;
    this.#note(wanted, by);
  }

  /** Nothing is known any more: something of it may be what has failed. */
  forget(): void {
    this.#learned++;
    this.#found = undefined;
    this.#wanted = undefined;
    this.#isAsked = false;
  }

  /**
   * A new token.
   *
   * @param scopes to ask for in place of those that the server wants
   * @param first the server that is asked before any other, where something has to be asked
   * @throws {Unreached} where no server can be reached
   * @throws {DocumentError} where the authorization server cannot, or a document is not sound
   * @throws {TokenTrouble} where there is no token for the proxy
   */
  async token(
    scopes: readonly string[] | undefined,
    signal: AbortSignal,
    first?: TokenServer,
  ): Promise<FoundToken> {
    const { client, clock, issuer } = this.#options;
    const found = await this.#findOnce(signal, first);
    const { resource, authorizationServer: { tokenEndpoint, algorithms } } = found;
    const asked = this.#options.scopes ?? scopes ?? this.#wanted?.scopes ?? resource.scopes ?? [];
    const proof = await proofOf(client, { issuer, algorithms }, clock);
    const form = tokenForm(resource.resource, asked, proof);
    const answer = await postForm(tokenEndpoint, form, this.#documents, signal);
    return { ...readToken(answer), scopes: asked };
  }

  async #findOnce(signal: AbortSignal, first?: TokenServer): Promise<Found> {
    if (this.#found !== undefined) return this.#found;
    const learned = this.#learned;
    const found = await this.#find(signal, first);
    // What was learned meanwhile is not in it.
    if (learned === this.#learned) this.#found = found;
    return found;
  }

  /** The server first: while that is down nobody asks the authorization server for anything. */
  async #find(signal: AbortSignal, first?: TokenServer): Promise<Found> {
    const { issuer, resource: configured, scopes } = this.#options;
    // Then there is nothing to ask a server for.
    const isKnown = configured !== undefined && scopes !== undefined;
    const resource = isKnown
      ? { resource: configured, scopes: undefined }
      : await this.#findResource(signal, first);
    const authorizationServer = await findAuthorizationServer(issuer, this.#documents, signal);
    return { resource, authorizationServer };
  }

  async #findResource(signal: AbortSignal, first?: TokenServer): Promise<Resource> {
    const servers = inTurn(this.#options.servers(), first);
    const failures: [TokenServer, ProxyError][] = [];
    let trouble = new TokenTrouble("unavailable", "it is for a target that is no more");
    for (const server of servers) {
      const asking = (signal: AbortSignal) => this.#ask(server, server === servers[0], signal);
      try {
        if (servers.length === 1) return await asking(signal);
        return await inShare(asking, this.#options.clock, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof ProxyError) failures.push([server, error]);
        else if (error instanceof TokenTrouble && error.kind === "unavailable") trouble = error;
        else throw error;
      }
    }
    throw failures.length > 0 && failures.length === servers.length
      ? new Unreached(failures)
      : trouble;
  }

  async #ask(server: TokenServer, isFirst: boolean, signal: AbortSignal): Promise<Resource> {
    const client = server.open();
    try {
      const isKnown = isFirst && this.#isAsked && isSame(server, this.#by);
      const wanted = isKnown ? this.#wanted : await this.#askWanted(client, server, signal);
      const { issuer, resource: configured } = this.#options;
      const question = { wanted, configured, issuer, documents: this.#documents };
      return await findResource(client, server, question, signal);
    } finally {
      await client.close();
    }
  }

  async #askWanted(
    client: HttpClient,
    server: TokenServer,
    signal: AbortSignal,
  ): Promise<Wanted | undefined> {
    const learned = this.#learned;
    const said = await askServer(client, server, signal);
    if (learned !== this.#learned) return said;
    this.#note(said, server);
    return this.#wanted;
  }

  #note(said: Wanted | undefined, by: TokenServer | undefined): void {
    const known = this.#wanted;
    // Where metadata are is for one server to say; scopes are those of the one resource.
    const metadata = said?.metadata ?? (isSame(by, this.#by) ? known?.metadata : undefined);
    const scopes = said?.scopes ?? known?.scopes;
    this.#isAsked = said !== undefined;
    this.#by = by;
    if ((said ?? known) !== undefined) this.#wanted = { metadata, scopes, error: said?.error };
  }
}

/** Whether two are one server, as far as is known. */
function isSame(a: TokenServer | undefined, b: TokenServer | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return true;
  if (a.target.kind !== "tcp" || b.target.kind !== "tcp") return false;
  return dialledUrl(a.target, a.path) === dialledUrl(b.target, b.path);
}

/** The one whose request wants a token is asked first: it is there, most likely, and its failures are its own. */
function inTurn(
  servers: readonly TokenServer[],
  first: TokenServer | undefined,
): readonly TokenServer[] {
  if (first === undefined || servers.length === 0) return servers.slice(0, MAX_SERVERS);
  const others = servers.filter((server) => !isSame(server, first));
  return [first, ...others].slice(0, MAX_SERVERS);
}

/** One that hangs leaves time for those behind it. */
async function inShare<T>(
  asking: (signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const abort = new AbortController();
  const give = () => abort.abort();
  const timer = clock.after(SERVER_SHARE_MS, give);
  signal.addEventListener("abort", give);
  try {
    return await asking(abort.signal);
  } catch (error) {
    if (!abort.signal.aborted || signal.aborted) throw error;
    throw new ProxyError("upstream_timeout", "The upstream server did not answer in time.", {
      cause: error,
    });
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", give);
  }
}
