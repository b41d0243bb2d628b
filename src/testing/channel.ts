/**
 * A server on a channel that a test scripts, and a client of a `ChannelUpstream`.
 *
 * @module
 */

import {
  type Channel,
  type ChannelEvents,
  type ChannelLimits,
  type ChannelUpstream,
  channelUpstream,
  type OpenChannel,
} from "../channel/mod.ts";
import type { ProxyError } from "../errors.ts";
import { type CancelSignal, Fields, NEVER_ABORTED } from "../http/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { settled } from "./relay.ts";
import type { Rpc } from "./share.ts";

/** One channel, seen from the server. */
export class FakeChannel implements Channel {
  /** What the proxy has sent. */
  readonly sent: string[] = [];
  readonly #events: ChannelEvents;
  paused = false;
  closed = false;
  /** What sending fails with. */
  sendFailure: ProxyError | undefined;

  constructor(events: ChannelEvents) {
    this.#events = events;
  }

  /** The messages that the proxy has sent. */
  get messages(): Rpc[] {
    return this.sent.map((text) => JSON.parse(text) as Rpc);
  }

  /** The server says something. */
  say(message: unknown): void {
    this.#events.message(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The server answers the newest request with this method. */
  answer(method: string, result: unknown = {}): void {
    const { id } = this.messages.findLast((message) => message.method === method)!;
    this.say({ jsonrpc: "2.0", id, result });
  }

  /** The channel breaks. */
  breakOff(failure?: ProxyError): void {
    this.#events.over(failure);
  }

  send(text: string): Promise<void> {
    if (this.sendFailure !== undefined) return Promise.reject(this.sendFailure);
    this.sent.push(text);
    return Promise.resolve();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** Small bounds. */
export const CHANNEL_LIMITS: ChannelLimits = {
  maxSessions: 3,
  maxRequests: 4,
  maxStreams: 2,
  maxWaitingMessages: 3,
  maxWaitingCharacters: 1_000,
  firstMessageMs: 10_000,
  startMs: 30_000,
  streamIdleMs: 60_000,
  sessionIdleMs: 100_000,
  sessionEvictIdleMs: 1_000,
  patienceMs: 1_000,
};

/** What a test may set. */
export interface FakeChannelsOptions {
  readonly limits?: Partial<ChannelLimits>;
  readonly shared?: boolean;
  readonly modern?: boolean;
  readonly open?: OpenChannel;
}

/** An upstream on channels that a test scripts. */
export class FakeChannels {
  readonly clock = new ManualClock();
  readonly channels: FakeChannel[] = [];
  readonly upstream: ChannelUpstream;

  constructor({ limits, shared = false, modern = false, open }: FakeChannelsOptions = {}) {
    const opening: OpenChannel = (events) => {
      const channel = new FakeChannel(events);
      this.channels.push(channel);
      return Promise.resolve(channel);
    };
    this.upstream = channelUpstream(open ?? opening, {
      clock: this.clock,
      logger: nullLogger,
      limits: { ...CHANNEL_LIMITS, ...limits },
      shared,
      modern,
    });
  }

  /** A client with a session, and its channel. */
  async join(): Promise<{ client: ChannelClient; channel: FakeChannel }> {
    const client = new ChannelClient(this.upstream);
    const before = this.channels.length;
    const answering = client.exchange({ jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
    await settled();
    const channel = this.channels[before]!;
    channel.answer("initialize", { protocolVersion: "2025-11-25" });
    const answer = await answering;
    client.sessionId = answer.sessionId;
    return { client, channel };
  }
}

/** Whoever calls a `ChannelUpstream`. */
export class ChannelClient {
  readonly #upstream: ChannelUpstream;
  sessionId: string | undefined;

  constructor(upstream: ChannelUpstream) {
    this.#upstream = upstream;
  }

  call(more: Partial<UpstreamCall> = {}): UpstreamCall {
    return {
      headers: new Fields(),
      sessionId: this.sessionId,
      principal: "p",
      query: "",
      signal: NEVER_ABORTED,
      lastEventId: null,
      ...more,
    };
  }

  exchange(message: unknown, signal: CancelSignal = NEVER_ABORTED): Promise<UpstreamAnswer> {
    return this.#upstream.exchange(this.call({ signal }), bytesOf(message));
  }

  /** Asks for `method` with an id. */
  ask(id: number | string, method = "tools/call", params: unknown = {}): Promise<UpstreamAnswer> {
    return this.exchange({ jsonrpc: "2.0", id, method, params });
  }

  notify(message: unknown, signal: CancelSignal = NEVER_ABORTED): Promise<UpstreamAnswer> {
    return this.#upstream.notify(this.call({ signal }), bytesOf(message));
  }

  listen(more: Partial<UpstreamCall> = {}): Promise<UpstreamAnswer> {
    return this.#upstream.listen(this.call(more));
  }

  terminate(): Promise<UpstreamAnswer> {
    return this.#upstream.terminate(this.call());
  }
}

function bytesOf(message: unknown): Uint8Array {
  return new TextEncoder().encode(typeof message === "string" ? message : JSON.stringify(message));
}
