/**
 * The `stdio` command: the proxy for one client that has launched it, until the client closes stdin.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import {
  backOffOf,
  type Config,
  CONFIG_FILE_VARIABLE,
  ConfigError,
  environmentOverrides,
  loadConfig,
  OVERRIDE_NAMES,
  type RouteConfig,
} from "../config/mod.ts";
import { openApp } from "../server.ts";
import { StdioFront } from "../stdio/mod.ts";
import { createLogger, stderrSink } from "../telemetry/mod.ts";
import type { CommandLine } from "./args.ts";
import { readConfigText } from "./config_source.ts";
import { consoleOnStderr } from "./console_on_stderr.ts";
import { headerOverrides } from "./header_flags.ts";
import { type CommandIo, isColoured, type StopSignal } from "./io.ts";
import { surviving } from "./survive.ts";

/** Serves the client on stdin and stdout, and resolves with the exit code. */
export async function serveStdio(line: CommandLine, io: CommandIo): Promise<number> {
  const config = await load(line, io);
  // Stdout has the messages; what an interceptor's module writes there would be no message to the client.
  using _console = consoleOnStderr();
  const logger = createLogger({
    level: config.logLevel,
    format: io.stderrIsTerminal && config.logFormat !== "json" ? "pretty" : "json",
    isColoured: isColoured(io),
    clock: systemClock,
    sink: stderrSink(),
  });
  const signal = io.stopSignal();
  try {
    return await surviving(logger, async () => {
      const app = await openApp({ config, logger });
      try {
        const { limits } = config;
        const { input, output } = io.messages();
        const front = new StdioFront({
          handler: app.handler,
          path: config.routes[0]!.path,
          maxLineBytes: limits.maxRequestBytes,
          maxMessageBytes: limits.maxEventBytes,
          json: { maxDepth: limits.maxJsonDepth, maxBatchMessages: limits.maxBatchMessages },
          backOff: backOffOf(config.routes[0]!.upstream),
          clock: systemClock,
          logger,
        }, output);
        await unlessHurried(front.run(input, signal.received), signal);
      } finally {
        await unlessHurried(Promise.all([app.close(), app.finishRecording()]), signal);
      }
      return 0;
    });
  } finally {
    signal.dispose();
    await logger.flush();
  }
}

async function unlessHurried(work: Promise<unknown>, { repeated }: StopSignal): Promise<void> {
  await Promise.race([work, repeated]);
}

/** The config of the one route that is meant, with what one client alone in a process needs. */
async function load(line: CommandLine, io: CommandIo): Promise<Config> {
  const { path: pathSaid, ...environment } = environmentOverrides(io.env);
  const { path = pathSaid, ...flags } = line.flags;
  const file = line.file ?? io.env(CONFIG_FILE_VARIABLE);
  const config = await loadConfig({
    file,
    readTextFile: readConfigText,
    environment,
    variables: io.env,
    // Nobody can connect, so it does not matter to whom an address would be open.
    flags: { ...flags, ...headerOverrides(line.headers, io.env), allowPublicBind: true },
    // A desktop client shows stderr to its user.
    logLevel: "warn",
    needsRoutes: true,
  });
  return {
    ...config,
    // Whoever has launched this process is its only caller.
    auth: { keys: [] },
    // A session ends with its client; a file of sessions would belong to one process alone.
    dataDir: undefined,
    sessions: { ...config.sessions, store: "memory" },
    eventLog: {
      ...config.eventLog,
      store: config.eventLog.store === "off" ? "off" : "memory",
    },
    routes: [routeOf(config, file === undefined ? undefined : path)],
  };
}

function routeOf({ routes }: Config, path: string | undefined): RouteConfig {
  if (routes.length === 1 && path === undefined) return routes[0]!;
  const route = routes.find((one) => one.path === path);
  if (route !== undefined) return route;
  throw new ConfigError([{
    path: OVERRIDE_NAMES.path.flag,
    found: path === undefined ? "nothing, and a config with several routes" : JSON.stringify(path),
    wanted: `the path of the route that is meant: ${routes.map((one) => one.path).join(", ")}`,
  }]);
}
