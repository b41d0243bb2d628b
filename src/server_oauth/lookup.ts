/**
 * Asking a server for its metadata, for those of its clients who have no credential yet.
 *
 * Only the server itself is asked, on paths of its own origin, and none of the configured fields goes along (R95).
 *
 * Source: RFC 9728 section 3; 2026-07-28 basic/authorization/authorization-server-discovery; for servers without
 * metadata, 2025-03-26 basic/authorization, "Server Metadata Discovery".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { metadataUrls } from "../issuer/mod.ts";
import { JSON_TYPE, mediaTypeOf } from "../sse/mod.ts";
import { type HttpClient, RESOURCE_METADATA } from "../upstream/mod.ts";
import { readAuthorizationServer } from "./authorization_server.ts";
import type { IssuerLookup } from "./issuer_lookup.ts";
import { type Metadata, metadataOfIssuer, readMetadata } from "./metadata.ts";

/** The longest document, in bytes. */
export const MAX_DOCUMENT_BYTES = 65_536;
/** The longest time for all that is asked for one document, in milliseconds. */
export const LOOKUP_MS = 10_000;
/** How long a document is kept, in milliseconds, unless the server refuses a client meanwhile. */
export const FOUND_MS = 60_000;
/** How long it is kept that there is none or it could not be had, and a document for who was refused, in milliseconds. */
export const MISSING_MS = 5_000;
/** Lookups of one route under way at a time: what has changed meanwhile does not wait for what began before. */
export const MAX_LOOKUPS = 2;
/** Servers of one route that are asked one after the other, where the first ones cannot be reached. */
export const MAX_SERVERS = 3;

/** Where an authorization server says what it is, at its origin (RFC 8414 section 3). */
export const AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server";

/** What gives the metadata of a route. */
export interface MetadataSource {
  /**
   * The metadata without `resource`; undefined where the server has none.
   *
   * @throws {ProxyError} what kept the server from being asked, of source upstream
   */
  metadata(): Promise<Metadata | undefined>;
  /**
   * The document of the authorization server that the server is itself, or of the first that it names; undefined
   * where there is none that a client could use.
   *
   * @throws {ProxyError} what kept the server from being asked, of source upstream; `authorization_unavailable` where
   * the authorization server cannot be asked for now
   */
  authorizationServer(): Promise<Metadata | undefined>;
}

/** A server whose metadata can be asked for. */
export interface MetadataServer {
  /** Its name among those of the route. */
  readonly name: string;
  /** Its host, as in a URL without brackets. */
  readonly hostname: string;
  /** Scheme, host and port by which it is reached; undefined for a path of this machine. */
  readonly origin: string | undefined;
  /** Path of its MCP endpoint. */
  readonly path: string;
  /** Makes connections to it. */
  open(): HttpClient;
}

/** What a document is asked for with. */
export interface LookupOptions {
  /** Time. */
  readonly clock: Clock;
  /** The servers of the route, as they are now. */
  servers(): readonly MetadataServer[];
  /** Asks the authorization servers that they name; ended with it. */
  readonly issuers: IssuerLookup;
}

/** What a server says of itself. */
interface Told {
  /** As a resource. */
  readonly metadata: Metadata;
  /** As the authorization server that it is itself. */
  readonly authorizationServer?: Metadata | undefined;
}

/** What came of a lookup. */
type Outcome = { readonly told: Told | undefined } | { readonly failure: ProxyError };

/** What is kept of a lookup, on the clock's monotonic scale. */
interface Kept {
  readonly outcome: Outcome;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** The metadata of one route: asked for once for all who want it at a time, and kept for a while. */
export class MetadataLookup implements MetadataSource {
  readonly #options: LookupOptions;
  /** Paths that challenges have named, by the names of the servers. */
  readonly #named = new Map<string, string>();
  #kept: Kept | undefined;
  /** How often all was forgotten: what began before that is kept for nobody. */
  #generation = 0;
  /** Lookups by the generation in which they began, the newest last. */
  readonly #underWay = new Map<number, Promise<Outcome>>();
  readonly #over = new AbortController();

