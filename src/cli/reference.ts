/**
 * The reference server, run by this same Deno on a free loopback port, for a first try.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";

/** A reference server that runs. */
export interface ReferenceServer {
  /** Its MCP endpoint. */
  readonly url: string;
  /** Resolves with a sentence when it has ended by itself. */
  readonly ended: Promise<string>;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** The reference server could not be started. */
export class ReferenceServerError extends Error {
  /** Because of `reason`; says what to do instead. */
  constructor(reason: string, cause?: unknown) {
    super(
      `The reference server did not start: ${reason}. ` +
        "Pass --upstream URL or --config FILE to put the proxy in front of your own server.",
      { cause },
    );
    this.name = "ReferenceServerError";
  }
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 2_000;

/**
 * Starts the reference server; the first time its packages are downloaded.
 *
 * @throws {ReferenceServerError}
 */
export async function startReferenceServer(): Promise<ReferenceServer> {
  const child = spawn();
  const stop = () => end(child);
  try {
    const port = await readPort(child);
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      ended: child.status.then(({ code }) => `the reference server ended with code ${code}`),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function spawn(): Deno.ChildProcess {
  try {
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--quiet", import.meta.resolve("./reference_server.ts")],
      // Its end tells the child that this process is gone, however it went.
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch (error) {
    throw new ReferenceServerError(
      "this process may not run others (use `deno task start`, or --allow-run)",
      error,
    );
  }
}

/** Reads the port from the child's first lines and goes on reading so that it never blocks. */
async function readPort(child: Deno.ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(
    () => reject(new ReferenceServerError(`it said nothing for ${START_TIMEOUT_MS} ms`)),
    START_TIMEOUT_MS,
  );
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  const reading = (async () => {
    for await (const line of lines) {
      const match = /^reference server on port (\d+)$/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    }
    reject(new ReferenceServerError("its process ended early; are the packages reachable?"));
  })();
  reading.catch(reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
  };
  await child.stdin.close().catch(() => {
    // Its other end is gone already.
  });
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), STOP_TIMEOUT_MS);
  await child.status;
  clearTimeout(timer);
}
