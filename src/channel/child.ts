/**
 * One process whose stdin and stdout are a channel.
 *
 * Source: 2025-11-25 basic/transports, "stdio", and basic/lifecycle, "Shutdown".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { BoundedLog, MAX_LINE_CHARACTERS } from "./bounded_log.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { LineReader, LineTooLongError } from "./lines.ts";

/** What a process works with. */
export interface ChildOptions {
  /** Time. */
  readonly clock: Clock;
  /** Where its stderr goes. */
  readonly logger: Logger;
  /** What is told of it in the log. */
  readonly name: string;
  /** The largest message, in bytes. */
  readonly maxMessageBytes: number;
  /** Bytes that may wait for it to read them. */
  readonly maxPendingBytes: number;
  /** How long it may take to end before it is told more clearly, in milliseconds. */
  readonly closeMs: number;
  /** Told once of its first message. */
  readonly onFirstMessage: () => void;
  /** Told once when nothing of it is left. */
  readonly onGone: () => void;
}

const encoder = new TextEncoder();

/** A process that runs. */
export class Child implements Channel {
  readonly #process: Deno.ChildProcess;
  readonly #events: ChannelEvents;
  readonly #options: ChildOptions;
  readonly #log: BoundedLog;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stdout: ReadableStreamDefaultReader<Bytes>;
  readonly #stderr: ReadableStreamDefaultReader<Bytes>;
  readonly #gone: Promise<void>;
  #exited = false;
  #pendingBytes = 0;
  #resumed: PromiseWithResolvers<void> | undefined;
  #over = false;
  #heard = false;
  #closing: Promise<void> | undefined;

  /** Takes over a process that was spawned as the leader of a group of its own, with three pipes. */
  constructor(process: Deno.ChildProcess, events: ChannelEvents, options: ChildOptions) {
    this.#process = process;
    this.#events = events;
    this.#options = options;
    this.#log = new BoundedLog(options.logger, options.clock, { name: options.name });
    this.#stdin = process.stdin.getWriter();
    // What becomes of it is told by each write, and by the end of stdout.
    this.#stdin.closed.catch(() => {});
    this.#stdout = process.stdout.getReader();
    this.#stderr = process.stderr.getReader();
    const exited = process.status.then(({ code, signal }) => {
      // Nobody else is to hold its pipes open, or to live on.
      this.signal("SIGKILL");
      // From now on the number may be another's.
      this.#exited = true;
      return signal === null ? `with code ${code}` : `by ${signal}`;
    });
    this.#gone = this.#run(exited);
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** See `Channel`. */
  async send(text: string): Promise<void> {
    // A line break inside a message stands between tokens: in strings JSON has none.
    const bytes = encoder.encode(text.replaceAll(/[\r\n]/g, " ") + "\n");
    if (this.#over) throw closed("The process of the upstream server has ended.", false);
    if (this.#pendingBytes + bytes.length > this.#options.maxPendingBytes) {
      const sentence = "The upstream server does not read what is sent to it.";
      const progress = { requestSent: false, answerBegun: false };
      throw new ProxyError("upstream_saturated", sentence, { progress });
    }
    this.#pendingBytes += bytes.length;
    try {
      await this.#stdin.write(bytes);
    } catch (cause) {
      throw closed("The upstream server ended while it was sent a message.", true, cause);
    } finally {
      this.#pendingBytes -= bytes.length;
    }
  }

  /** See `Channel`. */
  pause(): void {
    this.#resumed ??= Promise.withResolvers();
  }

  /** See `Channel`. */
  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  /** See `Channel`. */
  close(): Promise<void> {
    this.#tellOver(undefined);
    return this.#end();
  }

  /** Sends a signal to the process and to all that it has started and that did not leave its group. */
  signal(signal: Deno.Signal): void {
    if (this.#exited) return;
    try {
      if (Deno.build.os === "windows") this.#process.kill(signal);
      else Deno.kill(-this.pid, signal);
    } catch {
      // It has ended already.
    }
  }

  async #run(exited: Promise<string>): Promise<void> {
    const listening = this.#listen();
    let failure: ProxyError | undefined;
    try {
      await this.#read();
    } catch (error) {
      failure = error instanceof ProxyError ? error : closed("stdout broke.", true, error);
    }
    if (failure === undefined && !this.#over) failure = await this.#causeOfEnd(exited);
    this.#tellOver(failure);
    void this.#end();
    await exited;
    await this.#stdin.abort().catch(() => {});
    // Whoever has left the group may still hold them.
    await this.#stdout.cancel().catch(() => {});
    await this.#stderr.cancel().catch(() => {});
    await listening;
    this.#log.end();
    this.#options.onGone();
  }

  /** How it ended: its exit is known a moment behind the end of its stdout, where it ends at all. */
  async #causeOfEnd(exited: Promise<string>): Promise<ProxyError> {
    const { promise: late, resolve } = Promise.withResolvers<string>();
    const timer = this.#options.clock.after(this.#options.closeMs, () => resolve("its output"));
    const how = await Promise.race([exited, late]);
    timer.cancel();
    return closed(`The process of the upstream server ended ${how}.`, true);
  }

  #tellOver(failure: ProxyError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.resume();
    this.#events.over(failure);
  }

  /** By the book: the end of stdin, then SIGTERM, then SIGKILL. */
  #end(): Promise<void> {
    return this.#closing ??= this.#endByTheBook();
  }