  /** Of a route. */
  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /**
   * A server has refused a client, who will want to know now whom the server trusts: what was asked longer ago than
   * `MISSING_MS` is asked anew.
   *
   * @param path where its metadata is, if it has said so
   */
  challenged(server: string, path: string | undefined): void {
    if (path !== undefined && this.#named.get(server) !== path) {
      this.#named.set(server, path);
      this.forget();
    }
    if (this.#kept === undefined) return;
    const { sinceMs, untilMs } = this.#kept;
    this.#kept = { ...this.#kept, untilMs: Math.min(untilMs, sinceMs + MISSING_MS) };
  }

  /** Asks anew when the next one wants to know, and knows of the servers of now alone. */
  forget(): void {
    this.#kept = undefined;
    this.#generation++;
    const names = new Set(this.#options.servers().map(({ name }) => name));
    for (const name of this.#named.keys()) if (!names.has(name)) this.#named.delete(name);
  }

  /** See `MetadataSource`. */
  async metadata(): Promise<Metadata | undefined> {
    return (await this.#told())?.metadata;
  }

  /** See `MetadataSource`. */
  async authorizationServer(): Promise<Metadata | undefined> {
    const told = await this.#told();
    if (told === undefined) return undefined;
    return told.authorizationServer ??
      await this.#options.issuers.document(firstIssuer(told.metadata));
  }

  /** Nobody is asked any more. */
  close(): void {
    this.#over.abort();
    this.#options.issuers.close();
  }

  async #told(): Promise<Told | undefined> {
    const outcome = await this.#outcome();
    if ("failure" in outcome) throw outcome.failure;
    return outcome.told;
  }

  async #outcome(): Promise<Outcome> {
    const { clock } = this.#options;
    if (this.#kept !== undefined && clock.monotonicMs() < this.#kept.untilMs) {
      return this.#kept.outcome;
    }
    const generation = this.#generation;
    const joined = this.#underWay.get(generation) ??
      (this.#underWay.size < MAX_LOOKUPS ? undefined : [...this.#underWay.values()].at(-1));
    if (joined !== undefined) return await joined;
    const asking = this.#lookUp(generation).finally(() => this.#underWay.delete(generation));
    this.#underWay.set(generation, asking);
    return await asking;
  }

  /** Never rejects. */
  async #lookUp(generation: number): Promise<Outcome> {
    const { clock } = this.#options;
    const late = new AbortController();
    const timer = clock.after(LOOKUP_MS, () => late.abort());
    let outcome: Outcome;
    try {
      outcome = { told: await this.#ask(AbortSignal.any([late.signal, this.#over.signal])) };
    } catch (thrown) {
      outcome = { failure: this.#failureOf(thrown, late.signal.aborted) };
    } finally {
      timer.cancel();
    }
    const isFound = "told" in outcome && outcome.told !== undefined;
    const sinceMs = clock.monotonicMs();
    if (generation === this.#generation) {
      this.#kept = { outcome, sinceMs, untilMs: sinceMs + (isFound ? FOUND_MS : MISSING_MS) };
    }
    return outcome;
  }

  /** What was given up here is told as what it was given up for. */
  #failureOf(thrown: unknown, isLate: boolean): ProxyError {
    if (this.#over.signal.aborted) {
      return new ProxyError("upstream_unreachable", "The proxy is stopping.", { cause: thrown });
    }
    return isLate ? tooLate(thrown) : toProxyError(thrown);
  }

  /** Asks the servers, until one can be reached; first those that have named their metadata. */
  async #ask(signal: AbortSignal): Promise<Told | undefined> {
    const rank = ({ name }: MetadataServer) => this.#named.has(name) ? 0 : 1;
    const servers = this.#options.servers().toSorted((a, b) => rank(a) - rank(b));
    let failure: unknown;
    for (const server of servers.slice(0, MAX_SERVERS)) {
      const client = server.open();
      try {
        return await askOne(client, server, this.#named.get(server.name), signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      } finally {
        await client.close();
      }
    }
    throw failure;
  }
}

/**
 * What one server says: where its challenges say, under the path of its endpoint, or without one.
 *
 * @throws {ProxyError} where it cannot be reached, or where what is wrong may be another time
 */
async function askOne(
  client: HttpClient,
  { hostname, origin, path }: MetadataServer,
  named: string | undefined,
  signal: AbortSignal,
): Promise<Told | undefined> {
  const ofPath = path === "/" ? [] : [RESOURCE_METADATA + path];
  const places = new Set([...named === undefined ? [] : [named], ...ofPath, RESOURCE_METADATA]);
  let failure: ProxyError | undefined;
  for (const place of places) {
    const asked = await documentAt(client, place, signal);
    if (asked instanceof ProxyError) failure ??= asked;
    if (asked instanceof ProxyError || asked === undefined) continue;
    const metadata = readMetadata(asked.document, hostname);
    if (metadata !== undefined) {
      return { metadata, authorizationServer: await ownIssuer(client, metadata, origin, signal) };
    }
    failure ??= unsound();
  }
  if (failure !== undefined) throw failure;
  const asked = await documentAt(client, AUTHORIZATION_SERVER, signal);
  if (asked instanceof ProxyError) throw asked;
  const metadata = asked && metadataOfIssuer(asked.document);
  return metadata && { metadata, authorizationServer: readAuthorizationServer(asked.document) };
}

/**
 * The document of a server that its metadata name as its own authorization server: what is reached for calls need not
 * be looked at. Undefined where it is another one, or does not say so itself (RFC 8414 section 3.3).
 */
async function ownIssuer(
  client: HttpClient,
  metadata: Metadata,
  origin: string | undefined,
  signal: AbortSignal,
): Promise<Metadata | undefined> {
  const issuer = firstIssuer(metadata);
  if (origin === undefined || new URL(issuer).origin !== origin) return undefined;
  const [place] = metadataUrls(issuer);
  const asked = await documentAt(client, place!.pathname, signal);
  const told = asked instanceof ProxyError ? undefined : readAuthorizationServer(asked?.document);
  return told?.["issuer"] === issuer ? told : undefined;
}

/** `readMetadata` and `metadataOfIssuer` leave none without one. */
function firstIssuer(metadata: Metadata): string {
  return (metadata["authorization_servers"] as readonly [string])[0];
}

/**
 * The JSON at a path; undefined where there is none, a failure where there may be some another time. A redirect is
 * none: it may lead anywhere (R70).
 *
 * @throws {ProxyError} where the server cannot be reached
 */
export async function documentAt(
  client: HttpClient,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly document: unknown } | ProxyError | undefined> {
  const { status, fields, body } = await client.send({
    method: "GET",
    path,
    fields: ["accept", JSON_TYPE, "accept-encoding", "identity"],
    body: null,
    signal,
    timeouts: {
      headersMs: LOOKUP_MS,
      totalMs: LOOKUP_MS,
      bodyIdleMs: LOOKUP_MS,
      streamIdleMs: LOOKUP_MS,
    },
  });
  const isJson = mediaTypeOf(fields.get("content-type")) === JSON_TYPE;
  if (status !== 200 || !isJson) {
    body.discard();
    return status === 429 || status >= 500 ? refused(status) : undefined;
  }
  const bytes = await body.bytesWithin(MAX_DOCUMENT_BYTES);
  if (bytes === null) body.discard();
  const document = bytes === null ? undefined : parsed(bytes);
  return document === undefined ? unsound() : { document };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // It is told as unsound, whatever is wrong with it.
    return undefined;
  }
}

function refused(status: number): ProxyError {
  const sentence = `The upstream server answered ${status} when its metadata was asked for.`;
  return new ProxyError("upstream_status", sentence);
}

function unsound(): ProxyError {
  const sentence =
    "What the upstream server gives as metadata of a protected resource is not sound.";
  return new ProxyError("upstream_protocol", sentence);
}

function tooLate(cause: unknown): ProxyError {
  const sentence = "The upstream server took too long to give its metadata.";
  return new ProxyError("upstream_timeout", sentence, { cause });
}
