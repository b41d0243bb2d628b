/**
 * The proxy's access token for a server, without a proxy around it: over real sockets, and with time that stands still.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import {
  type Refusal,
  ServerToken,
  type ServerTokenOptions,
  type TokenServer,
} from "../server_tokens/mod.ts";
import { createLogger } from "../telemetry/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import {
  CLIENT,
  type GuardedServer,
  guardedServer,
  type TokenIssuer,
  tokenIssuer,
} from "./own_tokens.ts";

const NO_TLS = { caCerts: [], cert: undefined, key: undefined };
/** A 401 that says no more. */
export const REFUSED: Refusal = { kind: "token", wanted: undefined };

/** A 403 for want of scopes. */
export function lacking(...scopes: string[]): Refusal {
  return { kind: "scope", wanted: { metadata: undefined, scopes, error: "insufficient_scope" } };
}

/** The server at a URL, as one that tokens are for. */
export function serverAt(
  url: string,
  clock: ManualClock,
  more: Partial<TokenServer> = {},
): TokenServer {
  const { target, path, query } = parseTarget(url, NO_TLS)!;
  const open = () =>
    http1Client({
      target,
      connectTimeoutMs: 1_000,
      maxConnections: 1,
      maxStreams: 1,
      maxQueued: 1,
      queueTimeoutMs: 1_000,
      keepAliveMs: 1,
      clock,
    });
  return { transport: "streamable-http", target, path, query, headers: {}, open, ...more };
}

/** A token under test. */
export interface Under {
  readonly clock: ManualClock;
  readonly issuer: TokenIssuer;
  readonly server: GuardedServer;
  readonly source: ServerToken;
  readonly logs: Record<string, unknown>[];
  readonly stats: ServerTokenOptions["stats"];
  /** Resolves when there are so many lines in the log. */
  told(lines: number): Promise<void>;
  /** The kind of the failure that there is in place of a token. */
  failure(): Promise<ProxyError>;
}

/** Runs `test` with the token for a guarded server; nothing of it is left, or told, that ought not to be. */
export async function under(
  test: (under: Under) => Promise<void>,
  options:
    | Partial<ServerTokenOptions>
    | ((under: Omit<Under, "source" | "failure">) => Partial<ServerTokenOptions>) = {},
): Promise<void> {
  const clock = new ManualClock();
  await using issuer = tokenIssuer();
  await using server = guardedServer(issuer);
  const logs: Record<string, unknown>[] = [];
  const waiting: (() => void)[] = [];
  const sink = {
    write(line: string) {
      logs.push(JSON.parse(line));
      for (const wake of waiting.splice(0)) wake();
    },
    flush: () => Promise.resolve(),
  };
  const stats = { fetched: 0, failed: 0, refused: 0 };
  const told = async (lines: number) => {
    while (logs.length < lines) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const known = { clock, issuer, server, logs, stats, told };
  const source = new ServerToken({
    route: "/mcp",
    issuer: issuer.issuer,
    client: { ...CLIENT, authentication: "client_secret_basic" },
    allowPrivateAddresses: true,
    servers: () => [serverAt(server.url, clock)],
    clock,
    logger: createLogger({ level: "debug", format: "json", clock, sink }),
    stats,
    ...(typeof options === "function" ? options(known) : options),
  });
  const failure = () => assertRejects(() => source.current(NEVER_ABORTED), ProxyError);
  await test({ ...known, source, failure });
  source.close();
  assertEquals(clock.timers, 0);
  const text = JSON.stringify(logs);
  for (const canary of ["canary", new URL(server.url).host]) assert(!text.includes(canary), text);
}
