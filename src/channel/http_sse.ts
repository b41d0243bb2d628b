/**
 * A channel to a server of HTTP+SSE, the transport of revision 2024-11-05: what the server says comes on the
 * stream of one GET, and each message for it is a POST to the address that the stream names first.
 *
 * Source: 2024-11-05 basic/transports, "HTTP with SSE".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type ExchangeProgress, ProxyError, toProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import { EVENT_STREAM, EventParser, EventTooLargeError, isEventStream } from "../sse/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import {
  challengesIn,
  type HttpAnswer,
  type HttpClient,
  type HttpTarget,
  type HttpTimeouts,
  requestFields,
  type UpstreamBody,
  withDashes,
} from "../upstream/mod.ts";
import type { Channel, ChannelEvents, OpenChannel } from "./channel.ts";
import { endpointPath } from "./endpoint.ts";

/** Where the server is and how it is spoken to. */
export interface HttpSseOptions {
  /** Where it listens: the origin that its endpoint must have. */
  readonly target: HttpTarget;
  /** Path of its stream. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** Fields that replace the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client's credentials go upstream. */
  readonly forwardCredentials: boolean;
  /** Told of each challenge: path and query of the server's metadata, where it names some at its own origin. */
  readonly onChallenge?: ((metadata: string | undefined) => void) | undefined;
  /** Fields, in lower case, that hold credentials for the proxy itself and never go upstream (R93). */
  readonly withheld: readonly string[];
  /** Deadlines of each request; `streamIdleMs` is the longest silence of the stream. */
  readonly timeouts: HttpTimeouts;
  /** From the head of the stream to its `endpoint` event, in milliseconds. */
  readonly endpointTimeoutMs: number;
  /** The largest event, in bytes. */
  readonly maxEventBytes: number;
  /** Time. */
  readonly clock: Clock;
}

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

/** The address of the stream, against which the endpoint is resolved. */
function baseOf({ target, path, query }: HttpSseOptions): URL {
  const scheme = target.kind === "tcp" && target.tls !== undefined ? "https" : "http";
  return new URL(`${scheme}://${target.host}${path}${query}`);
}

function ownFields(options: HttpSseOptions, headers: FieldReader): string[] {
  const configured = Object.entries(options.headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const);
  const withheld = withDashes([...options.withheld, ...configured.map(([name]) => name)]);
  const chosen = requestFields(headers, options.forwardCredentials, withheld);
  const fields: string[] = [];
  for (let at = 0; at < chosen.length; at += 2) {
    const name = chosen[at]!;
    if (!isOfOneRequest(name)) fields.push(name, chosen[at + 1]!);
  }
  return [...fields, "accept-encoding", "identity", ...configured.flat()];
}

/**
 * Whether a field says something of the one request that the channel is opened for, or is one of Streamable
 * HTTP, which a server of 2024-11-05 does not know.
 */
function isOfOneRequest(name: string): boolean {
  return name === "accept" || name === "last-event-id" || name === "idempotency-key" ||
    name.startsWith("content-") || name.startsWith("mcp-");
}

/** @throws {ProxyError} where an answer to GET is no stream (R63, R70) */
function checkStream(answer: HttpAnswer, options: HttpSseOptions): void {
  const { status, fields, body } = answer;
  if (status === 200 && isEventStream(fields.get("content-type"))) return;
  body.discard();
  if (status >= 400) {
    throw refused("its event stream", answer, options, isLater(status) ? UNSENT : undefined);
  }
  const sentence = status >= 300
    ? "The upstream server answered with a redirect."
    : "The upstream server did not answer with a stream.";
  throw new ProxyError("upstream_protocol", sentence, { progress: UNSENT });
}

/**
 * A refusal as a client is told of it. Those that say to come again later pass with their status and
 * `Retry-After`, as over Streamable HTTP (R64), and those of credentials that were the client's with theirs and
 * what is wanted; another one could be misread there, of the session for instance.
 */
function refused(
  what: string,
  { status, fields }: HttpAnswer,
  options: HttpSseOptions,
  progress?: ExchangeProgress,
): ProxyError {
  const retryAfter = fields.get("retry-after");
  const isOfCredentials = options.forwardCredentials && (status === 401 || status === 403);
  const passes = isLater(status) || isOfCredentials;
  const sentence = `The upstream server refused ${what} with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence, {
    progress,
    upstreamStatus: passes ? status : undefined,
    headers: {
      ...(passes && retryAfter !== null && { "retry-after": retryAfter }),
      ...(isOfCredentials && challengeOf(fields, options)),
    },
  });
}

/** What a refusal says is wanted, as far as a client may know. */
function challengeOf(
  fields: FieldReader,
  { target, onChallenge }: HttpSseOptions,
): Readonly<Record<string, string>> {
  const { values, metadata } = challengesIn(fields, target);
  onChallenge?.(metadata);
  return values.length === 0 ? {} : { "www-authenticate": values.join(", ") };
}

/** Whether a status says something of the server now, and nothing of the request. */
function isLater(status: number): boolean {
  return status === 429 || status >= 500;
}

/** What is told where there is no endpoint yet: no message of a client has gone out. */
const UNSENT: ExchangeProgress = { requestSent: false, answerBegun: false };

function beforeAnyMessage({ kind, message, cause, headers }: ProxyError): ProxyError {
  return new ProxyError(kind, message, { cause, headers, progress: UNSENT });
}

const ENDED = "The channel to the upstream server has ended.";

function unsent(): ProxyError {
  return new ProxyError("upstream_closed", ENDED, { progress: UNSENT });
}

function brokenOff(): ProxyError {
  return new ProxyError("upstream_closed", "The upstream server broke its event stream off.");
}

function notFirst(): ProxyError {
  const sentence = "The upstream server sent an event ahead of its endpoint event.";
  return new ProxyError("upstream_protocol", sentence);
}

function refusedTwice(): ProxyError {
  const sentence = "The upstream server sent a second endpoint event.";
  return new ProxyError("upstream_protocol", sentence);
}
