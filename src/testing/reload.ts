/**
 * A proxy in this process whose config a test puts another one in the place of.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { ReloadOutcome } from "../config/mod.ts";
import { configSchema } from "../config/schema.ts";
import { type RunningProxy, serve } from "../server.ts";
import { createLogger } from "../telemetry/mod.ts";
import { jsonAnswer, scriptedUpstream } from "./scripted_upstream.ts";

type Settings = Readonly<Record<string, unknown>>;

/** A running proxy that can be given another config. */
export interface ReloadableProxy extends RunningProxy {
  /** The address of the first route. */
  readonly endpoint: string;
  readonly logs: readonly string[];
  /** Puts a config with these settings, beside those of every test, in the place of the one that runs. */
  put(settings: Settings): Promise<ReloadOutcome>;
}

/** Header fields of the route that upstreams are told apart by, and no wait before anything is tried again. */
export const AT_ONCE = {
  era: "both",
  reconnect: { attempts: 5, initialDelayMs: 1, maxDelayMs: 1 },
};

/** A route at `/NAME` before `url`. */
export function routeTo(name: string, url: string, more: Settings = {}, route: Settings = {}) {
  return { name, path: `/${name}`, upstream: { ...AT_ONCE, url, ...more }, ...route };
}

function configOf(settings: Settings) {
  return configSchema.parse({
    listen: "127.0.0.1:0",
    drainTimeoutMs: 0,
    logLevel: "debug",
    ...settings,
  });
}

/** Runs `test` with a proxy that has these settings at first. */
export async function withReloadable(
  settings: Settings,
  test: (proxy: ReloadableProxy) => Promise<void>,
): Promise<void> {
  const logs: string[] = [];
  const sink = { write: (line: string) => void logs.push(line), flush: () => Promise.resolve() };
  const logger = createLogger({ level: "debug", format: "json", clock: systemClock, sink });
  const config = configOf(settings);
  const proxy = await serve({
    config,
    logger,
    onReloaded: (next) => logger.setLevel(next.logLevel),
  });
  try {
    await test({
      ...proxy,
      endpoint: proxy.origin + config.routes[0]!.path,
      logs,
      put: (next) => proxy.reload(configOf(next)),
    });
  } finally {
    await proxy.stop();
  }
}

/** The outcome of a reload that did nothing but what is named. */
export function done(
  routes: Partial<Record<"added" | "removed" | "changed" | "kept", readonly string[]>>,
): ReloadOutcome {
  return { ok: true, routes: { added: [], removed: [], changed: [], kept: [], ...routes } };
}

const TAGGING = new URL("./tagging.ts", import.meta.url).href;

/** An interceptor that puts a tag on what passes. */
export const tagged = (tag: string) => ({ interceptors: [{ module: TAGGING, options: { tag } }] });

/** An upstream that names itself in its answers. */
export function namedUpstream(name: string) {
  const answer = jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { name } }));
  return scriptedUpstream((_, to) => to.write(answer));
}
