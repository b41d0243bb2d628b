/**
 * Recording what clients and a server say to each other until a signal says stop.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import {
  type Config,
  ConfigError,
  type ConfigProblem,
  environmentOverrides,
  isLoopback,
  type ListenAddress,
  loadConfig,
  parseAddress,
} from "../config/mod.ts";
import {
  checkFile,
  checkFolder,
  type Destination,
  listenAndRecord,
  type ListenOptions,
  RecordingWriter,
  refuseFixture,
  type RunningRecorder,
  save,
} from "../record/mod.ts";
import { ListenError } from "../server.ts";
import { createLogger, type Logger, stderrSink } from "../telemetry/mod.ts";
import type { CommandLine, RecordFlags } from "./args.ts";
import { type CommandIo, isColoured } from "./io.ts";
import { surviving } from "./survive.ts";

/** The most that a fixture may hold, and what is held unless told otherwise. */
const MAX_BYTES = 524_288;

/** Records until a stop signal and resolves with the exit code. */
export async function recordTraffic(line: CommandLine, io: CommandIo): Promise<number> {
  const { recording: flags } = line;
  const destination = destinationOf(flags);
  const config = await load(line, io);
  const listen = loopbackAddress(config.listen);
  await checkDestination(destination, flags.force);
  const logger = createLogger({
    level: config.logLevel,
    format: io.stderrIsTerminal ? "pretty" : "json",
    isColoured: isColoured(io),
    clock: systemClock,
    sink: stderrSink(),
  });
  const signal = io.stopSignal();
  try {
    // No request may end the process, also not through a mistake of the recorder's own.
    return await surviving(logger, async () => {
      const { out, name, title } = destination;
      const writer = out === undefined
        ? undefined
        : new RecordingWriter({ out, name, title, clock: systemClock, logger });
      const recorder = start({
        // This command has no other way to name one.
        upstream: config.routes[0]!.upstream.url!,
        listen,
        maxBytes: Number(flags.maxBytes ?? MAX_BYTES),
        clock: systemClock,
        logger,
        watch: writer,
      }, config.listen);
      // The one line on stdout: what started this process can read the address from it.
      io.out(`listening ${recorder.endpoint}`);
      const reason = await signal.received;
      logger.info("stopping", { reason });
      await finish(recorder, writer, destination, logger);
      return 0;
    });
  } finally {
    signal.dispose();
    await logger.flush();
  }
}

async function load({ flags }: CommandLine, io: CommandIo): Promise<Config> {
  const { listen, upstream, logLevel } = environmentOverrides(io.env);
  const environment = {
    ...(listen !== undefined && { listen }),
    ...(upstream !== undefined && { upstream }),
    ...(logLevel !== undefined && { logLevel }),
  };
  // Other machines are refused below, with a word of this command's own.
  return await loadConfig({
    environment,
    flags: { ...flags, allowPublicBind: true },
    needsRoutes: true,
  });
}

/** A recording holds what passes: it is made on this machine, by its user. */
function loopbackAddress(listen: string): ListenAddress {
  const address = parseAddress(listen)!;
  if (isLoopback(address.hostname)) return address;
  throw new ConfigError([{
    path: "--listen",
    found: `${JSON.stringify(listen)}, which other machines can reach`,
    wanted: "a loopback address such as 127.0.0.1:3100; record serves this machine alone",
  }]);
}

/** Where the recording goes; tells everything that is wrong with the flags. */
function destinationOf(flags: RecordFlags): Destination {
  const { out, har, title, maxBytes } = flags;
  const problems: ConfigProblem[] = [];
  const name = flags.name ?? nameOf(out ?? "recording");
  if (out === undefined && har === undefined) {
    problems.push({ path: "--out", found: "nothing", wanted: "--out DIR, --har FILE, or both" });
  }
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) {
    problems.push({
      path: "--name",
      found: JSON.stringify(name),
      wanted: "lower-case words joined by dashes, 64 characters at most, such as ping-2025-11-25",
    });
  }
  if (title !== undefined && title.length > 120) {
    problems.push({ path: "--title", found: "a long text", wanted: "120 characters at most" });
  }
  const bytes = Number(maxBytes ?? MAX_BYTES);
  if (!/^\d*$/.test(maxBytes ?? "") || bytes < 1 || bytes > MAX_BYTES) {
    problems.push({
      path: "--max-bytes",
      found: JSON.stringify(maxBytes),
      wanted: `a whole number from 1 to ${MAX_BYTES}, the most that a fixture may hold`,
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { out, har, name, title };
}

function nameOf(folder: string): string {
  return folder.split(/[/\\]/).filter((part) => part !== "").at(-1) ?? "";
}

async function checkDestination({ out, har }: Destination, force: boolean): Promise<void> {
  if (out !== undefined) {
    if (!force) await refuseFixture(out, "--out");
    await checkFolder(out, "--out");
  }
  if (har !== undefined) await checkFile(har, "--har", force);
}

function start(options: ListenOptions, listen: string): RunningRecorder {
  try {
    return listenAndRecord(options);
  } catch (error) {
    throw new ListenError(listen, error);
  }
}

async function finish(
  recorder: RunningRecorder,
  writer: RecordingWriter | undefined,
  destination: Destination,
  logger: Logger,
): Promise<void> {
  // What the stop itself cuts is no part of the recording.
  const recording = recorder.stop();
  await writer?.stop();
  const { doubts, ...saved } = await save(recording, destination)
    .finally(() => recorder.close());
  for (const doubt of doubts) logger.warn(doubt);
  logger.info("recorded", { out: destination.out, har: destination.har, ...saved });
}
