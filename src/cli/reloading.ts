/**
 * What has a running proxy read its config again: SIGHUP, and a change of the file.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { Config } from "../config/mod.ts";
import type { RunningProxy } from "../server.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { ConfigSource } from "./config_source.ts";
import { FileWatch } from "./file_watch.ts";
import type { CommandIo } from "./io.ts";

/** Listens until it is disposed of. */
export interface Reloading extends Disposable {
  /** Watches the file, or does not any more, as a config says that runs from now on. */
  follow(config: Config): void;
  /** Resolves when SIGHUP says that the terminal has gone. */
  readonly terminalGone: Promise<string>;
}

/** Has `proxy` reload when it is asked to, or when the file has changed. */
export function reloadWhenAsked(
  proxy: Pick<RunningProxy, "reload">,
  io: Pick<CommandIo, "onHangup">,
  logger: Logger,
  config: Config,
  source: ConfigSource | undefined,
): Reloading {
  const gone = Promise.withResolvers<string>();
  let watch: FileWatch | undefined;
  const follow = ({ watchConfig }: Config) => {
    if (!watchConfig) watch?.stop();
    watch = watchConfig ? watch ?? startWatch(proxy, logger, source) : undefined;
  };
  follow(config);
  const dispose = io.onHangup((how) => {
    if (how === "terminal gone") return gone.resolve("SIGHUP, and the terminal has gone");
    logger.info("reloading", { reason: "SIGHUP" });
    void proxy.reload();
  });
  return {
    follow,
    terminalGone: gone.promise,
    [Symbol.dispose]() {
      dispose();
      watch?.stop();
    },
  };
}

function startWatch(
  proxy: Pick<RunningProxy, "reload">,
  logger: Logger,
  source: ConfigSource | undefined,
): FileWatch | undefined {
  if (source?.file === undefined) return undefined;
  const watch = new FileWatch({
    file: source.file,
    clock: systemClock,
    async onMaybeChanged() {
      if (!await source.hasChanged()) return;
      logger.info("reloading", { reason: "the config file has changed" });
      await proxy.reload();
    },
    onFailure: (error) =>
      logger.warn("the config file is not watched; send SIGHUP to have it read again", { error }),
  });
  watch.start();
  return watch;
}
