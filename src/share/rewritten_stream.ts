/**
 * An event stream of the server that answers a POST, on its way to the member: each message under the
 * member's names, everything else as it came.
 *
 * Nothing is read ahead: who does not read it stops the upstream (R49).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { decode, headerForm, joined, readBody, type RpcText } from "../rpc/mod.ts";
import {
  encodeEvents,
  EventParser,
  EventTooLargeError,
  type OutEvent,
  type SseEvent,
} from "../sse/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";

/** What becomes of a stream. */
export interface RewrittenOptions {
  /** The largest event, in bytes (R42). */
  readonly maxEventBytes: number;
  /** Messages ahead of all others. */
  readonly first: readonly string[];
  /** What the reader gets of a message. */
  readonly receive: (message: RpcText) => readonly string[];
  /** Told of each event id, in the form of a header field. */
  readonly noteEventId: (id: string) => void;
  /** Told once when nobody reads it any more. */
  readonly over: () => unknown;
}

/** The same stream, rewritten. */
export class RewrittenStream implements UpstreamBody {
  readonly #source: UpstreamBody;
  readonly #options: RewrittenOptions;
  readonly #parser: EventParser;
  /** What was read ahead, by `bytesWithin`, or comes first. */
  #ready: Bytes[] = [];
  #failure: unknown;
  #over = false;
  #observe: ((bytes: Uint8Array) => void) | undefined;

  /** Reads `source`, which it owns from now on. */
  constructor(source: UpstreamBody, options: RewrittenOptions) {
    this.#source = source;
    this.#options = options;
    this.#parser = new EventParser({ maxEventBytes: options.maxEventBytes });
    if (options.first.length > 0) this.#ready.push(encodeEvents(options.first.map(messageEvent)));
  }

  /** See `UpstreamBody`. */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null> {
    if (this.#ready.length === 0) return this.#read();
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  /** See `UpstreamBody`. */
  get ended(): boolean {
    if (this.#ready.length > 0 || this.#failure !== undefined || !this.#source.ended) return false;
    this.#settle();
    return true;
  }

  /** See `UpstreamBody`. */
  discard(): void {
    this.#ready = [];
    this.#source.discard();
    this.#settle();
  }

  /** See `UpstreamBody`. */
  end(): void {
    this.#source.end();
  }

  /** See `UpstreamBody`. */
  breakOff(failure: ProxyError): void {
    this.#source.breakOff(failure);
  }

  /** See `UpstreamBody`. */
  whenOver(callback: (failure?: ProxyError) => void): void {
    this.#source.whenOver(callback);
  }

  /** See `UpstreamBody`. */
  attend(attended: boolean): void {
    this.#source.attend?.(attended);
  }

  /** See `UpstreamBody`. */
  tap(observe: (bytes: Uint8Array) => void): void {
    for (const bytes of this.#ready) observe(bytes);
    this.#observe = observe;
  }

  /** Not known of a stream that is rewritten as it is read. */
  wholeNow(): undefined {
    return undefined;
  }

  /** See `UpstreamBody`. */
  async bytesWithin(maxBytes: number): Promise<Bytes | null> {
    const read = this.#ready;
    let length = read.reduce((sum, bytes) => sum + bytes.length, 0);
    while (length <= maxBytes) {
      const pieces = await this.#read();
      if (pieces === null) {
        this.#ready = [];
        return new Uint8Array(await new Blob(read).arrayBuffer());
      }
      read.push(...pieces);
      for (const piece of pieces) length += piece.length;
    }
    return null;
  }

  async #read(): Promise<readonly Bytes[] | null> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        const coming = this.#source.next();
        const pieces = coming instanceof Promise ? await coming : coming;
        if (pieces === null) {
          this.#settle();
          return null;
        }
        const events = pieces.flatMap((piece) => this.#parse(piece));
        const bytes = encodeEvents(events.map((event) => this.#pass(event)));
        if (bytes.length === 0) continue;
        this.#observe?.(bytes);
        return [bytes];
      }
    } catch (error) {
      this.#settle();
      throw error;
    }
  }

  #parse(piece: Bytes): readonly SseEvent[] {
    try {
      return this.#failure === undefined ? this.#parser.feed(piece) : [];
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      this.#failure = new ProxyError("upstream_protocol", error.message, { cause: error });
      this.#source.discard();
      return error.events;
    }
  }

  /** An event for the reader; what is not data stays, also where the data was for somebody else. */
  #pass(event: SseEvent): OutEvent {
    if (event.id !== undefined && event.id !== "") this.#options.noteEventId(headerForm(event.id));
    if (event.data === undefined || event.data.length === 0) return event;
    const body = readBody(decode(event.data));
    if (body === undefined) return event;
    const texts = body.messages.flatMap((message) => this.#options.receive(message));
    if (texts.length > 0) return { ...event, data: joined(texts, body.batch) };
    const { id, retry, comments } = event;
    return { id, retry, comments };
  }

  #settle(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.over();
  }
}

function messageEvent(data: string): OutEvent {
  return { event: "message", data };
}
