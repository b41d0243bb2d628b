/**
 * Recording what clients send to the running proxy and get from it, a fixture for each run.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Config, RecordConfig } from "../config/mod.ts";
import type { Handler } from "../http/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { parseTarget } from "../upstream/mod.ts";
import { warnOfLimit } from "./listen.ts";
import { Recorder } from "./recorder.ts";
import { checkFolder, save } from "./save.ts";
import { tap } from "./tap.ts";
import { RecordingWriter } from "./writer.ts";

/** The recording of one run of the proxy. */
export interface RunRecording {
  /** The proxy's handler, watched. */
  tap(handler: Handler): Handler;
  /** Ends the recording and writes it; what goes wrong is logged, because the proxy stops anyway. */
  finish(): Promise<void>;
}

/**
 * Gets ready to record.
 *
 * @throws {ConfigError} where the folder cannot be written to.
 */
export async function recordRun(
  { dir, maxBytes }: RecordConfig,
  { config, clock, logger }: { config: Config; clock: Clock; logger: Logger },
): Promise<RunRecording> {
  await checkFolder(dir, "record.dir");
  const name = nameOf(clock.now(), clock.randomBytes(4));
  const out = `${dir.replace(/\/$/, "")}/${name}`;
  const writer = new RecordingWriter({ name, out, clock, logger });
  const recorder = new Recorder({
    clock,
    maxBytes,
    secretFields: new Set(
      config.auth.header === undefined ? [] : [config.auth.header.toLowerCase()],
    ),
    hosts: config.routes.flatMap(({ upstream: { url } }) => url === undefined ? [] : hostOf(url)),
    onLimit: () => warnOfLimit(logger, maxBytes),
    watch: writer,
  });
  return {
    tap: (handler) => tap(handler, recorder),
    async finish() {
      recorder.stop();
      await writer.stop();
      try {
        const { doubts, ...saved } = await save(recorder.recording(), { name, out });
        for (const doubt of doubts) logger.warn("recording", { doubt });
        logger.info("recorded", { out, ...saved });
      } catch (error) {
        logger.warn("not recorded", { out, error });
      }
    },
  };
}

function hostOf(url: string): string[] {
  const target = parseTarget(url, { caCerts: [], cert: undefined, key: undefined })?.target;
  return target?.kind === "tcp" ? [target.host] : [];
}

/** `run-20261121-025148-1f2e3d4c`: two runs of one second, or of two processes, differ. */
function nameOf(startedAt: Date, random: Uint8Array<ArrayBuffer>): string {
  const [day, time] = startedAt.toISOString().replace(/[-:]|\..*/g, "").split("T");
  return `run-${day}-${time}-${random.toHex()}`;
}
