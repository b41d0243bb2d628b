/**
 * One channel to a server of 2026-07-28: no session, many requests of one principal at once.
 *
 * Source: 2026-07-28 basic/transports/stdio, basic/patterns/cancellation and subscriptions; the statuses of
 * errors, streamable-http, "Request Metadata" and "Server Validation".
 *
 * @module
 */

import { NOTHING_SENT, ProxyError, stopping, toProxyError, UNANSWERED } from "../errors.ts";
import {
  at,
  type Drops,
  EventBody,
  Exchange,
  Flow,
  keyOf,
  kindOf,
  readBody,
  type RpcText,
} from "../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { cancellation, CANCELLED } from "./cancellation.ts";
import { type Channel, type ChannelEvents, closedFor } from "./channel.ts";
import { HeldChannel } from "./held_channel.ts";
import { asClientKnows, type ModernAsked, ModernRequests } from "./modern_requests.ts";
import type { ChannelUpstreamOptions } from "./options.ts";

/** The HTTP status of errors that have one in Streamable HTTP; all others are answers like any. */
const STATUS: ReadonlyMap<unknown, number> = new Map([
  [-32601, 404],
  [-32020, 400],
  [-32021, 400],
  [-32022, 400],
]);

/** Errors that no server of an earlier revision knows. */
const MODERN_ERRORS: ReadonlySet<unknown> = new Set([-32020, -32021, -32022]);

/** What such a channel is given. */
export interface ModernChannelOptions extends ChannelUpstreamOptions {
  /** What could not be delivered, on any channel. */
  readonly drops: Drops;
  /** Told once when it is over, for whatever reason. */
  readonly onOver: (channel: ModernChannel) => void;
  /** Told when it has nothing to do and the server has not shown that it knows this revision. */
  readonly onUseless: (channel: ModernChannel) => void;
}

/** A channel, from before it is open. */
export class ModernChannel implements ChannelEvents {
  readonly #options: ModernChannelOptions;
  readonly #channel = new HeldChannel();
  readonly #requests = new ModernRequests();
  readonly #flow: Flow;
  #lastUsedMs = 0;
  #isModern = false;
  /** Whether anything has come of it: until then it may be starting. */
  #hasSpoken = false;

