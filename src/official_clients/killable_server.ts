/**
 * A server in a process of its own that a test kills and starts again on the same port.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { within } from "./wait.ts";

/** How long a server may take to start on a busy machine, in milliseconds. */
const START_MS = 60_000;

/** A server that can be killed. */
export interface KillableServer extends AsyncDisposable {
  /** Its MCP endpoint, the same after each start. */
  readonly url: string;
  /** Ends the process with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
}

/** Starts the module as a program; it gets the port as its argument and tells it on stdout. */
export async function killableServer(module: string): Promise<KillableServer> {
  let running = await spawn(module, 0);
  const { port } = running;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    kill: () => running.kill(),
    async start() {
      running = await spawn(module, port);
    },
    [Symbol.asyncDispose]: () => running.kill(),
  };
}

async function spawn(module: string, port: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", module, String(port)],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const { promise: told, resolve, reject } = Promise.withResolvers<number>();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  const reading = (async () => {
    for await (const line of lines) {
      const match = / on port (\d+)$/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    }
    reject(new Error(`${module} ended before it listened`));
  })();
  let isOver = false;
  const kill = async () => {
    if (isOver) return;
    isOver = true;
    child.kill("SIGKILL");
    await child.status;
    await reading;
    await child.stdin.close().catch(() => {
      // Its other end is gone.
    });
  };
  try {
    return { port: await within(told, `the start of ${module}`, START_MS), kill };
  } catch (error) {
    await kill();
    throw error;
  }
}
