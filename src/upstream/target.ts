/**
 * Reading an upstream's address: `http://host/mcp`, `https://host/mcp`, or `unix:/run/mcp.sock` with the
 * path of the endpoint behind a second colon, `/mcp` where none is given.
 *
 * @module
 */

import type { HttpTarget, TlsOptions } from "./http_client.ts";

/** An upstream's address, taken apart. */
export interface UpstreamAddress {
  /** Where to connect. */
  readonly target: HttpTarget;
  /** Path of the endpoint. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
}

const UNIX = /^unix:(\/[^:?#\0]*[^:?#/\0])(?::(\/[\x21-\x22\x24-\x7e]*))?$/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** The parts of an address; undefined where it is none. `tls` is used where the scheme is `https`. */
export function parseTarget(address: string, tls: TlsOptions): UpstreamAddress | undefined {
  const unix = UNIX.exec(address);
  if (unix !== null) {
    const [path, query = ""] = (unix[2] ?? "/mcp").split(/(?=\?)/, 2);
    return {
      target: { kind: "unix", path: unix[1]!, host: "localhost" },
      path: path!,
      query,
    };
  }
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined || url.username + url.password + url.hash !== "") return undefined;
  return {
    target: {
      kind: "tcp",
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? defaultPort : Number(url.port),
      host: url.host,
      ...(url.protocol === "https:" ? { tls } : {}),
    },
    path: url.pathname,
    query: url.search,
  };
}
