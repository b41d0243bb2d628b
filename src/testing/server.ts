/**
 * A server for clients in this process, in front of a handler that a test writes.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import type { Handler } from "../http/mod.ts";
import { type HttpServer, type ServerLimits, switchyardServer } from "../listener/mod.ts";

/** A server that runs. */
export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** What it told: `refused KIND`, `cut short`, `full`, `accept failed`. */
  readonly events: readonly string[];
  readonly server: HttpServer;
}

/** Generous, so that a test sets what it is about. */
export const TEST_LIMITS: ServerLimits = {
  maxConnections: 100,
  requestHeadTimeoutMs: 60_000,
  connectionIdleTimeoutMs: 60_000,
  clientWriteTimeoutMs: 60_000,
  maxRequestBytes: 1_000_000,
  requestBodyTimeoutMs: 60_000,
};

/** Starts a server on a free loopback port; its disposal cuts what is left. */
export function testServer(
  handler: Handler,
  limits: Partial<ServerLimits> = {},
  clock: Clock = systemClock,
  isDraining?: () => boolean,
): TestServer {
  const events: string[] = [];
  const server = switchyardServer({
    hostname: "127.0.0.1",
    port: 0,
    handler,
    limits: { ...TEST_LIMITS, ...limits },
    clock,
    isDraining,
    events: {
      refused: ({ kind }) => events.push(`refused ${kind}`),
      cutShort: () => events.push("cut short"),
      full: () => events.push("full"),
      acceptFailed: () => events.push("accept failed"),
    },
  });
  return {
    origin: `http://127.0.0.1:${server.address.port}`,
    events,
    server,
    async [Symbol.asyncDispose]() {
      const done = server.shutdown();
      server.cut();
      await done;
    },
  };
}
