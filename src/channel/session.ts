/**
 * One session on one channel, from before it is open until it is over.
 *
 * @module
 */

import { NOTHING_SENT, ProxyError, stopping, UNANSWERED } from "../errors.ts";
import {
  type Drops,
  emptyAnswer,
  errorAnswer,
  EventBody,
  Flow,
  kindOf,
  nameOf,
  readBody,
  type RpcBody,
  type RpcText,
  Waiting,
} from "../rpc/mod.ts";
import { unlessAborted, type UpstreamAnswer, type UpstreamCall } from "../upstream/mod.ts";
import { Calls } from "./calls.ts";
import { type Channel, type ChannelEvents, closedFor } from "./channel.ts";
import { HeldChannel } from "./held_channel.ts";
import { IdleWatch } from "./idle_watch.ts";
import { Listeners } from "./listeners.ts";
import type { ChannelUpstreamOptions } from "./options.ts";

/** What a session is given. */
export interface SessionOptions extends ChannelUpstreamOptions {
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Told once when its channel is over, for whatever reason. */
  readonly onOver: (session: ChannelSession) => void;
}

/** A session, from before its channel is open. */
export class ChannelSession implements ChannelEvents {
  readonly #options: SessionOptions;
  readonly #channel = new HeldChannel();
  readonly #calls: Calls;
  readonly #listeners: Listeners;
  readonly #flow: Flow;
  readonly #idle: IdleWatch;

  /** A session without a channel. */
  constructor(options: SessionOptions) {
    const { clock, limits, logger, drops } = options;
    this.#options = options;
    const openBody = () => this.#openBody(() => {});
    this.#calls = new Calls({ clock, limits, drops, channel: this.#channel, openBody });
    const waiting = new Waiting(limits, (name) => drops.count(name));
    this.#listeners = new Listeners(this.#calls.requests, waiting);
    this.#flow = new Flow({
      clock,
      patienceMs: limits.patienceMs,
      othersWait: (reader) => this.#listeners.anyBut(reader),
      pause: () => this.#channel.pause(),
      resume: () => this.#channel.resume(),
    });
    // Its client may have gone to another instance.
    this.#idle = new IdleWatch({
      clock,
      idleMs: limits.sessionIdleMs,
      isBusy: () =>
        !this.#channel.isOpen || this.#listeners.streams > 0 ||
        this.#calls.requests.oldest() !== undefined,
      onIdle: () => {
        this.close().catch((error) => logger.error("an idle session did not close", { error }));
      },
    });
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#calls.requests.size;
  }

  /** Messages that wait until somebody can be told. */
  get waiting(): number {
    return this.#listeners.waiting;
  }

  /** How long nobody has used it, in milliseconds; undefined while it opens, or is in use. */
  get idleMs(): number | undefined {
    return this.#idle.idleMs;
  }

  /** Whether the server has answered anything with a result. */
  get isAccepted(): boolean {
    return this.#calls.isAccepted;
  }

  /** The revision that its `initialize` settled, once that is answered. */
  get revision(): string | undefined {
    return this.#calls.revision;
  }

  /** Whether nothing can be sent or come any more. */
  get isOver(): boolean {
    return this.#channel.isOver;
  }

  /** Gives it its channel. */
  use(channel: Channel): void {
    this.#channel.use(channel);
    this.#idle.start();
  }

  /**
   * Sends a body with a request.
   *
   * @param firstMessageMs longest wait for the first that comes of it; that of the limits where it is left out
   * @throws {ProxyError} `upstream_saturated`, or `client_closed` where the signal was aborted
   */
  async exchange(
    call: UpstreamCall,
    body: RpcBody,
    firstMessageMs = this.#options.limits.firstMessageMs,
  ): Promise<UpstreamAnswer> {
    const exchange = this.#calls.begin(call, body, firstMessageMs);
    this.#flow.another();
    if (!this.#options.shared && this.#listeners.streams === 0 && exchange.attended) {
      this.#listeners.tellWaiting(exchange);
    }
    return await this.#idle.during(() => exchange.answer);
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
    await this.#idle.during(() => unlessAborted(this.#channel.send(text, headers), signal));
    this.#calls.settleCancelled(body);
    return emptyAnswer(this.#options.clock, 202);
  }

  /** Opens a stream for what the server says by itself. */
  listen(): UpstreamAnswer {
    const { clock, limits } = this.#options;
    this.#idle.touch();
    if (this.#listeners.streams >= limits.maxStreams) {
      const sentence = "This session listens on as many streams as it may.";
      const refusal = errorAnswer(clock, new ProxyError("method_not_allowed", sentence));
      return { ...refusal, status: 409, failure: null };
    }
    const stream: EventBody = this.#openBody(() => {
      this.#listeners.remove(stream);
      this.#idle.touch();
    });
    this.#listeners.add(stream);
    this.#flow.another();
    this.#listeners.tellWaiting({ tell: (text) => stream.push(text) });
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
    await this.#channel.close();
  }

  /** See `ChannelEvents`. */
  message(text: string): void {
    if (this.isOver) return;
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
    if (!this.#channel.end(error)) return;
    this.#idle.stop();
    this.#calls.fail(theirs);
    this.#listeners.end();
    this.#flow.stop();
    this.#options.onOver(this);
  }

  #openBody(onOver: () => void): EventBody {
    const { clock, limits: { streamIdleMs } } = this.#options;
    return new EventBody({ clock, streamIdleMs, flow: this.#flow }, onOver);
  }

  #receive(message: RpcText): void {
    const kind = kindOf(message);
    if (kind === "request" || kind === "notification") return this.#listeners.tell(message);
    if (kind === "response" && this.#calls.respond(message)) return;
    this.#options.drops.count(nameOf(message));
  }
}
