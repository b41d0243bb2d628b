/**
 * What no single setting shows: two routes on one path, an address open to the network, a
 * store without its file.
 *
 * Works on the config as it was written, so that these problems are told together with the others.
 *
 * @module
 */

import { asksWhoCalls, authProblems } from "./auth_check.ts";
import { httpSseCollisions } from "./http_sse_paths.ts";
import { isLoopback } from "./loopback.ts";
import type { ConfigProblem } from "./problems.ts";
import { parseAddress } from "./schema.ts";
import { storesCheck } from "./stores_check.ts";
import { repeatedTargets, transportProblems } from "./transport_check.ts";
import { upstreamOauthProblems } from "./upstream_oauth_check.ts";

/** The problems between settings. */
export function crossCheck(
  raw: Readonly<Record<string, unknown>>,
  needsRoutes: boolean,
  sourceOf: (path: string) => string | undefined,
): ConfigProblem[] {
  return [
    ...publicBinds(raw, sourceOf),
    ...missingRoutes(raw, needsRoutes),
    ...repeated(raw, "path"),
    ...repeated(raw, "name"),
    ...upstreams(raw).flatMap(({ path, upstream }) => transportProblems(path, upstream, sourceOf)),
    ...upstreams(raw).flatMap(({ path, upstream }) => repeatedTargets(path, upstream)),
    ...upstreams(raw).flatMap(({ path, upstream }) => upstreamOauthProblems(path, upstream)),
    ...httpSseCollisions(raw.routes),
    ...halfCertificates(raw),
    ...http2OverUnix(raw),
    ...sharedCredentials(raw),
    ...privateIssuers(raw),
    ...storesCheck(raw),
    ...authProblems(raw),
  ];
}

/** The upstreams of a config as they were written, each with its path. */
function upstreams(
  raw: Readonly<Record<string, unknown>>,
): { path: string; upstream: Readonly<Record<string, unknown>> }[] {
  if (!Array.isArray(raw.routes)) return [];
  return raw.routes.flatMap((route: unknown, index) => {
    const upstream = isRecord(route) ? route.upstream : undefined;
    return isRecord(upstream) ? [{ path: `routes[${index}].upstream`, upstream }] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A certificate serves only with its key, and the key only with its certificate. */
function halfCertificates(raw: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return upstreams(raw).flatMap(({ path, upstream: { tls } }) => {
    if (!isRecord(tls)) return [];
    const missing = ["certFile", "keyFile"].filter((key) => tls[key] === undefined);
    if (missing.length !== 1) return [];
    return [{
      path: `${path}.tls.${missing[0]}`,
      found: "nothing",
      wanted: "certFile and keyFile together, or neither",
    }];
  });
}

function http2OverUnix(raw: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return upstreams(raw).flatMap(({ path, upstream: { url, targets, http2 } }) => {
    const listed = Array.isArray(targets) ? targets : [];
    const urls = [
      url,
      ...listed.map((target: unknown) => isRecord(target) ? target.url : undefined),
    ];
    const isUnix = urls.some((one) => typeof one === "string" && one.startsWith("unix:"));
    if (http2 !== true || !isUnix) return [];
    const found = "true beside a unix: address";
    return [{ path: `${path}.http2`, found, wanted: "false, or an http:// or https:// URL" }];
  });
}

/** One upstream session must not mix the credentials of its clients. */
function sharedCredentials(raw: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return upstreams(raw).flatMap(({ path, upstream: { sessions, credentials } }) => {
    if (sessions !== "shared" || credentials !== "forward") return [];
    return [{
      path: `${path}.sessions`,
      found: '"shared" beside credentials: "forward"',
      wanted: "dedicated, or credentials: drop with the server's own in headers",
    }];
  });
}

/** Where no token of a client goes to the server, no client is told whom the server trusts. */
function privateIssuers(raw: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return upstreams(raw).flatMap(({ path, upstream: { allowPrivateIssuer, credentials } }) => {
    if (allowPrivateIssuer !== true || credentials === "forward") return [];
    const found = 'true without credentials: "forward"';
    return [{ path: `${path}.allowPrivateIssuer`, found, wanted: "false, or those forwarded" }];
  });
}

/** R100: an address that is not loopback needs an explicit word, or keys or tokens; admin checks neither. */
function publicBinds(
  raw: Readonly<Record<string, unknown>>,
  sourceOf: (path: string) => string | undefined,
): ConfigProblem[] {
  if (raw.allowPublicBind === true) return [];
  return ["listen", "admin"].flatMap((key) => {
    const parsed = typeof raw[key] === "string" ? parseAddress(raw[key]) : undefined;
    if (parsed === undefined || isLoopback(parsed.hostname)) return [];
    if (key === "listen" && asksWhoCalls(raw)) return [];
    return [{
      path: sourceOf(key) ?? key,
      found: `${JSON.stringify(raw[key])}, which other machines can reach`,
      wanted:
        `a loopback address such as 127.0.0.1:3100, ${
          key === "listen" ? "auth.keys, auth.oauth, " : ""
        }` +
        "or allowPublicBind (--allow-public-bind) where something in front checks who calls",
    }];
  });
}

function missingRoutes(
  raw: Readonly<Record<string, unknown>>,
  needsRoutes: boolean,
): ConfigProblem[] {
  const none = raw.routes === undefined || (Array.isArray(raw.routes) && raw.routes.length === 0);
  if (!needsRoutes || !none) return [];
  return [{
    path: "routes",
    found: "nothing",
    wanted:
      "at least one route: pass --upstream URL, --stdio COMMAND, or --config FILE with routes",
  }];
}

function repeated(
  raw: Readonly<Record<string, unknown>>,
  key: "path" | "name",
): ConfigProblem[] {
  if (!Array.isArray(raw.routes)) return [];
  const first = new Map<unknown, number>();
  return raw.routes.flatMap((route: unknown, index) => {
    const value = (route as Record<string, unknown> | null)?.[key];
    if (typeof value !== "string") return [];
    const earlier = first.get(value);
    if (earlier === undefined) {
      first.set(value, index);
      return [];
    }
    return [{
      path: `routes[${index}].${key}`,
      found: JSON.stringify(value),
      wanted: `a ${key} of its own; routes[${earlier}] has it already`,
    }];
  });
}
