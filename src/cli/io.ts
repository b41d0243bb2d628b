/**
 * What a command touches of the world, so that tests can hand it another one.
 *
 * @module
 */

import type { LineWriter } from "../stdio/mod.ts";
import { type Hangup, onHangup } from "./hangup.ts";

/** The surroundings of a command. */
export interface CommandIo {
  /** Writes one line to stdout. */
  out(line: string): void;
  /** Writes one line to stderr. */
  err(line: string): void;
  /** An environment variable. */
  env(name: string): string | undefined;
  /** Whether a person is likely to read stderr. */
  readonly stderrIsTerminal: boolean;
  /** Whether this is a compiled binary, which has no Deno to run other programs with. */
  readonly isStandalone: boolean;
  /** The two ends of a conversation on stdin and stdout; to be asked for once at most. */
  messages(): MessagePipes;
  /** Starts to listen for the signals that ask the process to stop. */
  stopSignal(): StopSignal;
  /**
   * Calls back at each signal that asks for the config to be read again, or that says that the terminal has
   * gone; on Windows, which has no such signal, never.
   *
   * @returns stops listening
   */
  onHangup(hangup: (how: Hangup) => void): () => void;
}

/** Stdin and stdout where they carry messages. */
export interface MessagePipes {
  /** What comes. */
  readonly input: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What goes. */
  readonly output: LineWriter;
}

/** The signals that ask the process to stop. */
export interface StopSignal {
  /** Resolves with the name of the first one. */
  readonly received: Promise<string>;
  /** Resolves when there is a second one, not at once behind the first: whoever sends it does not want to wait. */
  readonly repeated: Promise<void>;
  /** Stops listening. */
  dispose(): void;
}

/** This process. */
export function systemIo(): CommandIo {
  const encoder = new TextEncoder();
  return {
    out: (line) => writeLine(Deno.stdout, encoder, line),
    err: (line) => writeLine(Deno.stderr, encoder, line),
    env: (name) => Deno.env.get(name),
    stderrIsTerminal: Deno.stderr.isTerminal(),
    isStandalone: Deno.build.standalone,
    messages: () => ({ input: Deno.stdin.readable, output: Deno.stdout }),
    stopSignal,
    onHangup,
  };
}

function writeLine(
  writer: { writeSync(bytes: Uint8Array): number },
  encoder: TextEncoder,
  line: string,
): void {
  const bytes = encoder.encode(line + "\n");
  let at = 0;
  while (at < bytes.length) at += writer.writeSync(bytes.subarray(at));
}

const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/**
 * A signal that comes sooner behind another one is the same: Ctrl-C at a terminal reaches all of a group, and what
 * has started the process, as `deno task` does, may hand it on beside that.
 */
const SAME_SIGNAL_MS = 500;

/** Tells the first signal from one that is meant as a second; `monotonicMs` is asked when one comes. */
export function signalCounter(monotonicMs: () => number) {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  return {
    received: first.promise,
    repeated: second.promise,
    came(name: string): void {
      const nowMs = monotonicMs();
      firstMs ??= nowMs;
      first.resolve(name);
      if (nowMs - firstMs >= SAME_SIGNAL_MS) second.resolve();
    },
  };
}

function stopSignal(): StopSignal {
  const { received, repeated, came } = signalCounter(() => performance.now());
  const listeners = STOP_SIGNALS.map((name) => ({ name, listener: () => came(name) }));
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return {
    received,
    repeated,
    dispose() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}

/** Whether what a person reads on stderr may have colours: on a terminal, unless `NO_COLOR` says otherwise. */
export function isColoured(io: Pick<CommandIo, "env" | "stderrIsTerminal">): boolean {
  return io.stderrIsTerminal && (io.env("NO_COLOR") ?? "") === "";
}
