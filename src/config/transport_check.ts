/**
 * Which transport a server is reached by, and that no setting of another one stands beside it.
 *
 * @module
 */

import type { ConfigProblem } from "./problems.ts";

/** Settings of an upstream that mean something over HTTP alone. */
const OF_HTTP: readonly string[] = [
  "headers",
  "credentials",
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
];

/** The problems of one upstream as it was written, which stands at `path`. */
export function transportProblems(
  path: string,
  upstream: Readonly<Record<string, unknown>>,
  sourceOf: (path: string) => string | undefined,
): ConfigProblem[] {
  const { url, stdio, transport, era } = upstream;
  const at = (key: string) => sourceOf(`${path}.${key}`) ?? `${path}.${key}`;
  if (url === undefined && stdio === undefined) {
    const wanted = "the URL of the server, or stdio with the command that starts it";
    return [{ path: at("url"), found: "nothing", wanted }];
  }
  if (transport === "http+sse" && (era === "modern" || era === "both")) {
    const wanted =
      "session, or nothing: HTTP+SSE is a transport of 2024-11-05 and has sessions alone";
    return [{ path: at("era"), found: `"${era}" beside http+sse`, wanted }];
  }
  if (stdio === undefined) return [];
  const problems = OF_HTTP.filter((key) => upstream[key] !== undefined).map((key) => ({
    path: at(key),
    found: "a setting of HTTP beside stdio",
    wanted: "nothing here; the server gets what it needs by stdio.env and stdio.args",
  }));
  if (url === undefined) return problems;
  return [{ path: at("stdio"), found: "stdio beside url", wanted: "one of the two" }, ...problems];
}
