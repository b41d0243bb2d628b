/**
 * The proxy as its users start it: a process of its own, with a config file that changes.
 *
 * @module
 */

import { v8FlagsOf } from "../../bench/v8_flags.ts";
import { childEnvironment } from "../official_processes.ts";

const ROOT = new URL("../../", import.meta.url);

/** Long enough for a first start, which downloads packages, in milliseconds. */
const START_MS = 120_000;

/** How long it may take to end by itself, in milliseconds. */
const END_MS = 10_000;

/** Lines of its log that are kept: warnings, errors, and what it says of its config. */
const MAX_LINES = 5_000;

/** A proxy that runs. */
export class Proxy implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  readonly #lines: string[] = [];
  #rest = "";
  #said = "";
  #code: number | undefined;

  private constructor(readonly file: string, v8Flags: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-P",
        ...v8Flags,
        "--frozen",
        "main.ts",
        "serve",
        "--config",
        file,
      ],
      cwd: ROOT,
      clearEnv: true,
      env: childEnvironment(),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([
      this.#keep(this.#child.stdout, (text) => this.#said += text),
      this.#keep(this.#child.stderr, (text) => this.#logged(text)),
      this.#child.status.then(({ code }) => void (this.#code = code)),
    ]);
  }

  /** Starts it with the config in a file. */
  static async open(file: string): Promise<Proxy> {
    const proxy = new Proxy(file, await v8FlagsOf(ROOT));
    const untilMs = performance.now() + START_MS;
    while (proxy.origin === undefined) {
      if (proxy.#code !== undefined || performance.now() > untilMs) {
        await proxy[Symbol.asyncDispose]();
        throw new Error(`the proxy did not start: ${proxy.#lines.join("\n")}${proxy.#rest}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return proxy;
  }

  /** Where clients call; undefined before it listens. */
  get origin(): string | undefined {
    return /^listening (http:\/\/127\.0\.0\.1:\d+)/m.exec(this.#said)?.[1];
  }

  /** What it has logged, as far as it is kept. */
  get log(): readonly string[] {
    return this.#lines;
  }

  /** Its exit code; undefined while it runs. */
  get code(): number | undefined {
    return this.#code;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Tells it to read its config again. */
  hangUp(): void {
    this.#child.kill("SIGHUP");
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const end = (signal: Deno.Signal) => {
      try {
        this.#child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    end("SIGTERM");
    const timer = setTimeout(() => end("SIGKILL"), END_MS);
    await this.#reading;
    clearTimeout(timer);
  }

  #logged(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const isKept = !/"level":"(debug|info)"/.test(line) || line.includes("config");
      if (isKept && this.#lines.length < MAX_LINES) this.#lines.push(line);
    }
  }

  async #keep(stream: ReadableStream<Uint8Array<ArrayBuffer>>, keep: (text: string) => void) {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) keep(text);
  }
}
