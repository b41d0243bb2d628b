/**
 * One session on one channel: what goes up, and to whom goes what comes down.
 *
 * Source: 2025-11-25 basic/lifecycle, basic/utilities/cancellation and progress; what comes on which stream,
 * basic/transports, "Sending Messages to the Server" and "Listening for Messages from the Server".
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import {
  errorBody,
  NOTHING_SENT,
  ProxyError,
  stopping,
  toProxyError,
  UNANSWERED,
} from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import {
  at,
  type Drops,
  emptyAnswer,
  errorAnswer,
  EventBody,
  Exchange,
  Flow,
  joined,
  type Key,
  keyOf,
  kindOf,
  readBody,
  type RpcBody,
  type RpcText,
  textAt,
  Waiting,
} from "../rpc/mod.ts";
import { unlessAborted, type UpstreamAnswer, type UpstreamCall } from "../upstream/mod.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import type { ChannelUpstreamOptions } from "./options.ts";
import { Requests } from "./requests.ts";

const CANCELLED = "notifications/cancelled";
const PROGRESS = "notifications/progress";
const TOKEN_PATH = ["params", "progressToken"];

/** What a session is given. */
export interface SessionOptions extends ChannelUpstreamOptions {
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Told once when its channel is over, for whatever reason. */
  readonly onOver: (session: ChannelSession) => void;
}

/** A body of a client, sorted. */
interface Outgoing {
  /** What goes to the server; undefined for nothing. */
  readonly text: string | undefined;
  /** Its requests by the keys of their ids. */
  readonly asked: ReadonlyMap<Key, RpcText>;
  /** Errors for those that do not go. */
  readonly refused: readonly string[];
}

/** A session, from before its channel is open. */
export class ChannelSession implements ChannelEvents {
  readonly #options: SessionOptions;
  readonly #requests = new Requests();
  readonly #streams: EventBody[] = [];
  readonly #waiting: Waiting;
  readonly #flow: Flow;
  #channel: Channel | undefined;
  #failure: ProxyError | undefined;
  #idle: Timer | undefined;
  #lastUsedMs = 0;
  #callsUnderWay = 0;
  #paused = false;
  #accepted = false;
  #revision: string | undefined;

