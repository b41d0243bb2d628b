/**
 * A client on stdin and stdout of the front for stdio, and a handler that a test scripts.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  type AnswerSource,
  type Bytes,
  type ClientAnswer,
  type ClientRequest,
  Fields,
} from "../http/mod.ts";
import { StdioFront, type StdioLimits } from "../stdio/mod.ts";
import { createLogger } from "../telemetry/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { settled } from "./relay.ts";
import type { Rpc } from "./share.ts";

const encoder = new TextEncoder();

/** A request of the front. */
export interface Seen {
  readonly request: ClientRequest;
  /** The text of its body. */
  readonly text: string;
  /** The message in it; an empty one for GET and DELETE. */
  readonly message: Rpc;
}

/** Answers a request; undefined for 202, or 405 for a GET. */
export type StdioScript = (seen: Seen) => ClientAnswer | Promise<ClientAnswer> | undefined;

/** An answer with a JSON body. */
export function json(
  value: unknown,
  status = 200,
  fields: Readonly<Record<string, string>> = {},
): ClientAnswer {
  const list = Object.entries({ "content-type": "application/json", ...fields }).flat();
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return { status, fields: new Fields(list), body: encoder.encode(text) };
}

/** A result for the request that was seen. */
export function resultFor({ message }: Seen, result: unknown = {}): ClientAnswer {
  return json({ jsonrpc: "2.0", id: message.id, result });
}

/** The body of a stream that a test writes. */
export class WrittenStream implements AnswerSource {
  readonly #queue: (Bytes | null | Error)[] = [];
  #wake: (() => void) | undefined;
  discarded = false;
  /** How often it was asked for more. */
  reads = 0;

  get ended(): boolean {
    return this.#queue[0] === null;
  }

  /** The answer that it is the body of. */
  answer(fields: Readonly<Record<string, string>> = {}): ClientAnswer {
    const list = Object.entries({ "content-type": "text/event-stream", ...fields }).flat();
    return { status: 200, fields: new Fields(list), body: this };
  }

  /** Writes an event. */
  event(message: unknown, id?: string): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    this.write(`${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`);
  }

  write(text: string): void {
    this.#add(encoder.encode(text));
  }

  end(): void {
    this.#add(null);
  }

  breakOff(): void {
    this.#add(new Error("broken"));
  }

  async next(): Promise<readonly Bytes[] | null> {
    this.reads++;
    while (this.#queue.length === 0 && !this.discarded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const next = this.discarded ? null : this.#queue.shift()!;
    if (next instanceof Error) throw next;
    return next && [next];
  }

  discard(): void {
    this.discarded = true;
    this.#wake?.();
  }

  #add(item: Bytes | null | Error): void {
    this.#queue.push(item);
    this.#wake?.();
  }
}

/** What a test may set. */
export interface StdioClientOptions {
  readonly script?: StdioScript;
  readonly limits?: Partial<StdioLimits>;
  readonly maxLineBytes?: number;
}

/** A client whose front runs from the beginning. */
export class StdioClient {
  readonly clock = new ManualClock();
  readonly seen: Seen[] = [];
  readonly lines: string[] = [];
  readonly logs: string[] = [];
  script: StdioScript;
  /** Resolves when the front has ended. */
  readonly over: Promise<void>;
  /** Whether the front waits for more of stdin. */
  wantsMore = false;
  /** Whether nobody reads stdout, until `read`. */
  stalled = false;
  stdoutBroken = false;
  readonly #stop = Promise.withResolvers<void>();
  #input!: ReadableStreamDefaultController<Bytes>;
  #wakeStdout: (() => void) | undefined;

