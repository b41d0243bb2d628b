/**
 * The challenges of a server as a client of the proxy may have them: what to do is told, and where the server is
 * is not (R99).
 *
 * Source: RFC 9728 section 5.1 (`resource_metadata`), RFC 6750 section 3; 2026-07-28 basic/authorization.
 *
 * @module
 */

import { type Challenge, type Fields, formatChallenges, parseChallenges } from "../http/mod.ts";
import type { HttpTarget } from "./http_client.ts";

/**
 * Where a client looks for the metadata of a resource (RFC 9728 section 3), ahead of the path of that; also what stands
 * in a challenge for the address of the metadata, until it is known under which name the client has called.
 */
export const RESOURCE_METADATA = "/.well-known/oauth-protected-resource";

/** The longest path of metadata that is noted, in characters. */
export const MAX_METADATA_PATH_CHARACTERS = 2_048;

const CHALLENGE_FIELD = "www-authenticate";
const METADATA_PARAM = "resource_metadata";
/** What a client cannot do without, whatever stands in it. */
const SCOPE_PARAM = "scope";

/** What a server says of credentials. */
export interface ToldChallenges {
  /** For the client: one value for each that came and had anything sound in it. */
  readonly values: readonly string[];
  /** Path and query of the server's metadata, where it says that it has some at its own origin. */
  readonly metadata: string | undefined;
}

/** Values of `WWW-Authenticate` from the server at `target`, which may not be known. */
export function tellChallenges(
  values: readonly string[],
  target: HttpTarget | undefined,
): ToldChallenges {
  const names = namesOf(target);
  let metadata: string | undefined;
  const told = values.flatMap((value) => {
    const challenges = parseChallenges(value);
    metadata ??= metadataIn(challenges, target);
    const passing = challenges.flatMap((challenge) => withoutNames(challenge, names));
    return passing.length === 0 ? [] : [formatChallenges(passing)];
  });
  return { values: told, metadata };
}

/**
 * Gives challenges that were told the address of the metadata under which the client finds it.
 *
 * @param addressOf makes it of the path that stands there: `RESOURCE_METADATA`, with that of the resource behind it
 * where it is known
 */
export function nameMetadata(fields: Fields, addressOf: (path: string) => string): void {
  const values: string[] = [];
  fields.forEach((value, name) => name === CHALLENGE_FIELD && values.push(value));
  fields.delete(CHALLENGE_FIELD);
  for (const value of values) {
    const named = parseChallenges(value).map(({ scheme, token68, params }) => ({
      scheme,
      token68,
      params: params.map(([name, text]): [string, string] =>
        name === METADATA_PARAM ? [name, addressOf(text)] : [name, text]
      ),
    }));
    if (named.length > 0) fields.append(CHALLENGE_FIELD, formatChallenges(named));
  }
}

/** The origin of a server, as its own addresses have it. */
export function originOf(target: HttpTarget): string {
  const scheme = target.kind === "tcp" && target.tls !== undefined ? "https" : "http";
  return new URL(`${scheme}://${target.host}`).origin;
}

/**
 * Under what a server may be named in a text, in lower case. A short name, such as `mcp`, may be any word. The dot at
 * the end makes no other host of it (RFC 1034 section 3.1).
 */
function namesOf(target: HttpTarget | undefined): readonly string[] {
  if (target?.kind !== "tcp") return [];
  const hostname = target.hostname.toLowerCase().replace(/\.$/, "");
  const ported = [`${hostname}:${target.port}`, `${hostname}.:${target.port}`];
  return [target.host.toLowerCase(), hostname, ...ported].filter((name) => /[.:]/.test(name));
}

/** What of a challenge names nobody; nothing where its very scheme does. */
function withoutNames(
  { scheme, token68, params }: Challenge,
  names: readonly string[],
): readonly Challenge[] {
  const tells = (text: string) => {
    const lower = text.toLowerCase();
    return lower.includes("://") || names.some((name) => lower.includes(name));
  };
  if (tells(scheme) || (token68 !== undefined && tells(token68))) return [];
  const passing = params.flatMap(([name, value]): [string, string][] => {
    if (name === METADATA_PARAM) return [[name, RESOURCE_METADATA]];
    if (name === SCOPE_PARAM) return [[name, value]];
    return tells(name) || tells(value) ? [] : [[name, value]];
  });
  return [{ scheme, token68, params: passing }];
}

/** R95: only what is at the server's own origin is ever asked for. */
function metadataIn(
  challenges: readonly Challenge[],
  target: HttpTarget | undefined,
): string | undefined {
  if (target === undefined) return undefined;
  for (const { params } of challenges) {
    const value = params.find(([name]) => name === METADATA_PARAM)?.[1];
    if (value === undefined || !URL.canParse(value)) continue;
    const { origin, pathname, search, username, password } = new URL(value);
    const path = pathname + search;
    const isOwn = origin === originOf(target) && username + password === "";
    if (isOwn && path.length <= MAX_METADATA_PATH_CHARACTERS) return path;
  }
  return undefined;
}