  /** A channel that is being opened. */
  constructor(options: ModernChannelOptions) {
    const { clock, limits } = options;
    this.#options = options;
    this.#lastUsedMs = clock.monotonicMs();
    this.#flow = new Flow({
      clock,
      patienceMs: limits.patienceMs,
      othersWait: (reader) =>
        this.#requests.all().some(({ exchange }) => exchange?.attended && !exchange.reads(reader)),
      pause: () => this.#channel.pause(),
      resume: () => this.#channel.resume(),
    });
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#requests.size;
  }

  /** Whether nothing can be sent or come any more. */
  get isOver(): boolean {
    return this.#channel.isOver;
  }

  /** For how long nothing was asked of it, in milliseconds; undefined while it opens, or anything is. */
  get idleMs(): number | undefined {
    const isBusy = !this.#channel.isOpen || this.inFlight > 0;
    return isBusy ? undefined : this.#options.clock.monotonicMs() - this.#lastUsedMs;
  }

  /** Gives it its channel. */
  use(channel: Channel): void {
    this.#channel.use(channel);
    this.#lastUsedMs = this.#options.clock.monotonicMs();
  }

  /**
   * Sends a request.
   *
   * @throws {ProxyError} `upstream_saturated`, or `client_closed` where the signal is aborted
   */
  async exchange(
    request: RpcText,
    { signal, onFailed }: Pick<UpstreamCall, "signal" | "onFailed">,
  ): Promise<UpstreamAnswer> {
    const { clock, limits } = this.#options;
    this.#channel.requireGoingOn();
    if (this.#requests.size >= limits.maxRequests) {
      const sentence =
        `The upstream server has ${limits.maxRequests} requests in flight, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence);
    }
    const asked = this.#requests.add(request);
    const exchange = new Exchange({
      clock,
      batch: false,
      asked: new Map([[keyOf(asked.idText)!, asked.clientIdText]]),
      ready: [],
      // A request may have to wait for its server to start, and takes its own time beside.
      firstMessageMs: this.#hasSpoken
        ? limits.firstMessageMs
        : Math.max(limits.firstMessageMs, limits.startMs),
      signal,
      openBody: () => this.#openBody(asked),
      onTimeout: () => this.#timedOut(asked),
      onFailed,
    });
    asked.exchange = exchange;
    const giveUp = () => this.#cancel(asked, "The client has gone.");
    signal.addEventListener("abort", giveUp, { once: true });
    // What was not sent cannot be cancelled.
    if (signal.aborted) this.#forget(asked);
    else this.#send(asked);
    this.#flow.another();
    const answer = await exchange.answer;
    const status = asked.status ?? answer.status;
    // A stream is cancelled by its end, wherever that is seen first.
    if (answer.kind === "json") signal.removeEventListener("abort", giveUp);
    return { ...answer, status };
  }

  /** Sends a notification; resolves when the channel has taken it. @throws {ProxyError} */
  async notify({ text, value: { method } }: RpcText): Promise<void> {
    this.#channel.requireGoingOn();
    // Its id would be the client's; and over HTTP it is the end of a stream that cancels.
    if (method === CANCELLED) return;
    this.#lastUsedMs = this.#options.clock.monotonicMs();
    await this.#channel.send(text);
  }

  /** It is over because the proxy stops, or uses the server no more; `close` is still to end it. */
  stop(): void {
    this.#end(stopping(NOTHING_SENT), stopping(UNANSWERED));
  }

  /** Ends it by the book of its transport. */
  async close(): Promise<void> {
    this.over(new ProxyError("upstream_closed", "The upstream server was ended."));
    await this.#channel.close();
  }

  /** See `ChannelEvents`. */
  message(text: string): void {
    if (this.isOver) return;
    this.#hasSpoken = true;
    for (const message of readBody(text)?.messages ?? []) this.#receive(message);
  }

  /** See `ChannelEvents`. */
  over(failure: ProxyError | undefined): void {
    const error = failure ?? new ProxyError("upstream_closed", "The upstream server has ended.");
    this.#end(error, closedFor(error));
  }

  /** It is over because of `error`; whose requests are in flight is told `theirs`. */
  #end(error: ProxyError, theirs: ProxyError): void {
    if (!this.#channel.end(error)) return;
    for (const asked of this.#requests.all()) this.#fail(asked, theirs);
    this.#flow.stop();
    this.#options.onOver(this);
  }

  #openBody(asked: ModernAsked): EventBody {
    const { clock, limits } = this.#options;
    const body = new EventBody({
      clock,
      // What a subscription waits for may never happen.
      streamIdleMs: asked.isSubscription ? Infinity : limits.streamIdleMs,
      flow: this.#flow,
    }, () => this.#cancel(asked, "The client has gone."));
    asked.body = body;
    return body;
  }

  /** Does not wait for the channel: the server may answer while it still reads. */
  async #send(asked: ModernAsked): Promise<void> {
    try {
      await this.#channel.send(asked.text);
    } catch (error) {
      this.#fail(asked, toProxyError(error));
    }
  }

  /** Tells the server that nobody waits for a response any more; nothing where it has come. */
  #cancel(asked: ModernAsked, reason: string): void {
    if (!this.#forget(asked)) return;
    const lost = () => this.#options.drops.count(CANCELLED);
    this.#channel.tell(cancellation(asked.idText, reason), lost);
    // Silence is how some servers of earlier revisions answer this one.
    if (asked.isProbe) this.#endIfUseless();
  }

  #timedOut(asked: ModernAsked): void {
    const sentence = "The upstream server took too long to answer.";
    this.#cancel(asked, sentence);
    asked.exchange!.fail(new ProxyError("upstream_timeout", sentence));
    this.#endIfUseless();
  }

  #forget(asked: ModernAsked): boolean {
    if (!this.#requests.take(asked)) return false;
    this.#lastUsedMs = this.#options.clock.monotonicMs();
    return true;
  }

  /** A server that has answered, or was silent, like one of an earlier revision is not kept running. */
  #endIfUseless(): void {
    if (this.inFlight === 0 && !this.#isModern && !this.isOver) this.#options.onUseless(this);
  }

  /** An error in place of the response; a subscription that is open just ends, and may be asked for again. */
  #fail(asked: ModernAsked, error: ProxyError): void {
    if (!this.#forget(asked)) return;
    if (asked.isSubscription && asked.body !== undefined) asked.body.end();
    else asked.exchange!.fail(error);
  }

  #receive(message: RpcText): void {
    const kind = kindOf(message);
    if (kind === "response") return this.#respond(message);
    if (message.value.method === CANCELLED) return this.#endedByServer(message);
    const asked = kind === "notification" ? this.#requests.concerned(message) : undefined;
    if (asked === undefined) return this.#drop(message);
    asked.exchange!.tell(asClientKnows(message, asked));
  }

  #respond(message: RpcText): void {
    const asked = this.#requests.answered(message);
    if (asked === undefined) return this.#drop(message);
    const code = at(message.value, "error", "code");
    if (Object.hasOwn(message.value, "result") || MODERN_ERRORS.has(code)) this.#isModern = true;
    asked.status = STATUS.get(code);
    this.#forget(asked);
    asked.exchange!.respond(keyOf(asked.idText)!, asClientKnows(message, asked));
    this.#endIfUseless();
  }

  /** The server ends a subscription (2026-07-28 basic/patterns/cancellation). */
  #endedByServer(message: RpcText): void {
    const asked = this.#requests.cancelled(message);
    if (asked === undefined) return this.#drop(message);
    this.#fail(asked, new ProxyError("upstream_closed", "The upstream server ended the request."));
  }

  #drop({ value: { method } }: RpcText): void {
    this.#options.drops.count(typeof method === "string" ? method : "(response)");
  }
}
