/**
 * Requests of the handler, made in this process.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import {
  type Bytes,
  type ClientAnswer,
  type ClientRequest,
  Fields,
  type Handler,
} from "../http/mod.ts";
import { CLIENT_INFO } from "../rpc/mod.ts";
import { discard } from "./answer_reader.ts";

/** Names and values of header fields in turn. */
export type FieldList = readonly string[];

/** What every request says. */
const COMMON: FieldList = [
  "host",
  "localhost",
  "user-agent",
  `${CLIENT_INFO.name}/${CLIENT_INFO.version}`,
];

/** Makes requests of a handler for one path. */
export class Caller {
  readonly #handler: Handler;
  readonly #path: string;

  /** For the endpoint at `path`. */
  constructor(handler: Handler, path: string) {
    this.#handler = handler;
    this.#path = path;
  }

  /** POST. @throws {ProxyError} `client_closed` where the signal is aborted */
  post(body: Bytes, fields: FieldList, signal: AbortSignal): Promise<ClientAnswer> {
    const types = [
      "content-type",
      "application/json",
      "accept",
      "application/json, text/event-stream",
    ];
    return this.#call("POST", [...types, ...fields], signal, body);
  }

  /** GET. @throws {ProxyError} `client_closed` where the signal is aborted */
  get(fields: FieldList, signal: AbortSignal): Promise<ClientAnswer> {
    return this.#call("GET", ["accept", "text/event-stream", ...fields], signal);
  }

  /** DELETE. @throws {ProxyError} `client_closed` where the signal is aborted */
  delete(fields: FieldList, signal: AbortSignal): Promise<ClientAnswer> {
    return this.#call("DELETE", fields, signal);
  }

  async #call(
    method: string,
    fields: FieldList,
    signal: AbortSignal,
    body: Bytes = new Uint8Array(0),
  ): Promise<ClientAnswer> {
    const request: ClientRequest = {
      method,
      target: this.#path,
      headers: new Fields([...COMMON, ...fields]),
      signal,
      body: () => body,
    };
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(new ProxyError("client_closed", "The client has gone."));
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    const answering = this.#handler(request);
    try {
      const answer = await Promise.race([gone, answering]);
      if (answer.body !== null && !(answer.body instanceof Uint8Array)) {
        // As of a connection that is closed: the answer ends with it.
        signal.addEventListener("abort", () => discard(answer), { once: true });
      }
      return answer;
    } catch (error) {
      // In a session nothing is cancelled, so the answer may still come.
      answering.then(discard, () => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }
}
