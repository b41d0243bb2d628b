/**
 * The program as a user starts it: a process of its own.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";

/** The folder of the project. */
export const PROJECT = new URL("../../", import.meta.url);

/** Longer than signals count as one. */
const LATER_SIGNAL_MS = 600;

/** Starts the program with some arguments; its output is read to the end. */
export function startProgram(
  args: readonly string[],
  permissions: string | readonly string[] = "-P",
  env: Readonly<Record<string, string>> = {},
) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...[permissions].flat(), "--frozen", "main.ts", ...args],
    cwd: PROJECT,
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out: string[] = [];
  const first = Promise.withResolvers<string>();
  const reading = (async () => {
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      out.push(line);
      first.resolve(line);
    }
    first.resolve("(nothing)");
  })();
  let err = "";
  const waiting: { text: string; resolve: () => void }[] = [];
  const logging = (async () => {
    for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
      err += piece;
      for (const { text, resolve } of waiting) if (err.includes(text)) resolve();
    }
  })();
  return {
    child,
    /** What stands on stderr by now. */
    get err() {
      return err;
    },
    /** The first line on stdout. */
    first: first.promise,
    /** Resolves when `text` stands on stderr. */
    logged: (text: string) =>
      err.includes(text)
        ? Promise.resolve()
        : new Promise<void>((resolve) => waiting.push({ text, resolve })),
    /** Sends a signal that counts as a second one: what comes at once behind the first is the same Ctrl-C. */
    async hurry(signal: Deno.Signal) {
      await new Promise((resolve) => setTimeout(resolve, LATER_SIGNAL_MS));
      child.kill(signal);
    },
    /** The end: exit code, all of stdout, all of stderr. */
    async end() {
      const [{ code }] = await Promise.all([child.status, reading, logging]);
      return { code, out, err };
    },
  };
}
