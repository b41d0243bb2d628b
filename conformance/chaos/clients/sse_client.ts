/**
 * A client of HTTP+SSE (2024-11-05) on bare sockets: one stream with all answers, and POSTs beside it.
 *
 * @module
 */

import type { Call } from "../book.ts";
import { EventReader } from "../../wire/mod.ts";
import { CallFailure, type Connection, type Field, PATIENCE_MS } from "./field.ts";
import { POST_FIELDS, refusal, Wire } from "./http.ts";
import { initialize, initialized, type Message, request, take } from "./messages.ts";

interface Waiting {
  readonly call: Call;
  readonly id: number;
  readonly resolve: () => void;
  readonly reject: (why: CallFailure) => void;
}

/** One client. */
export class SseClient implements Connection {
  readonly listens = true;
  readonly #posts: Wire;
  #stream: Wire;
  #endpoint = "";
  /** What was asked on the stream and not answered; a client has one call under way. */
  #waiting: Waiting | undefined;
  #isClosed = false;
  heard = 0;

  constructor(readonly name: string, readonly path: string, readonly field: Field) {
    this.#posts = new Wire(field.origin);
    this.#stream = new Wire(field.origin);
  }

  async open(call: Call): Promise<void> {
    this.#stream.close();
    const stream = this.#stream = new Wire(this.field.origin);
    const fields = { accept: "text/event-stream" };
    const response = await stream.begin({ method: "GET", path: this.path, fields });
    if (response.status !== 200) throw new CallFailure(await refusal(response), true);
    const reader = new EventReader(response.body);
    const first = await reader.nextEvent();
    if (first?.event !== "endpoint") throw new CallFailure("no endpoint event", true);
    this.#endpoint = first.data!;
    void this.#read(stream, reader);
    await this.#ask(call, 0, initialize(call, "2024-11-05"));
    await this.#post(initialized);
  }

  make(call: Call, id: number): Promise<void> {
    return this.#ask(call, id, request(call, id));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#posts.close();
    this.#stream.close();
    return Promise.resolve();
  }

  async #ask(call: Call, id: number, body: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting = { call, id, resolve, reject };
    promise.catch(() => {});
    const timer = setTimeout(
      () => reject(new CallFailure(`silence for ${PATIENCE_MS} ms`)),
      PATIENCE_MS,
    );
    try {
      await this.#post(body);
      await promise;
    } finally {
      clearTimeout(timer);
      if (this.#waiting === waiting) this.#waiting = undefined;
    }
  }

  #post(body: string): Promise<void> {
    const asked = { method: "POST", path: this.#endpoint, fields: POST_FIELDS, body } as const;
    return this.#posts.exchange(asked, async (response) => {
      if (response.status !== 202) {
        throw new CallFailure(await refusal(response), response.status === 404);
      }
      await response.body.text();
    });
  }

  async #read(stream: Wire, reader: EventReader): Promise<void> {
    const next = () => reader.nextEvent().catch(() => null);
    for (let event = await next(); event !== null; event = await next()) {
      if (event.data !== null && event.data !== "") this.#got(JSON.parse(event.data));
    }
    if (this.#stream !== stream || this.#isClosed) return;
    this.field.book.count("streams of HTTP+SSE clients that ended");
    this.#waiting?.reject(new CallFailure("its stream ended", true));
  }

  #got(message: Message): void {
    if (message.method === "notifications/message") {
      const { epoch, n } = message.params?.data ?? {};
      this.heard++;
      return this.field.book.tick(this.name, String(epoch), Number(n));
    }
    const waiting = this.#waiting;
    if (waiting === undefined) {
      return this.field.book.odd(this.name, `nobody waits for ${JSON.stringify(message)}`);
    }
    try {
      const isOpen = waiting.call.kind === "open" && message.id === 0 && message.result;
      if (isOpen || take(waiting.call, waiting.id, message)) waiting.resolve();
    } catch (error) {
      waiting.reject(error as CallFailure);
    }
  }
}
