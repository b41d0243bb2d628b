/** The processes a run of the official suite needs: started here, and all stopped here. */

/** The most output kept of a process, in characters; what came first goes first. */
const MAX_OUTPUT_CHARS = 1_000_000;

/** How long a process may take to follow SIGTERM before it is killed. */
const STOP_DEADLINE_MS = 3_000;

const START_POLL_MS = 100;
const LOOPBACK_HOSTS = "127.0.0.1,localhost,::1";

/** What to run with this Deno. */
export interface ProcessOptions {
  /** The arguments of `deno`. */
  readonly args: readonly string[];
  readonly cwd: string | URL;
  /** Set on top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that was started, and what it said. */
export interface RunningProcess {
  /** Everything printed so far to stdout. */
  readonly stdout: () => string;
  /** Everything printed so far to stderr. */
  readonly stderr: () => string;
  /** Resolves with the exit code. */
  readonly exit: Promise<number>;
}

/** Starts Deno processes and stops them again, whatever happened in between. */
export class Processes {
  readonly #running = new Map<RunningProcess, Deno.ChildProcess>();
  #closed = false;

  /**
   * Starts `deno` with these arguments; its output is kept, not shown.
   *
   * @throws {Error} after {@linkcode close}
   */
  start(options: ProcessOptions): RunningProcess {
    if (this.#closed) throw new Error("no process is started any more");
    const child = new Deno.Command(Deno.execPath(), {
      args: [...options.args],
      cwd: options.cwd,
      clearEnv: true,
      env: { ...childEnvironment(), ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [stdout, stdoutEnd] = keepOutput(child.stdout);
    const [stderr, stderrEnd] = keepOutput(child.stderr);
    const exit = Promise.all([child.status, stdoutEnd, stderrEnd]).then(([{ code }]) => {
      this.#running.delete(process);
      return code;
    });
    const process: RunningProcess = { stdout, stderr, exit };
    this.#running.set(process, child);
    return process;
  }

  /** Stops one process and waits for its end. */
  async stop(process: RunningProcess): Promise<void> {
    const child = this.#running.get(process);
    if (child === undefined) return;
    signal(child, "SIGTERM");
    const force = setTimeout(() => signal(child, "SIGKILL"), STOP_DEADLINE_MS);
    try {
      await process.exit;
    } finally {
      clearTimeout(force);
    }
  }

  /** Stops every process that is still running, and starts no other. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running.keys()].map((process) => this.stop(process)));
  }

  /**
   * Waits for the end of a process, at most `deadlineMs`.
   *
   * @throws {Error} if it took longer; the process is stopped then
   */
  async finish(process: RunningProcess, deadlineMs: number): Promise<number> {
    const late = Symbol("late");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<typeof late>((resolve) => {
      timer = setTimeout(() => resolve(late), deadlineMs);
    });
    const first = await Promise.race([process.exit, deadline]);
    clearTimeout(timer);
    if (first !== late) return first;
    await this.stop(process);
    throw new Error(`not done after ${deadlineMs} ms`);
  }

  /**
   * Waits until `ready` gives a value for a process that just started.
   *
   * @throws {Error} with the end of its output if it ended, or took longer than `deadlineMs`
   */
  async ready<T>(
    process: RunningProcess,
    deadlineMs: number,
    ready: () => T | undefined | Promise<T | undefined>,
  ): Promise<T> {
    const end = performance.now() + deadlineMs;
    while (this.#running.has(process) && performance.now() < end) {
      const value = await ready();
      if (value !== undefined) return value;
      await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
    }
    const reason = this.#running.has(process) ? `not ready after ${deadlineMs} ms` : "ended early";
    throw new Error(`${reason}\n${process.stdout()}${process.stderr()}`.trim());
  }
}

/**
 * What the children get: this environment, without its coverage, and loopback past any HTTP proxy (Deno's fetch
 * asks even for 127.0.0.1), plain text, and no look for a newer Deno.
 */
export function childEnvironment(): Record<string, string> {
  // What is stopped while it writes its coverage leaves a file that cannot be read.
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => !name.includes("COVERAGE"));
  const noProxy = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy");
  const hosts = noProxy ? `${noProxy},${LOOPBACK_HOSTS}` : LOOPBACK_HOSTS;
  return {
    ...Object.fromEntries(own),
    NO_PROXY: hosts,
    no_proxy: hosts,
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch (error) {
    // It ended between the look and the signal.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Reads a stream to its end; the first part returned gives what was kept so far. */
function keepOutput(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): [() => string, Promise<void>] {
  let kept = "";
  const read = async () => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      kept = (kept + chunk).slice(-MAX_OUTPUT_CHARS);
    }
  };
  return [() => kept, read()];
}

/** True once something accepts connections on this port of 127.0.0.1, undefined before. */
export async function portOpen(port: number): Promise<true | undefined> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return undefined;
    throw error;
  }
}