  /** A session without a channel. */
  constructor(options: SessionOptions) {
    const { clock, limits, drops } = options;
    this.#options = options;
    this.#waiting = new Waiting(limits, (name) => drops.count(name));
    this.#flow = new Flow({
      clock,
      patienceMs: limits.patienceMs,
      othersWait: (reader) =>
        this.#streams.some((stream) => stream !== reader) ||
        this.#requests.exchanges().values().some((one) => one.attended && !one.reads(reader)),
      pause: () => this.#pause(true),
      resume: () => this.#pause(false),
    });
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#requests.size;
  }

  /** Messages that wait until somebody can be told. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How long nobody has used it, in milliseconds; undefined while it opens, or is in use. */
  get idleMs(): number | undefined {
    const isBusy = this.#channel === undefined || this.#streams.length > 0 ||
      this.#callsUnderWay > 0 || this.#requests.oldest() !== undefined;
    return isBusy ? undefined : this.#options.clock.monotonicMs() - this.#lastUsedMs;
  }

  /** Whether the server has answered anything with a result. */
  get isAccepted(): boolean {
    return this.#accepted;
  }

  /** The revision that its `initialize` settled, once that is answered. */
  get revision(): string | undefined {
    return this.#revision;
  }

  /** Whether nothing can be sent or come any more. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /** Gives it its channel. */
  use(channel: Channel): void {
    this.#channel = channel;
    if (this.#paused) channel.pause();
    this.#touch();
    this.#watchIdle();
  }

  /**
   * Sends a body with a request.
   *
   * @param firstMessageMs longest wait for the first that comes of it; that of the limits where it is left out
   * @throws {ProxyError} `upstream_saturated`, or `client_closed` where the signal was aborted
   */
  async exchange(
    { signal, headers, onFailed }: UpstreamCall,
    body: RpcBody,
    firstMessageMs = this.#options.limits.firstMessageMs,
  ): Promise<UpstreamAnswer> {
    const outgoing = this.#sort(body);
    this.#makeRoom(outgoing.asked.size);
    const { clock, shared } = this.#options;
    const exchange: Exchange = new Exchange({
      clock,
      batch: body.batch,
      asked: new Map(
        outgoing.asked.entries().map(([key, message]) => [key, textAt(message, ["id"])!]),
      ),
      ready: outgoing.refused,
      firstMessageMs,
      signal,
      openBody: () => this.#openBody(() => {}),
      onTimeout: () => this.#timedOut(exchange),
      onFailed,
    });
    for (const [key, message] of outgoing.asked) this.#requests.add(key, message, exchange);
    if (outgoing.text !== undefined) this.#send(outgoing.text, headers, body, exchange);
    this.#flow.another();
    if (!shared && this.#streams.length === 0 && exchange.attended) this.#tellWaiting(exchange);
    return await this.#during(() => exchange.answer);
  }

  /**
   * Sends a body without a request; resolves when the channel has taken it.
   *
   * @throws {ProxyError}
   */
  async notify(
    { signal, headers }: UpstreamCall,
    text: string,
    body: RpcBody,
  ): Promise<UpstreamAnswer> {
    await this.#during(() => unlessAborted(this.#opened.send(text, headers), signal));
    this.#settleCancelled(body);
    return emptyAnswer(this.#options.clock, 202);
  }

  /** Opens a stream for what the server says by itself. */
  listen(): UpstreamAnswer {
    const { clock, limits } = this.#options;
    this.#touch();
    if (this.#streams.length >= limits.maxStreams) {
      const sentence = "This session listens on as many streams as it may.";
      const refusal = errorAnswer(clock, new ProxyError("method_not_allowed", sentence));
      return { ...refusal, status: 409, failure: null };
    }
    const stream: EventBody = this.#openBody(() => {
      this.#streams.splice(this.#streams.indexOf(stream), 1);
      this.#touch();
    });
    this.#streams.push(stream);
    this.#flow.another();
    this.#tellWaiting({ tell: (text) => stream.push(text) });
    return { ...stream.answer, failure: null };
  }

  /** It is over because the proxy stops, or uses the server no more; `close` is still to end it. */
  stop(): void {
    this.#end(stopping(NOTHING_SENT), stopping(UNANSWERED));
  }

  /** Ends it by the book of its transport. */
  async close(): Promise<void> {
    const sentence = "The session with the upstream server was ended.";
    const ended = new ProxyError("upstream_closed", sentence);
    this.#end(ended, ended);
    await this.#channel?.close();
  }

  /** See `ChannelEvents`. */
  message(text: string): void {
    if (this.#failure !== undefined) return;
    const body = readBody(text);
    if (body === undefined) {
      this.#options.drops.count("(no JSON-RPC)");
      this.#options.logger.warn("an upstream server sent what is no JSON-RPC", {
        characters: text.length,
      });
    }
    for (const message of body?.messages ?? []) this.#receive(message);
  }

  /** See `ChannelEvents`. */
  over(failure: ProxyError | undefined): void {
    const error = failure ?? new ProxyError("upstream_closed", "The upstream server has ended.");
    this.#end(error, closedFor(error));
  }

  /** It is over because of `error`; whose requests are in flight is told `theirs`. */
  #end(error: ProxyError, theirs: ProxyError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#idle?.cancel();
    for (const exchange of this.#requests.exchanges()) {
      this.#requests.takeOf(exchange);
      exchange.fail(theirs);
    }
    // What comes next says 404 of the session; until then nothing is wrong with the stream.
    for (const stream of [...this.#streams]) stream.end();
    for (const text of this.#waiting.take()) this.#drop(readBody(text)?.messages[0]);
    this.#flow.stop();
    this.#options.onOver(this);
  }

  get #opened(): Channel {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#channel!;
  }

  #openBody(onOver: () => void): EventBody {
    const { clock, limits: { streamIdleMs } } = this.#options;
    return new EventBody({ clock, streamIdleMs, flow: this.#flow }, onOver);
  }

  #pause(paused: boolean): void {
    this.#paused = paused;
    if (this.#failure !== undefined) return;
    if (paused) this.#channel?.pause();
    else this.#channel?.resume();
  }

  /** What of a body goes up: not a request whose id is in flight, since one response could be for either. */
  #sort({ batch, messages }: RpcBody): Outgoing {
    const asked = new Map<Key, RpcText>();
    const going: string[] = [];
    const refused: string[] = [];
    for (const message of messages) {
      if (kindOf(message) === "request") {
        const idText = textAt(message, ["id"])!;
        const key = keyOf(idText);
        if (key === undefined || asked.has(key) || this.#requests.has(key)) {
          refused.push(errorBody(idInUse(idText)));
          continue;
        }
        asked.set(key, message);
      }
      going.push(message.text);
    }
    return { text: going.length === 0 ? undefined : joined(going, batch), asked, refused };
  }

  #makeRoom(count: number): void {
    const { maxRequests } = this.#options.limits;
    while (this.#requests.size + count > maxRequests) {
      if (this.#requests.forgetUnattended()) continue;
      const sentence =
        `This session has ${maxRequests} requests in flight, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence);
    }
  }

  /** Does not wait for the channel: the server may answer while it still reads. */
  async #send(
    text: string,
    headers: FieldReader,
    body: RpcBody,
    exchange: Exchange,
  ): Promise<void> {
    try {
      await this.#opened.send(text, headers);
      this.#settleCancelled(body);
    } catch (error) {
      this.#requests.takeOf(exchange);
      exchange.fail(toProxyError(error));
    }
  }

  /** The server answers no request that its client has cancelled; whoever waits is told here. */
  #settleCancelled({ messages }: RpcBody): void {
    for (const message of messages) {
      if (message.value.method !== CANCELLED) continue;
      const idText = textAt(message, ["params", "requestId"]);
      const key = keyOf(idText);
      const error = new ProxyError("client_closed", "The request was cancelled.", { idText });
      this.#requests.take(key)?.respond(key!, errorBody(error));
    }
  }

  /** Nobody waits any longer for what has not begun to be answered (2025-11-25 basic/lifecycle, "Timeouts"). */
  #timedOut(exchange: Exchange): void {
    const keys = this.#requests.takeOf(exchange);
    const idTexts = keys.map((key) => exchange.idText(key));
    const sentence = "The upstream server took too long to answer.";
    exchange.fail(new ProxyError("upstream_timeout", sentence));
    // Until a result has come that of `initialize` is waited for, which must not be cancelled (2025-11-25
    // basic/utilities/cancellation, "Behavior Requirements"); its channel is closed.
    if (!this.#accepted) return;
    for (const idText of idTexts) {
      const params = `{"requestId":${idText},"reason":"${sentence}"}`;
      const told = this.#failure === undefined &&
        this.#channel?.send(`{"jsonrpc":"2.0","method":"${CANCELLED}","params":${params}}`);
      if (told) told.catch(() => this.#options.drops.count(CANCELLED));
    }
  }

  #receive(message: RpcText): void {
    const kind = kindOf(message);
    if (kind === "response") return this.#respond(message);
    if (kind === undefined) return this.#drop(message);
    const taker = this.#takerOf(message, kind === "request");
    if (taker !== undefined) taker.tell(message.text);
    else this.#waiting.add(message.text, nameOf(message));
  }

  #respond(message: RpcText): void {
    if (Object.hasOwn(message.value, "result")) this.#accept(message);
    const idText = textAt(message, ["id"]);
    const key = keyOf(idText);
    const exchange = this.#requests.take(key);
    if (exchange !== undefined) return exchange.respond(key!, message.text);
    const isNameless = idText === undefined || idText === "null";
    const only = this.#requests.size === 1 ? this.#requests.only() : undefined;
    if (!isNameless || only === undefined || !Object.hasOwn(message.value, "error")) {
      return this.#drop(message);
    }
    // An error without an id, as of a server that could not read it, can be about no other request.
    const [its] = this.#requests.takeOf(only);
    const error = textAt(message, ["error"])!;
    const id = only.idText(its!);
    only.respond(its!, `{"jsonrpc":"2.0","id":${id},"error":${error}}`);
  }

  /** The first result is that of `initialize`. */
  #accept({ value }: RpcText): void {
    const revision = this.#accepted ? undefined : at(value, "result", "protocolVersion");
    if (typeof revision === "string") this.#revision = revision;
    this.#accepted = true;
  }

  /**
   * Who is told what the server says by itself; undefined where it has to wait.
   *
   * Progress is for the request of its token. A request of the server should relate to one of the client's
   * (2025-11-25 basic/transports, "Sending Messages to the Server", 6), so it goes to the only one in flight.
   * Where several are in flight nothing tells which of them caused it: it goes to the newest GET stream, whose
   * client is that of them all, and without one to the newest in flight, since who waits for an older one may
   * have gone. Notifications go to the newest GET stream, and without one to the oldest in flight. A stream that
   * is only kept for a client that may come back (R57) takes what no other can be told.
   */
  #takerOf(message: RpcText, isRequest: boolean): Pick<Exchange, "tell"> | undefined {
    if (message.value.method === PROGRESS) {
      const exchange = this.#requests.byToken(keyOf(textAt(message, TOKEN_PATH)));
      if (exchange?.attended) return exchange;
    }
    return this.#takerAmong(isRequest, ({ isRead }) => isRead) ??
      this.#takerAmong(isRequest, () => true);
  }

  /** The same of the streams that are `wanted`. */
  #takerAmong(
    isRequest: boolean,
    wanted: (one: Pick<Exchange, "isRead">) => boolean,
  ): Pick<Exchange, "tell"> | undefined {
    const requests = this.#requests;
    const caller = isRequest ? requests.only() : undefined;
    if (caller !== undefined && wanted(caller)) return caller;
    const stream = this.#streams.findLast(wanted);
    if (stream !== undefined) return { tell: (text) => stream.push(text) };
    const isTaker = (one: Exchange) => one.attended && wanted(one);
    return isRequest ? requests.newest(isTaker) : requests.oldest(isTaker);
  }

  #tellWaiting(taker: Pick<Exchange, "tell">): void {
    for (const text of this.#waiting.take()) taker.tell(text);
  }

  #drop(message: RpcText | undefined): void {
    if (message !== undefined) this.#options.drops.count(nameOf(message));
  }

  async #during<T>(work: () => Promise<T>): Promise<T> {
    this.#callsUnderWay++;
    try {
      return await work();
    } finally {
      this.#callsUnderWay--;
      this.#touch();
    }
  }

  #touch(): void {
    this.#lastUsedMs = this.#options.clock.monotonicMs();
  }

  /** Closes it when nobody has used it for long: its client may have gone to another instance. */
  #watchIdle(): void {
    if (this.#failure !== undefined) return;
    const { clock, limits: { sessionIdleMs }, logger } = this.#options;
    this.#idle = clock.after(sessionIdleMs, () => {
      if ((this.idleMs ?? 0) < sessionIdleMs) return this.#watchIdle();
      this.close().catch((error) => logger.error("an idle session did not close", { error }));
    });
  }
}

function nameOf(message: RpcText): string {
  const { method } = message.value;
  if (typeof method === "string") return method;
  return kindOf(message) === "response" ? "(response)" : "(no JSON-RPC)";
}

function idInUse(idText: string): ProxyError {
  const sentence =
    "A request with this id is in flight in this session; ids must not be used again.";
  return new ProxyError("invalid_request", sentence, { idText });
}

/** What those are told whose requests the server had: they may have run. */
function closedFor(failure: ProxyError): ProxyError {
  return new ProxyError("upstream_closed", failure.message, {
    cause: failure,
    progress: UNANSWERED,
  });
}
