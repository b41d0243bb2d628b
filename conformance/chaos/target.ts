/**
 * A target: a server in a process of its own that is killed, stopped and started again on the same port, and
 * the relay in front of it.
 *
 * @module
 */

import { childEnvironment } from "../official_processes.ts";
import type { Delivery } from "./book.ts";
import { Relay } from "./relay.ts";

/** How long a server may take to start on a busy machine, in milliseconds. */
const START_MS = 60_000;

const SERVER = new URL("server.ts", import.meta.url);

/** What a target is made with. */
export interface TargetOptions {
  readonly name: string;
  /** The folder for what the server notes. */
  readonly folder: string;
  readonly random: () => number;
  readonly delivered: (token: string, delivery: Delivery) => void;
}

/** One target. */
export class Target implements AsyncDisposable {
  readonly name: string;
  readonly relay: Relay;
  readonly #options: TargetOptions;
  readonly #port: number;
  #child: Deno.ChildProcess;

  private constructor(
    options: TargetOptions,
    relay: Relay,
    child: Deno.ChildProcess,
    port: number,
  ) {
    this.name = options.name;
    this.relay = relay;
    this.#options = options;
    this.#child = child;
    this.#port = port;
  }

  /** Starts the server and its relay. */
  static async open(options: TargetOptions): Promise<Target> {
    const { child, port } = await spawn(0, options);
    try {
      return new Target(options, await Relay.open({ ...options, port }), child, port);
    } catch (error) {
      child.kill("SIGKILL");
      await child.status;
      throw error;
    }
  }

  /** Ends the server at once; the relay refuses what comes. */
  async kill(): Promise<void> {
    this.relay.refuse();
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  /** Asks the server to end; the relay refuses what comes. */
  async stop(): Promise<void> {
    this.relay.refuse();
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }

  /** Starts the server again. */
  async start(): Promise<void> {
    ({ child: this.#child } = await spawn(this.#port, this.#options));
    await this.relay.accept();
  }

  /** Has the server stand still, or go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  /** What its processes noted, as it stands in their file. */
  async notes(): Promise<string> {
    return await Deno.readTextFile(notesOf(this.#options)).catch(() => "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.relay.close();
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
  }
}

function notesOf({ folder, name }: TargetOptions): string {
  return `${folder}/${name}.tokens`;
}

async function spawn(port: number, options: TargetOptions) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      SERVER.href,
      String(port),
      notesOf(options),
      options.name,
    ],
    clearEnv: true,
    env: childEnvironment(),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
  try {
    return { child, port: await portOf(child.stdout) };
  } catch (error) {
    child.kill("SIGKILL");
    await child.status;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The port that a server says it has; the rest of what it says is read and thrown away. */
async function portOf(stdout: ReadableStream<Uint8Array>): Promise<number> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("a server of the chaos test ended before it listened");
    text += decoder.decode(value, { stream: true });
    const match = / on port (\d+)\n/.exec(text);
    if (match === null) continue;
    reader.releaseLock();
    stdout.pipeTo(new WritableStream()).catch(() => {});
    return Number(match[1]);
  }
}
