/**
 * Running the proxy until a signal says stop.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { Config } from "../config/mod.ts";
import type { ConfigSource } from "./config_source.ts";
import { type RunningProxy, serve } from "../server.ts";
import { createLogger, type Logger, stderrSink } from "../telemetry/mod.ts";
import { type CommandIo, isColoured } from "./io.ts";
import { type Reloading, reloadWhenAsked } from "./reloading.ts";
import { surviving } from "./survive.ts";

/** How a proxy is run. */
export interface RunOptions {
  /** Where its config comes from; left out where it is not to be read again. */
  readonly source?: ConfigSource;
  /** Whether to print what to try. */
  readonly greet?: boolean;
  /** Resolves with a sentence when what the proxy was started for is gone. */
  readonly lost?: Promise<string>;
}

/** Serves until a stop signal and resolves with the exit code. */
export async function runProxy(
  config: Config,
  io: CommandIo,
  options: RunOptions = {},
): Promise<number> {
  const logger = createLogger({
    level: config.logLevel,
    format: logFormat(config, io),
    isColoured: isColoured(io),
    clock: systemClock,
    sink: stderrSink(),
  });
  const signal = io.stopSignal();
  const { source } = options;
  try {
    // No request may end the process, also not through a mistake of the proxy's or a library's own.
    return await surviving(logger, async () => {
      let reloading: Reloading | undefined;
      const proxy = await serve({
        config,
        logger,
        ...(source?.file !== undefined && { load: () => source.load() }),
        onReloaded(next) {
          logger.setLevel(next.logLevel);
          reloading?.follow(next);
        },
      });
      using asked = reloading = reloadWhenAsked(proxy, io, logger, config, source);
      const endpoint = proxy.origin + config.routes[0]!.path;
      // The one line on stdout: what started this process can read the address from it.
      io.out(`listening ${endpoint}`);
      if (options.greet === true) greet(io, config, proxy);
      logger.info("started", {
        listen: proxy.origin,
        admin: proxy.adminOrigin ?? "off",
        routes: config.routes.map(({ path }) => path).join(" "),
      });
      const reason = await Promise.race([
        signal.received,
        asked.terminalGone,
        options.lost ?? new Promise<never>(() => {}),
      ]);
      return await stopProxy(proxy, reason, signal.repeated, logger);
    });
  } finally {
    signal.dispose();
    await logger.flush();
  }
}

async function stopProxy(
  proxy: RunningProxy,
  reason: string,
  hurry: Promise<void>,
  logger: Logger,
): Promise<number> {
  logger.info("stopping", { reason });
  const inTime = await Promise.race([proxy.stop(), hurry.then(() => false)]);
  if (inTime) logger.info("stopped");
  else logger.warn("stopped; what was still in flight was cut");
  return reason.startsWith("SIG") ? 0 : 1;
}

function logFormat(config: Config, io: CommandIo): "json" | "pretty" {
  if (config.logFormat !== "auto") return config.logFormat;
  return io.stderrIsTerminal ? "pretty" : "json";
}

const TRY_BODY = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":' +
  '{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}';

function greet(io: CommandIo, config: Config, proxy: RunningProxy): void {
  const endpoints = config.routes.map(({ path }) => proxy.origin + path);
  io.err("");
  for (const endpoint of endpoints) io.err(`  MCP endpoint  ${endpoint}`);
  if (proxy.adminOrigin !== null) io.err(`  Admin         ${proxy.adminOrigin}/status`);
  io.err("");
  io.err("  Try it:");
  io.err(`  curl -i ${endpoints[0]} -H 'content-type: application/json' \\`);
  io.err("    -H 'accept: application/json, text/event-stream' \\");
  io.err(`    -d '${TRY_BODY}'`);
  io.err("");
  io.err("  Ctrl-C stops it.");
  io.err("");
}
