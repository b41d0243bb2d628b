/** Child processes that say where they listen, and that are ended by id. */

import type { Cleanup } from "./cleanup.ts";
import { type Endpoint, endpointOf } from "./mcp_messages.ts";

/** A process must say where it listens within this time; the first start may fill caches. */
const START_DEADLINE_MS = 30_000;

/** A process has this long to end by itself before it is killed. */
const END_DEADLINE_MS = 2_000;

const MAX_LINE_BYTES = 4096;

/** A process that listens. */
export interface Listener {
  readonly endpoint: Endpoint;
  readonly pid: number;
}

/** Runs a promise against a deadline, and leaves no timer behind. */
export async function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  what: string,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error(`${what}: not within ${deadlineMs} ms`));
    timer = setTimeout(fail, deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks a process to end, and kills it where it does not. */
export async function endProcess(child: Deno.ChildProcess): Promise<void> {
  const signal = (name: Deno.Signal): void => {
    try {
      child.kill(name);
    } catch {
      // It has ended already.
    }
  };
  signal("SIGTERM");
  try {
    await withDeadline(child.status, END_DEADLINE_MS, "end");
  } catch {
    signal("SIGKILL");
    await child.status;
  }
}

/** Reads the first line, and then drains the rest so that the process never blocks on it. */
async function firstLine(stdout: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("it ended without a word");
    text += decoder.decode(value, { stream: true });
    if (text.length > MAX_LINE_BYTES) throw new Error("its first line has no end");
  }
  reader.releaseLock();
  stdout.pipeTo(new WritableStream()).catch(() => {});
  return text.slice(0, text.indexOf("\n")).trimEnd();
}

/** The URL in `listening http://HOST:PORT/PATH`. */
export function listeningUrl(line: string): URL {
  const found = /^listening (http:\/\/\S+)$/.exec(line);
  if (found?.[1] === undefined) throw new Error(`its first line was ${JSON.stringify(line)}`);
  return new URL(found[1]);
}

/** How a process ended. */
export interface Ended {
  readonly success: boolean;
  /** The last line it wrote, without the end of the line. */
  readonly lastLine: string;
}

/**
 * Runs Deno on a script that ends by itself, and registers its end should it not.
 *
 * @param name for messages
 * @param args arguments of `deno`
 * @param directory the working directory
 */
export async function runToEnd(
  name: string,
  args: readonly string[],
  directory: URL,
  cleanup: Cleanup,
): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await cleanup.add(() => endProcess(child));
  const { success, stdout, stderr } = await withDeadline(child.output(), START_DEADLINE_MS, name);
  const decoder = new TextDecoder();
  const lines = `${decoder.decode(stderr)}\n${decoder.decode(stdout)}`.trimEnd().split(/\r?\n/);
  return { success, lastLine: lines.at(-1) ?? "" };
}

/**
 * Starts Deno on a script that prints where it listens, and registers its end.
 *
 * @param name for messages
 * @param args arguments of `deno`
 * @param directory the working directory
 */
export async function startListener(
  name: string,
  args: readonly string[],
  directory: URL,
  cleanup: Cleanup,
): Promise<Listener> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  await cleanup.add(async () => {
    await child.stdin.close().catch(() => {});
    await endProcess(child);
  });
  try {
    const line = await withDeadline(firstLine(child.stdout), START_DEADLINE_MS, "start");
    return { endpoint: endpointOf(listeningUrl(line)), pid: child.pid };
  } catch (error) {
    throw new Error(`${name} did not start: ${(error as Error).message}`);
  }
}
