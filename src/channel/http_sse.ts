/**
 * A channel to a server of HTTP+SSE, the transport of revision 2024-11-05: what the server says comes on the
 * stream of one GET, and each message for it is a POST to the address that the stream names first.
 *
 * Source: 2024-11-05 basic/transports, "HTTP with SSE".
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import { EVENT_STREAM, EventParser, EventTooLargeError } from "../sse/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import type { HttpAnswer, HttpClient, UpstreamBody } from "../upstream/mod.ts";
import type { Channel, ChannelEvents, OpenChannel } from "./channel.ts";
import { endpointPath } from "./endpoint.ts";
import {
  beforeAnyMessage,
  brokenOff,
  checkStream,
  ENDED,
  notFirst,
  refused,
  refusedTwice,
  unsent,
} from "./http_sse_refusals.ts";
import { baseOf, type HttpSseOptions, ownFields } from "./http_sse_requests.ts";

/** The answer to a POST has at most so many bytes; of a longer one the rest is given up, unread. */
const MAX_ANSWER_BYTES = 65_536;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Channels over `client`, which stays the caller's to close; each has a stream of its own.
 *
 * Opening resolves once the server has named its endpoint, and rejects with a `ProxyError` of source upstream
 * where it does not; `over` is told only of channels that were opened. Messages that are sent at one time may
 * arrive in any order: some servers answer a POST only when they are done with it.
 */
export function httpSseChannel(client: HttpClient, options: HttpSseOptions): OpenChannel {
  return async (events, headers) => {
    const channel = new HttpSseChannel(client, options, events, headers);
    await channel.open();
    return channel;
  };
}

class HttpSseChannel implements Channel {
  readonly #client: HttpClient;
  readonly #options: HttpSseOptions;
  readonly #events: ChannelEvents;
  /** What goes with every request of this channel. */
  readonly #fields: readonly string[];
  readonly #base: URL;
  readonly #parser: EventParser;
  /** Aborted when the channel is over: nothing of it goes on then. */
  readonly #over = new AbortController();
  /** Answers to POSTs that are read to be thrown away. */
  readonly #answers = new Set<UpstreamBody>();
  readonly #opened = Promise.withResolvers<void>();
  #stream: UpstreamBody | undefined;
  #reading: Promise<void> | undefined;
  /** Where messages go, once it is known. Holds the upstream's session id: never to be told (R97). */
  #endpoint: string | undefined;
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(
    client: HttpClient,
    options: HttpSseOptions,
    events: ChannelEvents,
    headers: FieldReader,
  ) {
    this.#client = client;
    this.#options = options;
    this.#events = events;
    this.#fields = ownFields(options, headers);
    this.#base = baseOf(options);
    this.#parser = new EventParser({ maxEventBytes: options.maxEventBytes });
    // A failure is told by `open`, which may not be waiting yet.
    this.#opened.promise.catch(() => {});
  }

