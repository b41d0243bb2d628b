/**
 * Channels to processes: a server on stdio, one process for each session.
 *
 * Source: 2025-11-25 basic/transports, "stdio".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type BackOff, delayBefore } from "../relay/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { OpenChannel } from "./channel.ts";
import { Child } from "./child.ts";

/** What is started, and within what bounds. */
export interface StdioOptions {
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its environment beside `INHERITED`. */
  readonly env: Readonly<Record<string, string>>;
  /** Its working directory; the proxy's own where it is left out. */
  readonly cwd?: string | undefined;
  /** The largest message of it, in bytes. */
  readonly maxMessageBytes: number;
  /** Bytes that may wait for it to read them. */
  readonly maxPendingBytes: number;
  /** Processes at one time, those that are ending included. */
  readonly maxProcesses: number;
  /** How long it may take to end at each step, in milliseconds. */
  readonly closeMs: number;
  /** How long nothing is started after starts that failed. */
  readonly backOff: Pick<BackOff, "initialDelayMs" | "maxDelayMs">;
  /** Time and randomness. */
  readonly clock: Clock;
  /** Where stderr goes, and what goes wrong. */
  readonly logger: Logger;
  /** What is told of it in the log. */
  readonly name: string;
}

/** What a process gets of the proxy's own environment: nothing that could be a secret. */
export const INHERITED: readonly string[] = ["PATH", "HOME", "LANG"];

/** The longest row of failures that still makes the wait longer. */
const MAX_DOUBLINGS = 30;

/** Opens a process for each channel. */
export function stdioChannel(options: StdioOptions): OpenChannel {
  const processes = new Processes(options);
  return (events) => Promise.resolve().then(() => processes.start(events));
}

class Processes {
  readonly #options: StdioOptions;
  readonly #running = new Set<Child>();
  /** Starts in a row of which no message came. */
  #failures = 0;
  #notBeforeMs = 0;
  /** Where the proxy ends without closing anything, as at a second signal, no process stays behind. */
  readonly #killAll = () => {
    for (const child of this.#running) child.signal("SIGKILL");
  };

  constructor(options: StdioOptions) {
    this.#options = options;
  }

  /** @throws {ProxyError} `upstream_saturated` or `upstream_unreachable` */
  start(events: Parameters<OpenChannel>[0]): Child {
    const { clock, maxProcesses } = this.#options;
    if (this.#running.size >= maxProcesses) {
      const sentence = `The upstream server runs ${maxProcesses} times, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence, { headers: { "retry-after": "10" } });
    }
    const waitMs = Math.ceil(this.#notBeforeMs - clock.monotonicMs());
    if (waitMs > 0) {
      const sentence = "The upstream server did not start; it is tried again a little later.";
      const headers = { "retry-after": `${Math.ceil(waitMs / 1_000)}` };
      throw new ProxyError("upstream_unreachable", sentence, { headers });
    }
    const process = this.#spawn();
    let hasSpoken = false;
    const child: Child = new Child(process, {
      message: (text) => events.message(text),
      over: (failure) => {
        // One that was closed before it could speak has not failed.
        if (!hasSpoken && failure !== undefined) this.#failed();
        events.over(failure);
      },
    }, {
      ...this.#options,
      onFirstMessage: () => {
        hasSpoken = true;
        this.#failures = 0;
        this.#notBeforeMs = 0;
      },
      onGone: () => this.#forget(child),
    });
    if (this.#running.size === 0) globalThis.addEventListener("unload", this.#killAll);
    this.#running.add(child);
    return child;
  }

  #spawn(): Deno.ChildProcess {
    const { command, args, env, cwd, logger, name } = this.#options;
    try {
      return new Deno.Command(command, {
        args: [...args],
        ...(cwd !== undefined && { cwd }),
        clearEnv: true,
        env: { ...inherited(), ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        // A group of its own: what it starts ends with it, and Ctrl-C at a terminal is the proxy's alone.
        detached: Deno.build.os !== "windows",
      }).spawn();
    } catch (cause) {
      this.#failed();
      logger.warn("an upstream server could not be started", { name, error: cause });
      const sentence = "The program of the upstream server could not be started.";
      throw new ProxyError("upstream_unreachable", sentence, { cause });
    }
  }

  #failed(): void {
    const { clock, backOff } = this.#options;
    const random = clock.randomBytes(1)[0]! / 256;
    const attempt = Math.min(this.#failures++, MAX_DOUBLINGS);
    this.#notBeforeMs = clock.monotonicMs() + delayBefore(attempt, undefined, random, backOff);
  }

  #forget(child: Child): void {
    this.#running.delete(child);
    if (this.#running.size === 0) globalThis.removeEventListener("unload", this.#killAll);
  }
}

function inherited(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = Deno.env.get(name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}
