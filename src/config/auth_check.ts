/**
 * What no single setting of `auth` shows: a field that means something else, a key that would have to
 * go upstream, a key with two holders.
 *
 * Works on the config as it was written, like `cross_check.ts`.
 *
 * @module
 */

import { httpSsePaths } from "./http_sse_paths.ts";
import { isLoopback } from "./loopback.ts";
import { privateAddress } from "./private_address.ts";
import type { ConfigProblem } from "./problems.ts";
import { parseAddress } from "./schema.ts";

type Raw = Readonly<Record<string, unknown>>;

/**
 * Fields with a meaning of their own: of HTTP, of MCP, or set by what stands in front of the proxy.
 * `Authorization` holds a scheme beside the key.
 */
const TAKEN_FIELD =
  /^(accept|access-control|content|cookie|if|mcp|proxy|sec|x-forwarded)(-|$)|^(authorization|connection|date|expect|forwarded|host|http2-settings|keep-alive|last-event-id|origin|range|referer|set-cookie|te|trailer|transfer-encoding|upgrade|user-agent|via|x-real-ip)$/;

/** The problems of `auth`, alone and with the routes. */
export function authProblems(raw: Raw): ConfigProblem[] {
  const { auth } = raw;
  if (!isRecord(auth)) return [];
  return [
    ...headerProblems(raw, auth),
    ...forwarded(raw, auth),
    ...sharedKeys(auth),
    ...missingPublicUrl(raw),
    ...privateIssuer(auth),
    ...metadataCollisions(raw),
  ];
}

/** Whether callers have to show a key or a token. */
export function asksWhoCalls(raw: Raw): boolean {
  return hasKeys(raw) || hasOauth(raw);
}

function hasKeys({ auth }: Raw): boolean {
  return isRecord(auth) && Array.isArray(auth.keys) && auth.keys.length > 0;
}

function hasOauth({ auth }: Raw): boolean {
  return isRecord(auth) && auth.oauth !== undefined;
}

/** Tokens are issued for a URL, which has to be the one that clients dial (RFC 8707). */
function missingPublicUrl(raw: Raw): ConfigProblem[] {
  if (!hasOauth(raw) || raw.publicUrl !== undefined) return [];
  const address = parseAddress(typeof raw.listen === "string" ? raw.listen : "127.0.0.1:3100");
  if (address === undefined || (isLoopback(address.hostname) && address.port !== 0)) return [];
  return [{
    path: "publicUrl",
    found: "nothing, beside auth.oauth",
    wanted: "the URL that clients dial, such as https://mcp.example.com: tokens are issued for it",
  }];
}

function privateIssuer({ oauth }: Raw): ConfigProblem[] {
  if (!isRecord(oauth) || oauth.allowPrivateAddresses === true) return [];
  // With jwksUri nothing is asked for under the issuer's name.
  const key = oauth.jwksUri === undefined ? "issuer" : "jwksUri";
  return privateAddress(`auth.oauth.${key}`, oauth[key], "auth.oauth.allowPrivateAddresses");
}

/**
 * Routes whose metadata would be at one path. It is found with the path of `publicUrl` ahead of that of the route (RFC
 * 9728 section 3.1) and without, where something in front has taken it away.
 */
function metadataCollisions(raw: Raw): ConfigProblem[] {
  const { publicUrl, routes } = raw;
  if (!hasOauth(raw) || !Array.isArray(routes)) return [];
  if (typeof publicUrl !== "string" || !URL.canParse(publicUrl)) return [];
  const prefix = new URL(publicUrl).pathname.replace(/\/$/, "");
  if (prefix === "") return [];
  const named = routes.map((route: unknown) => {
    const path = isRecord(route) ? route.path : undefined;
    return typeof path === "string" ? [path, ...httpSsePaths(path).streams] : [];
  });
  const all = new Set(named.flat());
  return named.flatMap((paths, index) => {
    const met = paths.filter((path) => path.startsWith(`${prefix}/`))
      .map((path) => path.slice(prefix.length))
      .find((path) => all.has(path));
    if (met === undefined) return [];
    return [{
      path: `routes[${index}].path`,
      found: `${JSON.stringify(paths[0])}, whose metadata is at the path of that of ` +
        publicUrl + met,
      wanted: `a path that does not begin with ${prefix}, the path of publicUrl`,
    }];
  });
}

function headerProblems(raw: Raw, { header }: Raw): ConfigProblem[] {
  if (typeof header !== "string") return [];
  const path = "auth.header";
  const found = JSON.stringify(header);
  // Servers take an underscore for a dash (R15), so it makes no other field of it.
  if (TAKEN_FIELD.test(header.toLowerCase().replaceAll("_", "-"))) {
    const wanted = header.toLowerCase() === "authorization"
      ? "nothing, which means Authorization: Bearer KEY, or a field of its own such as x-api-key"
      : "a field without another meaning, such as x-api-key";
    return [{ path, found, wanted }];
  }
  if (hasKeys(raw)) return [];
  return [{ path, found: `${found} without auth.keys`, wanted: "auth.keys beside it, or neither" }];
}

/** R93: the client's one `Authorization` cannot hold both a token for the server and a key or token for here. */
function forwarded(raw: Raw, { header }: Raw): ConfigProblem[] {
  const isTaken = hasOauth(raw) || (header === undefined && hasKeys(raw));
  if (!isTaken || !Array.isArray(raw.routes)) return [];
  const [held, wanted] = hasOauth(raw)
    ? ["access token", "drop, with what the server asks for in upstream.headers"]
    : ["key", "auth.header, such as x-api-key, so that Authorization is the server's; or drop"];
  return raw.routes.flatMap((route: unknown, index) => {
    const upstream = isRecord(route) ? route.upstream : undefined;
    if (!isRecord(upstream) || upstream.credentials !== "forward") return [];
    return [{
      path: `routes[${index}].upstream.credentials`,
      found: `"forward", while Authorization holds the ${held} for this proxy`,
      wanted,
    }];
  });
}

/** A key with two holders would be somebody's by chance. Hashes are not shown (R96). */
function sharedKeys({ keys }: Raw): ConfigProblem[] {
  if (!Array.isArray(keys)) return [];
  const first = new Map<string, number>();
  return keys.flatMap((key: unknown, index) => {
    const hash = isRecord(key) ? key.sha256 : undefined;
    if (typeof hash !== "string") return [];
    const earlier = first.get(hash);
    if (earlier === undefined) {
      first.set(hash, index);
      return [];
    }
    return [{
      path: `auth.keys[${index}].sha256`,
      found: `the hash of auth.keys[${earlier}]`,
      wanted: "a key of its own",
    }];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
