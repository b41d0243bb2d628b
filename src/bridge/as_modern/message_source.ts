/**
 * The messages of an answer, whatever it is: JSON, or an event stream that is taken up again where the server
 * ends it early.
 *
 * Nothing is read ahead: who does not ask for more stops the server (R49).
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery" and "Sending Messages to the Server" 6.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { Bytes } from "../../http/mod.ts";
import type { Reconnect } from "../../relay/mod.ts";
import { decode, headerForm, readBody, readWithin, type RpcText } from "../../rpc/mod.ts";
import { EventParser, EventTooLargeError, type SseEvent } from "../../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../../upstream/mod.ts";

/** How an answer is read. */
export interface MessageSourceOptions {
  /** The largest event or JSON body, in bytes. */
  readonly maxEventBytes: number;
  /** Takes a stream up again; left out where it is not to be. */
  readonly reconnect?: Reconnect | undefined;
  /** Whether it is also taken up again where no event had an id: it is the stream of no request. */
  readonly isStanding?: boolean;
  /** Told when it was taken up again behind no event, so that nobody knows what was said meanwhile. */
  readonly onGap?: () => void;
}

/** The messages of one answer. One call of `next` at a time. */
export class MessageSource {
  /** Whether they come one by one. */
  readonly isStream: boolean;
  readonly #options: MessageSourceOptions;
  #body: UpstreamBody | undefined;
  #parser: EventParser;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  #failure: ProxyError | undefined;
  #over = false;

  /** The messages of `answer`, which it owns from now on. */
  constructor(
    { kind, body }: Pick<UpstreamAnswer, "kind" | "body">,
    options: MessageSourceOptions,
  ) {
    this.#options = options;
    this.isStream = kind === "sse";
    this.#body = body;
    this.#parser = this.#newParser();
  }

  /**
   * The next messages, all that came together; undefined at the end.
   *
   * @throws {ProxyError} where it broke off for good, or a message is too large
   */
  async next(): Promise<readonly RpcText[] | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const body = this.#body;
      if (this.#over || body === undefined) return undefined;
      if (!this.isStream) return await this.#readWhole(body);
      const messages = await this.#read(body);
      if (typeof messages === "string") await this.#reopen(messages === "ended");
      else if (messages.length > 0) return messages;
    }
  }

  /** The event behind which it is to be taken up again. */
  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  /** Goes on behind no event any more; whether it still reads what it had. */
  startAnew(): boolean {
    this.#lastEventId = undefined;
    return this.#body !== undefined;
  }

  /** Gives the rest up. */
  discard(): void {
    this.#over = true;
    this.#options.reconnect?.stop();
    this.#body?.discard();
  }

  async #readWhole(body: UpstreamBody): Promise<readonly RpcText[]> {
    const { maxEventBytes } = this.#options;
    const bytes = await readWithin(body, maxEventBytes);
    this.#body = undefined;
    if (bytes !== null) return readBody(decode(bytes))?.messages ?? [];
    body.discard();
    const sentence = `The upstream server sent an answer of more than ${maxEventBytes} bytes, ` +
      "which is the limit here.";
    throw new ProxyError("upstream_protocol", sentence);
  }

  /** What comes next on this connection, or how it is over. */
  async #read(body: UpstreamBody): Promise<readonly RpcText[] | "ended" | "broken"> {
    let pieces: readonly Bytes[] | null;
    try {
      pieces = await body.next();
    } catch (error) {
      if (this.#over || !this.#canReopen) throw error;
      return "broken";
    }
    if (pieces === null) return "ended";
    const events = pieces.flatMap((piece) => this.#parse(piece));
    if (events.length > 0) this.#options.reconnect?.delivered();
    return events.flatMap((event) => this.#messagesOf(event));
  }

  #parse(piece: Bytes): readonly SseEvent[] {
    try {
      return this.#parser.feed(piece);
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      this.#failure = new ProxyError("upstream_protocol", error.message, { cause: error });
      this.#body?.discard();
      return error.events;
    }
  }

  #messagesOf({ id, retry, data }: SseEvent): readonly RpcText[] {
    if (id !== undefined) this.#lastEventId = id === "" ? undefined : headerForm(id);
    if (retry !== undefined) this.#retryMs = retry;
    if (data === undefined || data.length === 0) return [];
    return readBody(decode(data))?.messages ?? [];
  }

  get #canReopen(): boolean {
    const { reconnect, isStanding } = this.#options;
    return reconnect !== undefined && (isStanding === true || this.#lastEventId !== undefined);
  }

  async #reopen(endedWell: boolean): Promise<void> {
    const { reconnect } = this.#options;
    this.#body = undefined;
    if (this.#over || reconnect === undefined || !this.#canReopen) return;
    this.#parser = this.#newParser();
    const isOver = () => this.#over;
    const body = await reconnect.after(this.#lastEventId, this.#retryMs, isOver, endedWell);
    // It may have been given up while it was opened.
    if (this.#over) return body?.discard();
    this.#body = body;
    if (body !== undefined && this.#lastEventId === undefined) this.#options.onGap?.();
  }

  #newParser(): EventParser {
    return new EventParser({ maxEventBytes: this.#options.maxEventBytes });
  }
}
