/**
 * The paths under which a route serves clients of HTTP+SSE (2024-11-05), beside its own.
 *
 * @module
 */

import type { ConfigProblem } from "./problems.ts";

/** Where clients of HTTP+SSE find a route. */
export interface HttpSsePaths {
  /** For the stream, by GET. */
  readonly streams: readonly string[];
  /** For messages, by POST; clients learn it from the stream. */
  readonly messages: string;
}

const ENDPOINT = "/mcp";

/** Those of the route with this path: `/mcp` has `/mcp/sse`, `/mcp/messages`, and `/sse`, its usual name. */
export function httpSsePaths(path: string): HttpSsePaths {
  const sibling = path.endsWith(ENDPOINT) ? [`${path.slice(0, -ENDPOINT.length)}/sse`] : [];
  return { streams: [`${path}/sse`, ...sibling], messages: `${path}/messages` };
}

/** Paths that two routes would serve, in routes as they were written. */
export function httpSseCollisions(routes: unknown): ConfigProblem[] {
  if (!Array.isArray(routes)) return [];
  const paths = routes.map((route: unknown) => (route as { path?: unknown } | null)?.path);
  const owners = new Map<string, { index: number; isOwn: boolean }>();
  for (const [index, path] of paths.entries()) {
    if (typeof path === "string" && !owners.has(path)) owners.set(path, { index, isOwn: true });
  }
  return paths.flatMap((path, index) => {
    // A path that is there twice is a problem of its own.
    if (typeof path !== "string" || owners.get(path)?.index !== index) return [];
    const { streams, messages } = httpSsePaths(path);
    for (const served of [...streams, messages]) {
      const owner = owners.get(served);
      if (owner === undefined) owners.set(served, { index, isOwn: false });
      else if (owner.index !== index) {
        const theirs = `routes[${owner.index}] ${owner.isOwn ? "has it" : "serves it too"}`;
        return [{
          path: `routes[${index}].path`,
          found: `${JSON.stringify(path)}, which serves clients of HTTP+SSE under ${served}`,
          wanted: `a path whose ${served} is free; ${theirs}`,
        }];
      }
    }
    return [];
  });
}
