/**
 * SIGHUP: read the config again; or, as of old, that nobody is at the terminal any more.
 *
 * Left alone it ends the process. A service manager may send it when the process has hardly begun, so it is held
 * from the first moment on. Imports nothing, so that the first moment is early.
 *
 * @module
 */

/** What SIGHUP means: read the config again; or, as of old, that nobody is at the terminal any more. */
export type Hangup = "reload" | "terminal gone";

/** What a process ends with that SIGHUP has ended, to a shell. */
const EXIT_HANGUP = 129;

/** One listener to SIGHUP, and whom it tells. */
interface Listening {
  readonly stop: () => void;
  /** Told of each signal; undefined where one that comes is kept for whoever will be. */
  hangup: ((how: Hangup) => void) | undefined;
  /** Whether one came that nobody was told of. */
  came: boolean;
}

/** Listens for who will want to know; undefined where nobody holds the signal. */
let held: Listening | undefined;

function listen(hangup: Listening["hangup"]): Listening {
  const hadTerminal = Deno.stderr.isTerminal();
  const listener = () => {
    // A terminal that was closed is one no longer; without it nobody could stop the proxy as it was started.
    const how = hadTerminal && !Deno.stderr.isTerminal() ? "terminal gone" : "reload";
    if (listening.hangup !== undefined) listening.hangup(how);
    else if (how === "terminal gone") Deno.exit(EXIT_HANGUP);
    else listening.came = true;
  };
  const stop = () => Deno.removeSignalListener("SIGHUP", listener);
  const listening: Listening = { stop, hangup, came: false };
  Deno.addSignalListener("SIGHUP", listener);
  return listening;
}

/** Keeps SIGHUP from ending the process until `onHangup` or `letHangupEnd`; a terminal that is closed ends it. */
export function holdHangup(): void {
  if (Deno.build.os !== "windows") held ??= listen(undefined);
}

/** Has SIGHUP end the process, as is usual: for commands that read no config again. */
export function letHangupEnd(): void {
  held?.stop();
  if (held?.came) Deno.exit(EXIT_HANGUP);
  held = undefined;
}

/**
 * Calls back at each SIGHUP, and at once for one that was held; on Windows, which has no such signal, never.
 *
 * @returns stops listening
 */
export function onHangup(hangup: (how: Hangup) => void): () => void {
  if (Deno.build.os === "windows") return () => {};
  // The listener that held goes on: one that has come and was not told yet would be lost with it.
  const listening = held ?? listen(hangup);
  held = undefined;
  listening.hangup = hangup;
  if (listening.came) hangup("reload");
  return listening.stop;
}
