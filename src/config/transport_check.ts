/**
 * Which transport a server is reached by, and that no setting of another one stands beside it.
 *
 * @module
 */

import { type ConfigProblem, shown } from "./problems.ts";

/** Settings of an upstream that mean something over HTTP alone. */
const OF_HTTP: readonly string[] = [
  "headers",
  "credentials",
  "allowPrivateIssuer",
  "oauth",
  "connectTimeoutMs",
  "bodyIdleTimeoutMs",
  "totalTimeoutMs",
  "maxConnections",
  "maxStreams",
  "maxQueued",
  "queueTimeoutMs",
  "keepAliveMs",
  "http2",
  "tls",
  "transport",
  "balance",
  "health",
];

/** The problems of one upstream as it was written, which stands at `path`. */
export function transportProblems(
  path: string,
  upstream: Readonly<Record<string, unknown>>,
  sourceOf: (path: string) => string | undefined,
): ConfigProblem[] {
  const { url, targets, stdio, transport, era, health } = upstream;
  const at = (key: string) => sourceOf(`${path}.${key}`) ?? `${path}.${key}`;
  if (url === undefined && targets === undefined && stdio === undefined) {
    const wanted =
      "the URL of the server, targets with several, or stdio with the command that starts it";
    return [{ path: at("url"), found: "nothing", wanted }];
  }
  if (url !== undefined && targets !== undefined) {
    return [{ path: at("targets"), found: "targets beside url", wanted: "one of the two" }];
  }
  if (transport === "http+sse" && (era === "modern" || era === "both")) {
    const wanted =
      "session, or nothing: HTTP+SSE is a transport of 2024-11-05 and has sessions alone";
    return [{ path: at("era"), found: `"${era}" beside http+sse`, wanted }];
  }
  const probe = (health as Record<string, unknown> | null | undefined)?.probe;
  if (transport === "http+sse" && probe === "discover") {
    const wanted = "ping, which opens its stream, a path, or off: HTTP+SSE has no server/discover";
    return [{ path: at("health.probe"), found: '"discover" beside http+sse', wanted }];
  }
  if (stdio === undefined) return [];
  const problems = OF_HTTP.filter((key) => upstream[key] !== undefined).map((key) => ({
    path: at(key),
    found: "a setting of HTTP beside stdio",
    wanted: "nothing here; the server gets what it needs by stdio.env and stdio.args",
  }));
  const other = url !== undefined ? "url" : targets !== undefined ? "targets" : undefined;
  if (other === undefined) return problems;
  const found = `stdio beside ${other}`;
  return [{ path: at("stdio"), found, wanted: "one of the two" }, ...problems];
}

/** Targets of one name or one address: each needs its own, or sessions go astray. */
export function repeatedTargets(
  path: string,
  { targets }: Readonly<Record<string, unknown>>,
): ConfigProblem[] {
  if (!Array.isArray(targets)) return [];
  return ["name", "url"].flatMap((key) => {
    const values = targets.map((target: unknown) =>
      (target as Record<string, unknown> | null)?.[key]
    );
    return values.flatMap((value, index) => {
      const earlier = values.indexOf(value);
      if (typeof value !== "string" || earlier === index) return [];
      return [{
        path: `${path}.targets[${index}].${key}`,
        found: shown(value),
        wanted: `a ${key} of its own; targets[${earlier}] has it already`,
      }];
    });
  });
}