  async #endByTheBook(): Promise<void> {
    const { clock, closeMs } = this.#options;
    const timers = [
      clock.after(closeMs, () => this.signal("SIGTERM")),
      clock.after(2 * closeMs, () => this.signal("SIGKILL")),
    ];
    // Behind what still waits there, which may be never taken.
    this.#stdin.close().catch(() => {});
    await this.#gone;
    for (const timer of timers) timer.cancel();
  }

  async #read(): Promise<void> {
    const reader = new LineReader(this.#options.maxMessageBytes, "refuse");
    try {
      for (;;) {
        await this.#resumed?.promise;
        const { value, done } = await this.#stdout.read();
        if (done) break;
        for (const line of reader.feed(value)) {
          await this.#resumed?.promise;
          if (!this.#over) this.#take(line);
        }
      }
    } catch (error) {
      if (!(error instanceof LineTooLongError)) throw error;
      const { maxMessageBytes } = this.#options;
      throw new ProxyError(
        "upstream_protocol",
        `The upstream server sent a message of more than ${maxMessageBytes} bytes.`,
        { progress: { requestSent: true, answerBegun: true } },
      );
    }
  }

  #take(line: Bytes): void {
    let text: string;
    try {
      text = this.#utf8.decode(line);
    } catch {
      const shown = new TextDecoder().decode(line.subarray(0, MAX_LINE_CHARACTERS));
      return this.#log.line("warn", "an upstream server wrote what is no UTF-8 to stdout", shown);
    }
    if (/^\s*$/.test(text)) return;
    if (!isJson(text)) {
      return this.#log.line("warn", "an upstream server wrote what is no message to stdout", text);
    }
    if (!this.#heard) {
      this.#heard = true;
      this.#options.onFirstMessage();
    }
    this.#events.message(text);
  }

  async #listen(): Promise<void> {
    const reader = new LineReader(4 * MAX_LINE_CHARACTERS, "cut");
    const utf8 = new TextDecoder();
    const tell = (line: Bytes) =>
      this.#log.line("info", "an upstream server wrote to stderr", utf8.decode(line));
    try {
      for (;;) {
        const { value, done } = await this.#stderr.read();
        if (done) break;
        for (const line of reader.feed(value)) if (line.length > 0) tell(line);
      }
    } catch {
      // It was given up.
    }
    const rest = reader.rest();
    if (rest !== undefined) tell(rest);
  }
}

/** Whether a line can be a message. Only one that begins like one is read twice. */
function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function closed(sentence: string, requestSent: boolean, cause?: unknown): ProxyError {
  const progress = { requestSent, answerBegun: false };
  return new ProxyError("upstream_closed", sentence, { cause, progress });
}
