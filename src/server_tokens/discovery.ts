/**
 * Finding out for what, with which scopes and where a token is to be asked for: from the server, then from the
 * authorization server at which the proxy's client is registered.
 *
 * Source: 2026-07-28 basic/authorization/authorization-server-discovery, and basic/authorization "Scope Selection
 * Strategy"; RFC 8414, RFC 9728.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import {
  DocumentError,
  type DocumentOptions,
  fetchDocument,
  findMetadata,
  readUrl,
} from "../issuer/mod.ts";
import { documentAt } from "../server_oauth/mod.ts";
import { EVENT_STREAM, JSON_TYPE } from "../sse/mod.ts";
import { type HttpClient, type HttpTarget, originOf, RESOURCE_METADATA } from "../upstream/mod.ts";
import { type Wanted, wantedIn } from "./refusal.ts";
import { dialledUrl, knownResource, readResource, type Resource } from "./resource.ts";
import { TokenTrouble } from "./trouble.ts";

/** The longest wait for the server to say what it wants, in milliseconds. */
export const ASK_TIMEOUT_MS = 10_000;

/** Characters of the path, with its query, that a server may name for its metadata; a longer one counts for nothing. */
export const MAX_PLACE_CHARACTERS = 2_048;

/** A server that tokens are for. */
export interface TokenServer {
  /** What it speaks. */
  readonly transport: "streamable-http" | "http+sse";
  /** Where it listens. */
  readonly target: HttpTarget;
  /** Path of its endpoint, or of its stream. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** Fields that the config has sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Makes connections to it that carry no token. */
  open(): HttpClient;
}

/** The authorization server, by its metadata. */
export interface AuthorizationServer {
  /** Where tokens are asked for. */
  readonly tokenEndpoint: URL;
  /** Algorithms of statements that it takes; undefined where it does not say. */
  readonly algorithms: readonly string[] | undefined;
}

/** What lets the proxy have metadata that a server names in a private network: it is asked for them itself then. */
const METADATA_SETTING = "upstream.oauth.resource at its origin";

const PING = new TextEncoder().encode(
  JSON.stringify({ jsonrpc: "2.0", id: "switchyard-token", method: "ping" }),
);

/**
 * What a server wants, which it is asked without a token: by what does nothing, so that no request of a client is tried
 * without its credentials.
 *
 * @throws {ProxyError} where it cannot be reached
 */
export async function askServer(
  client: HttpClient,
  { transport, path, query, headers }: TokenServer,
  signal: AbortSignal,
): Promise<Wanted | undefined> {
  const isStream = transport === "http+sse";
  const configured = Object.entries(headers)
    .flatMap(([name, value]) => [name.toLowerCase(), value]);
  const typed = isStream ? [] : ["content-type", JSON_TYPE];
  const accept = isStream ? EVENT_STREAM : `${JSON_TYPE}, ${EVENT_STREAM}`;
  const limit = ASK_TIMEOUT_MS;
  const { status, fields, body } = await client.send({
    method: isStream ? "GET" : "POST",
    path: path + query,
    fields: ["accept", accept, "accept-encoding", "identity", ...typed, ...configured],
    body: isStream ? null : PING,
    signal,
    timeouts: { headersMs: limit, totalMs: limit, bodyIdleMs: limit, streamIdleMs: limit },
  });
  body.discard();
  return status === 401 ? wantedIn(fields) : undefined;
}

/** What is found out with. */
export interface ResourceQuestion {
  /** What the server has said it wants, if anything. */
  readonly wanted: Wanted | undefined;
  /** The resource that the config names. */
  readonly configured: string | undefined;
  /** The authorization server. */
  readonly issuer: string;
  /** How documents are fetched that are not at the server's own origin. */
  readonly documents: DocumentOptions;
}

/**
 * The server as a resource: by its metadata, where it says that they are, else at the well-known places; where it has
 * none, by what is known of it. At the origin of the configured resource it is the server itself that is asked, for it
 * has that name to others.
 *
 * @throws {ProxyError} where it cannot be reached, or has no answer for the moment
 * @throws {TokenTrouble} where they are elsewhere and cannot be had, or are not its own
 */
export async function findResource(
  client: HttpClient,
  { target, path }: TokenServer,
  question: ResourceQuestion,
  signal: AbortSignal,
): Promise<Resource> {
  const { wanted, configured, issuer } = question;
  const known = { configured, dialled: dialledUrl(target, path), issuer };
  const named = placeIn(wanted);
  const own = [originOf(target), configured === undefined ? undefined : new URL(configured).origin];
  if (named !== undefined && !own.includes(named.origin)) {
    const found = await documentElsewhere(named, question, signal);
    return found === undefined ? knownResource(known) : readResource(found.document, known);
  }
  const ofPath = path === "/" ? [] : [RESOURCE_METADATA + path];
  const places = named === undefined
    ? [...ofPath, RESOURCE_METADATA]
    : [named.pathname + named.search];
  for (const place of places) {
    const asked = await documentAt(client, place, signal);
    if (asked instanceof ProxyError) throw new TokenTrouble("unavailable", asked.message, asked);
    if (asked !== undefined) return readResource(asked.document, known, place);
  }
  return knownResource(known);
}

/** Where a server says that its metadata are; undefined where it names nothing that could be asked. */
function placeIn(wanted: Wanted | undefined): URL | undefined {
  const text = wanted?.metadata;
  if (text === undefined || !URL.canParse(text)) return undefined;
  const place = new URL(text);
  const { pathname, search, username, password } = place;
  const isSound = (pathname + search).length <= MAX_PLACE_CHARACTERS && username + password === "";
  return isSound ? place : undefined;
}

/**
 * The server's metadata at another origin; undefined where there are none, as at its own. The server has chosen that
 * place: what the config allows for the authorization server is not for it to use (R95).
 *
 * @throws {TokenTrouble} where they cannot be had
 */
async function documentElsewhere(
  place: URL,
  { issuer, documents }: ResourceQuestion,
  signal: AbortSignal,
): Promise<{ readonly document: unknown } | undefined> {
  const options = place.origin === new URL(issuer).origin
    ? documents
    : { ...documents, allowPrivateAddresses: false, setting: METADATA_SETTING };
  try {
    return { document: await fetchDocument(place, options, signal) };
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    const { status = 0 } = error;
    if (status > 200 && status < 500 && status !== 429) return undefined;
    throw new TokenTrouble("unavailable", `the server's metadata: ${error.message}`, error);
  }
}

/**
 * The authorization server.
 *
 * @throws {DocumentError} where its metadata cannot be had, or are another's
 */
export function findAuthorizationServer(
  issuer: string,
  documents: DocumentOptions,
  signal: AbortSignal,
): Promise<AuthorizationServer> {
  return findMetadata(issuer, (url) => fetchDocument(url, documents, signal), {
    setting: "oauth.issuer",
    member: "token_endpoint",
    read(document) {
      const tokenEndpoint = readUrl(document, "token_endpoint");
      const listed = document["token_endpoint_auth_signing_alg_values_supported"];
      const algorithms = Array.isArray(listed) ? listed.map(String) : undefined;
      return tokenEndpoint && { tokenEndpoint, algorithms };
    },
  });
}
