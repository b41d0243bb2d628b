/**
 * What the client of a request is told ahead of the response: on the POST that waits for it, or, while none does,
 * kept for the one with which it comes back.
 *
 * Sources: 2026-07-28 basic/patterns/progress, server/utilities/logging, client/elicitation.
 *
 * @module
 */

import { at, type Key, keyOf, passes, type RpcText, textAt, withTexts } from "../../rpc/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import type { Reply } from "./reply.ts";
import { TOKEN } from "./sent_request.ts";
import { ELICITATION_COMPLETE } from "./url_elicitations.ts";

/** How much is kept. */
export interface TellingOptions {
  /** Characters that may wait for a client that has not come back. */
  readonly maxHeldCharacters: number;
  /** Told of each message that a slow client does not get. */
  readonly onDropped: () => void;
}

const TOKEN_PATH = ["params", "progressToken"] as const;

/**
 * What clients of 2026-07-28 are not told: that an elicitation has ended the answer to the request shows
 * (client/elicitation), and tasks of sessions are not offered to them.
 */
const NOT_TOLD: ReadonlySet<unknown> = new Set([
  ELICITATION_COMPLETE,
  "notifications/tasks/status",
]);

/** Whether a client wants a notification: its request has this token at the server, and this log level. */
export function isWanted(
  message: RpcText,
  token: Key | undefined,
  logLevel: string | undefined,
): boolean {
  const { method } = message.value;
  if (method === "notifications/progress") {
    return token !== undefined && keyOf(textAt(message, TOKEN_PATH)) === token;
  }
  if (method === "notifications/message") {
    return logLevel !== undefined && passes(at(message.value, "params", "level"), logLevel);
  }
  return !NOT_TOLD.has(method);
}

/** What one client is told. */
export class Telling {
  readonly #options: TellingOptions;
  /** The newest POST about the request. */
  #request: ClientRequest;
  #reply: Reply | undefined;
  /** What was said while nobody waited; of progress for the token of whoever comes back. */
  #waiting: RpcText[] = [];
  #waitingCharacters = 0;
  /** Whether what is said was read for this request: then reading waits for its client. */
  #isReading = false;
  #wake: PromiseWithResolvers<void> | undefined;

  /** For a request of which no POST waits yet. */
  constructor(options: TellingOptions, request: ClientRequest) {
    this.#options = options;
    this.#request = request;
  }

  /** The newest POST about the request. */
  get request(): ClientRequest {
    return this.#request;
  }

  /** Its answer, if it waits for one. */
  get reply(): Reply | undefined {
    return this.#reply;
  }

  /** A POST waits from now on. */
  begin(request: ClientRequest, reply: Reply): void {
    this.#request = request;
    this.#reply = reply;
  }

  /** The one that waits is answered: none does until the client comes back. */
  end(): void {
    this.#reply = undefined;
  }

  /** Tells what was kept. */
  catchUp(reply: Reply): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingCharacters = 0;
    for (const message of waiting) this.#hand(reply, message);
    this.goOn();
  }

  /** What comes on another stream cannot be held back for a client that does not read: it is dropped. */
  tell(message: RpcText): void {
    if (!this.#isReading && this.#isFull) return this.#options.onDropped();
    if (this.#reply !== undefined) return this.#hand(this.#reply, message);
    this.#waiting.push(message);
    this.#waitingCharacters += message.text.length;
  }

  /** Has what is read for this request received: none of it is dropped. */
  reading(receive: () => void): void {
    this.#isReading = true;
    receive();
    this.#isReading = false;
  }

  /** Waits for a client that does not read, or that has not come back while too much was said. */
  async room(): Promise<void> {
    if (this.#reply !== undefined) return await this.#reply.room;
    if (!this.#isFull) return;
    this.#wake = Promise.withResolvers();
    await this.#wake.promise;
  }

  /** Whoever waits for the client to come back goes on. */
  goOn(): void {
    this.#wake?.resolve();
    this.#wake = undefined;
  }

  /** Whether the client has as much before it as is kept for it. */
  get #isFull(): boolean {
    if (this.#reply !== undefined) return this.#reply.room !== undefined;
    return this.#waitingCharacters > this.#options.maxHeldCharacters;
  }

  /** Progress goes to the token of the newest POST, which is the one that is being answered. */
  #hand(reply: Reply, message: RpcText): void {
    if (message.value.method !== "notifications/progress") return reply.tell(message.text);
    const token = textAt(this.#request.message, TOKEN);
    if (token !== undefined) reply.tell(withTexts(message, [TOKEN_PATH, token]));
  }
}
