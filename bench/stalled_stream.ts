/** A client that asks for an endless event stream and then, for a while, reads nothing of it. */

import { framingOf } from "./http_message.ts";
import { type ByteSource, HttpReader, writeAll } from "./http_reader.ts";
import type { Target } from "./mcp_client.ts";
import { callTemplate, ENDLESS_TOOL, EventCounter } from "./mcp_messages.ts";
import { withDeadline } from "./processes.ts";

const BUFFER_BYTES = 4096;
const DEADLINE_MS = 15_000;

const WANTED = new Set(["content-length", "content-type", "transfer-encoding"]);

/** Reads from a source while it is open. */
export class Valve implements ByteSource {
  readonly #source: ByteSource;
  #shut: PromiseWithResolvers<void> | undefined;

  /** Begins open. */
  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Reads wait from now on; one that is under way does not. */
  shut(): void {
    this.#shut ??= Promise.withResolvers();
  }

  /** Reads go on. */
  open(): void {
    this.#shut?.resolve();
    this.#shut = undefined;
  }

  /** See `ByteSource`. */
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#shut !== undefined) await this.#shut.promise;
    return await this.#source.read(into);
  }
}

/** One such stream, on a connection of its own. */
export class StalledStream {
  readonly #target: Target;
  readonly #connection: Deno.Conn;
  readonly #valve: Valve;
  readonly #counter = new EventCounter();
  #wanted = 0;
  #reached: PromiseWithResolvers<void> | undefined;
  #body: Promise<void> = Promise.resolve();
  #over = false;

  private constructor(target: Target, connection: Deno.Conn) {
    this.#target = target;
    this.#connection = connection;
    this.#valve = new Valve(connection);
  }

  /** Opens one in a session; it stalls behind its first event. */
  static async open(target: Target, sessionId: string | undefined): Promise<StalledStream> {
    const { hostname, port } = target.endpoint;
    const stream = new StalledStream(target, await Deno.connect({ hostname, port }));
    try {
      await stream.#ask(sessionId);
      await stream.readOn(1);
      return stream;
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  async #ask(sessionId: string | undefined): Promise<void> {
    const { bytes } = callTemplate(this.#target.endpoint, sessionId, ENDLESS_TOOL, {});
    await writeAll(this.#connection, bytes);
    const reader = new HttpReader(this.#valve, BUFFER_BYTES);
    const head = await withDeadline(reader.readHead(WANTED), DEADLINE_MS, this.#target.name);
    const type = head?.fields.get("content-type") ?? "";
    const framing = head === null ? undefined : framingOf(head.fields);
    if (framing !== "chunked" || !type.startsWith("text/event-stream")) {
      const what = head?.startLine ?? "nothing";
      throw new Error(`${this.#target.name} answered ${what} ${type} where a stream was asked for`);
    }
    this.#valve.shut();
    const body = reader.readBody(framing, (piece) => {
      this.#counter.push(piece);
      if (this.#counter.events < this.#wanted) return;
      this.#valve.shut();
      this.#reached?.resolve();
    });
    this.#body = body.then(this.#ended, this.#ended);
  }

  readonly #ended = (): void => {
    this.#over = true;
    this.#reached?.reject(new Error(`${this.#target.name} ended the stream`));
  };

  /** Reads so many further events, and then nothing more. */
  async readOn(events: number): Promise<void> {
    if (this.#over) throw new Error(`${this.#target.name} has ended the stream`);
    this.#wanted = this.#counter.events + events;
    this.#reached = Promise.withResolvers();
    try {
      this.#valve.open();
      await withDeadline(this.#reached.promise, DEADLINE_MS, `${this.#target.name}: reading on`);
    } finally {
      this.#reached = undefined;
    }
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    this.#connection.close();
    this.#valve.open();
    await this.#body;
  }
}
