/**
 * What a server says of itself as a protected resource, held against what is known of it. Pure.
 *
 * Sources: RFC 9728 sections 2, 3.3 and 7.6, RFC 8707 section 2; 2026-07-28 basic/authorization "Canonical Server URI",
 * and client-registration "Authorization Server Binding".
 *
 * @module
 */

import { type HttpTarget, originOf, RESOURCE_METADATA } from "../upstream/mod.ts";
import { listedScopes } from "./refusal.ts";
import { TokenTrouble } from "./trouble.ts";

/** Members of the list of authorization servers that are looked at. */
const MAX_AUTHORIZATION_SERVERS = 16;

/** What is known of a server without asking it. */
export interface KnownResource {
  /** The resource that the config names; undefined where it names none. */
  readonly configured: string | undefined;
  /** The URL that is dialled. */
  readonly dialled: string;
  /** The authorization server that the client is registered at. */
  readonly issuer: string;
}

/** What tokens for a server are asked for with. */
export interface Resource {
  /** The parameter `resource`. */
  readonly resource: string;
  /** Scopes that it knows; undefined where it lists none. */
  readonly scopes: readonly string[] | undefined;
}

/** The URL of an endpoint, without a query, and without `/` where nothing else stands behind the host. */
export function dialledUrl(target: HttpTarget, path: string): string {
  return originOf(target) + (path === "/" ? "" : path);
}

/** The resource of a server that has no metadata. */
export function knownResource({ configured, dialled }: KnownResource): Resource {
  return { resource: configured ?? dialled, scopes: undefined };
}

/**
 * The resource that metadata name.
 *
 * @param place where they were found at the server's own origin: a path, with its query
 * @throws {TokenTrouble} where they are those of another resource, or of one that trusts other authorization servers:
 * a token would be given to whom it is not meant for, or be good for nothing
 */
export function readResource(document: unknown, known: KnownResource, place?: string): Resource {
  const { resource, authorization_servers: servers, scopes_supported: scopes } =
    document as Readonly<Record<string, unknown>> | null ?? {};
  if (typeof resource !== "string" || !isOf(resource, known, place)) {
    const wanted = known.configured === undefined ? "the URL that is dialled" : "oauth.resource";
    throw new TokenTrouble(
      "refused",
      `the server's metadata are of another resource than ${wanted}`,
    );
  }
  if (Array.isArray(servers) && !servers.slice(0, MAX_AUTHORIZATION_SERVERS).some(trusts(known))) {
    throw new TokenTrouble(
      "refused",
      "the server's metadata name other authorization servers than oauth.issuer, and the secret goes to no other",
    );
  }
  return { resource, scopes: listedScopes(scopes) };
}

/** Some servers put `/` behind a host, which makes no other server of it: the secret goes to the configured one. */
function trusts({ issuer }: KnownResource): (server: unknown) => boolean {
  const bare = withoutSlash(issuer);
  return (server) => typeof server === "string" && withoutSlash(server) === bare;
}

function withoutSlash(text: string): string {
  return text.replace(/\/$/, "");
}

/**
 * Whether a resource is the server's own: what the config says, or what is dialled, or what is above that, if that says
 * so itself, at its own well-known place (RFC 9728 section 3.3). At any other place a path of the server may be a
 * tenant's, who would get a token that is good for all. Another origin, or a path beside, may be anybody's.
 */
function isOf(
  resource: string,
  { configured, dialled }: KnownResource,
  place: string | undefined,
): boolean {
  if (!URL.canParse(resource)) return false;
  const named = new URL(resource);
  if (configured !== undefined) {
    return withoutSlash(named.href) === withoutSlash(new URL(configured).href);
  }
  const own = new URL(dialled);
  const { username, password, search, hash } = named;
  if (named.origin !== own.origin || username + password + search + hash !== "") return false;
  const path = withoutSlash(named.pathname);
  if (path === withoutSlash(own.pathname)) return true;
  const isAbove = own.pathname.startsWith(`${path}/`);
  return isAbove && place !== undefined && withoutSlash(place) === RESOURCE_METADATA + path;
}
