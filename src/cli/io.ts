/**
 * What a command touches of the world, so that tests can hand it another one.
 *
 * @module
 */

/** The surroundings of a command. */
export interface CommandIo {
  /** Writes one line to stdout. */
  out(line: string): void;
  /** Writes one line to stderr. */
  err(line: string): void;
  /** An environment variable. */
  env(name: string): string | undefined;
  readonly stderrIsTerminal: boolean;
  /** Whether this is a compiled binary, which has no Deno to run other programs with. */
  readonly isStandalone: boolean;
  /** Resolves with the name of the signal that asks the process to stop. */
  stopSignal(): { readonly received: Promise<string>; dispose(): void };
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
    stopSignal,
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

function stopSignal(): { received: Promise<string>; dispose(): void } {
  const { promise, resolve } = Promise.withResolvers<string>();
  const listeners = STOP_SIGNALS.map((name) => ({ name, listener: () => resolve(name) }));
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return {
    received: promise,
    dispose() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}
