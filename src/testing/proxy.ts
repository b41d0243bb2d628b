/**
 * A proxy in this process, on a free port, in front of one upstream.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { configSchema } from "../config/schema.ts";
import { type RunningProxy, serve } from "../server.ts";
import { createLogger } from "../telemetry/mod.ts";
import { systemClock } from "../clock.ts";

/** What a test may set. */
export interface TestProxyOptions {
  /** The upstream's MCP endpoint; left out where `upstreamConfig` says how it is reached. */
  readonly upstream?: string;
  /** Settings of the upstream. */
  readonly upstreamConfig?: Readonly<Record<string, unknown>>;
  /** Settings beside routes. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly clock?: Clock;
}

/** A running proxy and what it logged. */
export interface TestProxy extends RunningProxy {
  /** The MCP endpoint. */
  readonly endpoint: string;
  readonly logs: readonly string[];
}

/** Starts a proxy; the test stops it. */
export async function testProxy(options: TestProxyOptions): Promise<TestProxy> {
  const logs: string[] = [];
  const url = options.upstream;
  const config = configSchema.parse({
    listen: "127.0.0.1:0",
    drainTimeoutMs: 0,
    ...options.config,
    routes: [{
      path: "/mcp",
      upstream: { ...(url !== undefined && { url }), ...options.upstreamConfig },
    }],
  });
  const clock = options.clock ?? systemClock;
  const sink = { write: (line: string) => void logs.push(line), flush: () => Promise.resolve() };
  const logger = createLogger({ level: "debug", format: "json", clock, sink });
  const proxy = await serve({ config, clock, logger });
  return { ...proxy, endpoint: `${proxy.origin}/mcp`, logs };
}

/** Runs `test` with a proxy and stops it afterwards. */
export async function withProxy(
  options: TestProxyOptions,
  test: (proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const proxy = await testProxy(options);
  try {
    await test(proxy);
  } finally {
    await proxy.stop();
  }
}
