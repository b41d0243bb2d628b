/**
 * A client of 2026-07-28 on bare sockets: every call stands for itself. Some of them hold a
 * `subscriptions/listen` open, and open it again when it ends.
 *
 * @module
 */

import type { Call } from "../book.ts";
import { CallFailure, type Connection, type Field, pause } from "./field.ts";
import { isStream, messages, POST_FIELDS, readStream, refusal, Wire } from "./http.ts";
import { methodOf, MODERN_META, modernFields, request, take } from "./messages.ts";

const RETURN_MS = 200;
const LISTEN = "subscriptions/listen";

/** One client. */
export class ModernClient implements Connection {
  readonly #wire: Wire;
  readonly #listening: Wire;
  #isClosed = false;
  heard = 0;

  constructor(
    readonly name: string,
    readonly path: string,
    readonly listens: boolean,
    readonly field: Field,
  ) {
    this.#wire = new Wire(field.origin);
    this.#listening = new Wire(field.origin);
  }

  open(): Promise<void> {
    if (this.listens) void this.#listen();
    return Promise.resolve();
  }

  async make(call: Call, id: number): Promise<void> {
    const method = methodOf(call);
    const named = call.kind === "list" ? undefined : call.kind;
    const fields = { ...POST_FIELDS, ...modernFields(method, named) };
    const body = request(call, id, MODERN_META);
    const { book } = this.field;
    await this.#wire.exchange({ method: "POST", path: this.path, fields, body }, async (answer) => {
      if (answer.status !== 200) throw new CallFailure(await refusal(answer));
      const isAnswered = isStream(answer)
        ? await readStream(call, id, { response: answer, book }, () => this.#wire.close())
        : take(call, id, JSON.parse(await answer.body.text()));
      if (!isAnswered) {
        throw new CallFailure(`its stream ended behind ${call.progress.length} events`);
      }
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#wire.close();
    this.#listening.close();
    return Promise.resolve();
  }

  async #listen(): Promise<void> {
    const { book, over } = this.field;
    while (!this.#isClosed && !over.aborted) {
      try {
        await this.#listenOnce();
        if (!this.#isClosed) book.count("subscriptions that ended");
      } catch {
        if (!this.#isClosed) book.count("subscriptions that broke");
      }
      this.#listening.close();
      await pause(RETURN_MS, over);
    }
  }

  async #listenOnce(): Promise<void> {
    const notifications = { toolsListChanged: true };
    const params = { notifications, _meta: MODERN_META };
    const body = JSON.stringify({ jsonrpc: "2.0", id: "listen", method: LISTEN, params });
    const fields = { ...POST_FIELDS, ...modernFields(LISTEN) };
    const answer = await this.#listening.begin({ method: "POST", path: this.path, fields, body });
    if (answer.status !== 200) {
      this.field.book.count(`subscriptions refused with ${answer.status}`);
      return void await answer.body.text();
    }
    for await (const { method } of messages(answer, () => {})) {
      if (method === "notifications/tools/list_changed") this.heard++;
    }
  }
}
