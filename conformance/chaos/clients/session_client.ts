/**
 * A client with a session over Streamable HTTP, on bare sockets. It comes back with `Last-Event-ID` for an
 * answer whose stream has ended, and for the stream on which the server speaks.
 *
 * @module
 */

import type { WireResponse } from "../../wire/mod.ts";
import type { Call } from "../book.ts";
import { CallFailure, type Connection, type Field, PATIENCE_MS, pause } from "./field.ts";
import { isStream, messages, POST_FIELDS, readStream, refusal, Wire } from "./http.ts";
import { initialize, initialized, request, SESSION_REVISION, take } from "./messages.ts";

/** How long a client waits before it comes back for a stream, in milliseconds. */
const RETURN_MS = 100;

/** One client. */
export class SessionClient implements Connection {
  readonly #wire: Wire;
  #session = "";
  #listener: Listener | undefined;
  heard = 0;

  constructor(
    readonly name: string,
    readonly path: string,
    readonly listens: boolean,
    /** Whether the server keeps the events of its streams. */
    readonly keepsEvents: boolean,
    readonly field: Field,
  ) {
    this.#wire = new Wire(field.origin);
  }

  async open(call: Call): Promise<void> {
    this.#listener?.close();
    const { path } = this;
    const asked = { method: "POST", path, fields: POST_FIELDS, body: initialize(call) } as const;
    const session = await this.#wire.exchange(asked, async (response) => {
      if (response.status !== 200) throw new CallFailure(await refusal(response), true);
      const text = await response.body.text();
      if (!text.includes('"serverInfo"')) throw new CallFailure(`initialize: ${text}`, true);
      return response.field("mcp-session-id");
    });
    if (session === undefined) throw new CallFailure("initialize gave no session", true);
    this.#session = session;
    await this.#post(initialized, async (response) => {
      if (response.status !== 202) throw new CallFailure(await refusal(response), true);
      await response.body.text();
    });
    if (this.listens) {
      const heard = () => void this.heard++;
      this.#listener = new Listener(this.name, path, this.#fields(), this.field, heard);
    }
  }

  async make(call: Call, id: number): Promise<void> {
    let lastId: string | undefined;
    const untilMs = performance.now() + PATIENCE_MS;
    const onId = (eventId: string) => {
      lastId = eventId;
      call.isResumable = this.keepsEvents;
    };
    const read = (wire: Wire) => (response: WireResponse) =>
      this.#read(call, id, { response, book: this.field.book, onId }, () => wire.close());
    let isOver = await this.#post(request(call, id), read(this.#wire), untilMs);
    while (!isOver) {
      if (lastId === undefined) throw new CallFailure("its stream ended without an answer");
      await pause(RETURN_MS, this.field.over);
      this.field.book.count("calls taken up again by clients");
      const fields = { ...this.#fields(), "last-event-id": lastId };
      const asked = { method: "GET", path: this.path, fields } as const;
      const resuming = new Wire(this.field.origin);
      isOver = await resuming.exchange(
        asked,
        read(resuming),
        Math.max(1, untilMs - performance.now()),
      ).finally(() => resuming.close());
    }
  }

  async close(): Promise<void> {
    this.#listener?.close();
    if (this.#session !== "") {
      const asked = { method: "DELETE", path: this.path, fields: this.#fields() } as const;
      await this.#wire.exchange(asked, (response) => response.body.text(), 5_000).catch(() => {});
    }
    this.#wire.close();
  }

  /** Reads the answer to a call; false where the stream ended and the client has to come back. */
  async #read(
    call: Call,
    id: number,
    from: Parameters<typeof readStream>[2],
    close: () => void,
  ): Promise<boolean> {
    const { response } = from;
    if (response.status !== 200) {
      throw new CallFailure(await refusal(response), response.status === 404);
    }
    if (!isStream(response)) return take(call, id, JSON.parse(await response.body.text()));
    const isAnswered = await readStream(call, id, from, close);
    if (!isAnswered && !response.body.complete) {
      throw new CallFailure(`its stream was cut behind ${call.progress.length} events`);
    }
    return isAnswered;
  }

  #fields(): Record<string, string> {
    return {
      accept: "text/event-stream",
      "mcp-session-id": this.#session,
      "mcp-protocol-version": SESSION_REVISION,
    };
  }

  #post<T>(
    body: string,
    on: (response: WireResponse) => Promise<T>,
    untilMs = performance.now() + PATIENCE_MS,
  ): Promise<T> {
    const fields = { ...this.#fields(), ...POST_FIELDS };
    const asked = { method: "POST", path: this.path, fields, body } as const;
    return this.#wire.exchange(asked, on, Math.max(1, untilMs - performance.now()));
  }
}

/** The stream on which the server speaks, opened again whenever it ends. */
class Listener {
  readonly #wire: Wire;
  #isClosed = false;
  #lastId: string | undefined;

  constructor(
    readonly name: string,
    readonly path: string,
    readonly fields: Readonly<Record<string, string>>,
    readonly field: Field,
    readonly heard: () => void,
  ) {
    this.#wire = new Wire(field.origin);
    void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.#wire.close();
  }

  async #run(): Promise<void> {
    const { book, over } = this.field;
    while (!this.#isClosed && !over.aborted) {
      try {
        await this.#listen();
        if (!this.#isClosed) book.count("streams of servers that ended");
      } catch {
        if (!this.#isClosed) book.count("streams of servers that broke");
      }
      this.#wire.close();
      await pause(2 * RETURN_MS, over);
    }
  }

  async #listen(): Promise<void> {
    const fields = {
      ...this.fields,
      ...(this.#lastId !== undefined && { "last-event-id": this.#lastId }),
    };
    const { book } = this.field;
    const response = await this.#wire.begin({ method: "GET", path: this.path, fields });
    if (response.status !== 200) {
      book.count(`streams of servers refused with ${response.status}`);
      // The session may be lost; the next call finds out.
      return void await response.body.text();
    }
    for await (const message of messages(response, (id) => void (this.#lastId = id))) {
      const { epoch, n } = message.params?.data ?? {};
      if (message.method !== "notifications/message" || this.#isClosed) continue;
      this.heard();
      book.tick(this.name, String(epoch), Number(n));
    }
  }
}