  constructor({ script = () => undefined, limits, maxLineBytes = 1_000 }: StdioClientOptions = {}) {
    this.script = script;
    const input = new ReadableStream<Bytes>({
      start: (controller) => void (this.#input = controller),
      pull: () => void (this.wantsMore = true),
    }, { highWaterMark: 0 });
    const front = new StdioFront({
      handler: (request) => this.#handle(request),
      path: "/mcp",
      maxLineBytes,
      maxMessageBytes: 10_000,
      json: { maxDepth: 20, maxBatchMessages: 5 },
      backOff: { attempts: 2, initialDelayMs: 100, maxDelayMs: 1_000, maxSilentMs: 60_000 },
      clock: this.clock,
      logger: createLogger({
        level: "warn",
        format: "json",
        clock: this.clock,
        sink: { write: (line) => void this.logs.push(line), flush: () => Promise.resolve() },
      }),
      limits,
    }, { write: (bytes) => this.#write(bytes) });
    this.over = front.run(input, this.#stop.promise);
  }

  /** The messages on stdout. */
  get messages(): Rpc[] {
    return this.lines.map((line) => JSON.parse(line) as Rpc);
  }

  /** What the front has sent: `POST tools/call`, `GET` ... */
  get sent(): string[] {
    return this.seen.map(({ request, message }) =>
      [request.method, message.method].filter(Boolean).join(" ")
    );
  }

  /** Writes bytes to stdin as they are. */
  async write(text: string): Promise<void> {
    this.wantsMore = false;
    this.#input.enqueue(encoder.encode(text));
    await settled();
  }

  /** Sends a message. */
  async say(message: unknown): Promise<void> {
    await this.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends a request. */
  async ask(id: number | string, method = "tools/call", params: unknown = {}): Promise<void> {
    await this.say({ jsonrpc: "2.0", id, method, params });
  }

  /** Begins a session `s1` of 2025-11-25, whose server has no GET stream. */
  async initialise(sessionId = "s1"): Promise<void> {
    const { script } = this;
    this.script = (seen) =>
      seen.message.method === "initialize"
        ? json({ jsonrpc: "2.0", id: 0, result: { protocolVersion: "2025-11-25" } }, 200, {
          "mcp-session-id": sessionId,
        })
        : script(seen);
    await this.ask(0, "initialize");
    await this.say({ jsonrpc: "2.0", method: "notifications/initialized" });
    this.script = script;
  }

  /** Stdin ends. */
  end(): void {
    this.#input.close();
  }

  /** The process gets a signal. */
  stop(): void {
    this.#stop.resolve();
  }

  /** Stdout is read again. */
  async read(): Promise<void> {
    this.stalled = false;
    this.#wakeStdout?.();
    await settled();
  }

  async #handle(request: ClientRequest): Promise<ClientAnswer> {
    const text = new TextDecoder().decode(await request.body());
    const message = request.method === "POST" ? JSON.parse(text) as Rpc : {};
    const seen = { request, text, message };
    this.seen.push(seen);
    const answer = await this.script(seen);
    if (answer !== undefined) return answer;
    const status = request.method === "GET" ? 405 : request.method === "DELETE" ? 200 : 202;
    return { status, fields: new Fields(), body: null };
  }

  async #write(bytes: Bytes): Promise<number> {
    if (this.stdoutBroken) throw new Error("EPIPE");
    while (this.stalled) await new Promise<void>((resolve) => this.#wakeStdout = resolve);
    // A pipe may take a part of it alone.
    const taken = bytes.subarray(0, 7);
    this.#partial += new TextDecoder().decode(taken);
    const lines = this.#partial.split("\n");
    this.#partial = lines.pop()!;
    this.lines.push(...lines);
    return taken.length;
  }

  #partial = "";
}

/** The least params of a request of 2026-07-28. */
export const MODERN = {
  _meta: {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  },
};

/** Ends a client, and holds that it leaves no timer behind. */
export async function finish(client: StdioClient): Promise<void> {
  client.end();
  await settled();
  client.clock.advance(10_000);
  await client.over;
  assertEquals(client.clock.timers, 0);
}

/** Ids and error codes of what a client was told. */
export function codes({ messages }: StdioClient): [unknown, number | undefined][] {
  return messages.map(({ id, error }) => [id, error?.code]);
}