  /** Opens the stream and waits for the endpoint. */
  async open(): Promise<void> {
    const { path, query, endpointTimeoutMs, clock } = this.#options;
    const fields = [...this.#fields, "accept", EVENT_STREAM];
    const answer = await this.#send("GET", path + query, fields, null);
    checkStream(answer, this.#options);
    this.#stream = answer.body;
    this.#reading = this.#read(answer.body);
    const deadline = clock.after(endpointTimeoutMs, () => {
      const sentence = "The upstream server did not name its endpoint for messages in time.";
      this.#end(new ProxyError("upstream_timeout", sentence));
    });
    try {
      await this.#opened.promise;
    } catch (error) {
      throw beforeAnyMessage(toProxyError(error));
    } finally {
      deadline.cancel();
    }
  }

  async send(text: string, headers?: FieldReader): Promise<void> {
    if (this.#over.signal.aborted || this.#endpoint === undefined) throw unsent();
    // A token may be another one by now, and whoever has come by the session another caller (R72).
    const isCallers = headers !== undefined && this.#options.forwardCredentials;
    const own = isCallers ? ownFields(this.#options, headers) : this.#fields;
    const fields = [...own, "content-type", "application/json", "accept", "*/*"];
    let answer: HttpAnswer;
    try {
      answer = await this.#send("POST", this.#endpoint, fields, encoder.encode(text));
    } catch (thrown) {
      throw this.#ofTheUpstream(toProxyError(thrown));
    }
    this.#drain(answer.body);
    const { status } = answer;
    if (status >= 200 && status < 300) return;
    const progress = { requestSent: true, answerBegun: true };
    if (status === 404) {
      const sentence = "The upstream server does not know this session any more.";
      const failure = new ProxyError("upstream_closed", sentence, { progress });
      this.#end(failure);
      throw failure;
    }
    if (status >= 400) throw refused("a message", answer, this.#options, progress);
    const sentence = "The upstream server answered a message with a redirect.";
    throw new ProxyError("upstream_status", sentence, { progress });
  }

  pause(): void {
    this.#resumed ??= Promise.withResolvers();
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  async close(): Promise<void> {
    this.#end(undefined);
    await this.#reading;
  }

  #send(
    method: string,
    path: string,
    fields: readonly string[],
    body: Uint8Array | null,
  ): Promise<HttpAnswer> {
    return this.#client.send({
      method,
      path,
      fields,
      body,
      signal: this.#over.signal,
      timeouts: this.#options.timeouts,
    });
  }

  /** A POST that was cut because the channel ended is the upstream's failure, not a client's. */
  #ofTheUpstream(error: ProxyError): ProxyError {
    if (error.kind !== "client_closed") return error;
    return new ProxyError("upstream_closed", ENDED, { cause: error, progress: error.progress });
  }

  /** Reads an answer to its end, so that its connection can be used again. */
  #drain(body: UpstreamBody): void {
    if (body.ended) return;
    this.#answers.add(body);
    body.whenOver(() => this.#answers.delete(body));
    body.bytesWithin(MAX_ANSWER_BYTES).then((bytes) => {
      if (bytes === null) body.discard();
    }, () => {
      // What the server says here is of no use to anybody.
    });
  }

  /** Never rejects. */
  async #read(body: UpstreamBody): Promise<void> {
    try {
      for (let pieces = await body.next(); pieces !== null; pieces = await body.next()) {
        for (const piece of pieces) await this.#takeAll(piece);
        // No byte more is asked for while nobody takes what is there.
        while (this.#resumed !== undefined) await this.#resumed.promise;
        if (this.#over.signal.aborted) return;
      }
      this.#end(this.#parser.midEvent || this.#endpoint === undefined ? brokenOff() : undefined);
    } catch (thrown) {
      this.#end(toProxyError(thrown));
    }
  }

  async #takeAll(piece: Uint8Array): Promise<void> {
    let events: readonly SseEvent[];
    let failure: ProxyError | undefined;
    try {
      events = this.#parser.feed(piece);
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      ({ events } = error);
      const sentence = `The upstream server sent an event of more than ${error.maxEventBytes} ` +
        "bytes, which is the limit here.";
      failure = new ProxyError("upstream_protocol", sentence, { cause: error });
    }
    for (const event of events) {
      while (this.#resumed !== undefined) await this.#resumed.promise;
      if (this.#over.signal.aborted) return;
      this.#take(event);
    }
    if (failure !== undefined) throw failure;
  }

  /** @throws {ProxyError} where the event breaks the rules of the transport */
  #take({ event, data }: SseEvent): void {
    // A block without data is no event (WHATWG HTML 9.2.6).
    if (data === undefined) return;
    if (event === "endpoint") {
      if (this.#endpoint !== undefined) throw refusedTwice();
      this.#endpoint = endpointPath(data, this.#base);
      return this.#opened.resolve();
    }
    if (this.#endpoint === undefined) throw notFirst();
    const isMessage = event === undefined || event === "" || event === "message";
    if (isMessage && data.length > 0) this.#events.message(decoder.decode(data));
  }

  #end(failure: ProxyError | undefined): void {
    if (this.#over.signal.aborted) return;
    const wasOpened = this.#endpoint !== undefined;
    this.#over.abort();
    this.resume();
    this.#stream?.discard();
    for (const body of this.#answers) body.discard();
    this.#opened.reject(failure ?? unsent());
    if (wasOpened) this.#events.over(failure);
  }
}
