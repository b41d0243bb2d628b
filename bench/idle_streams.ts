/** Many event streams that each say one thing and are silent. */

import { framingOf } from "./http_message.ts";
import { HttpReader, writeAll } from "./http_reader.ts";
import type { Target } from "./mcp_client.ts";
import { EventCounter, getBytes } from "./mcp_messages.ts";
import { withDeadline } from "./processes.ts";

const BUFFER_BYTES = 2048;
const OPEN_DEADLINE_MS = 15_000;

/** Streams that are being opened at one time. */
const OPENING = 50;

const WANTED = new Set(["content-length", "content-type", "transfer-encoding"]);

/** Open streams of one session, each on a connection of its own. */
export class IdleStreams {
  readonly #target: Target;
  readonly #request: Uint8Array;
  readonly #connections: Deno.Conn[] = [];
  readonly #bodies: Promise<void>[] = [];
  #closing = false;
  #lost = 0;

  private constructor(target: Target, sessionId: string | undefined) {
    this.#target = target;
    this.#request = getBytes(target.endpoint, sessionId);
  }

  /** Opens streams, and resolves when each has brought its first event. */
  static async open(
    target: Target,
    sessionId: string | undefined,
    count: number,
  ): Promise<IdleStreams> {
    const streams = new IdleStreams(target, sessionId);
    let begun = 0;
    const openInTurn = async (): Promise<void> => {
      while (begun < count) {
        begun++;
        await withDeadline(streams.#openOne(), OPEN_DEADLINE_MS, `${target.name}: a stream`);
      }
    };
    try {
      await Promise.all(Array.from({ length: OPENING }, openInTurn));
    } catch (error) {
      await streams.close();
      throw error;
    }
    return streams;
  }

  async #openOne(): Promise<void> {
    const { hostname, port } = this.#target.endpoint;
    const connection = await Deno.connect({ hostname, port });
    if (this.#closing) return connection.close();
    this.#connections.push(connection);
    await writeAll(connection, this.#request);
    const reader = new HttpReader(connection, BUFFER_BYTES);
    const head = await reader.readHead(WANTED);
    const type = head?.fields.get("content-type") ?? "";
    const framing = head === null ? undefined : framingOf(head.fields);
    if (framing !== "chunked" || !type.startsWith("text/event-stream")) {
      const what = head?.startLine ?? "nothing";
      throw new Error(`${this.#target.name} answered ${what} ${type} to a GET for a stream`);
    }
    const counter = new EventCounter();
    const { promise: first, resolve, reject } = Promise.withResolvers<void>();
    const body = reader.readBody(framing, (bytes) => {
      counter.push(bytes);
      if (counter.events > 0) resolve();
    });
    const ended = (): void => {
      if (this.#closing) return;
      this.#lost++;
      reject(new Error(`${this.#target.name} ended an idle stream`));
    };
    this.#bodies.push(body.then(ended, ended));
    await first;
  }

  /** Throws where a stream has ended by itself. */
  checkAllOpen(): void {
    if (this.#lost > 0) throw new Error(`${this.#target.name} ended ${this.#lost} idle streams`);
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#bodies);
  }
}
