/**
 * Calls of 2026-07-28 to an upstream on channels.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import {
  ChannelClient,
  type FakeChannel,
  FakeChannels,
  type FakeChannelsOptions,
} from "./channel.ts";
import { settled, sourceReader } from "./relay.ts";

export { settled };

/** A call of 2026-07-28. */
export interface Asking {
  readonly answer: Promise<UpstreamAnswer>;
  readonly abort: AbortController;
}

/** An upstream on channels that a test scripts, and whoever calls it without a session. */
export class Modern {
  readonly fake: FakeChannels;

  constructor(options: FakeChannelsOptions = {}) {
    this.fake = new FakeChannels({ modern: true, ...options });
  }

  /** The newest channel. */
  get channel(): FakeChannel {
    return this.fake.channels.at(-1)!;
  }

  /** What the server got, without JSON-RPC's own member. */
  get sent(): unknown[] {
    return this.channel.messages.map(({ jsonrpc: _, ...rest }) => rest);
  }

  async ask(
    id: number | string,
    { method = "tools/call", params = {}, principal = "p" } = {},
  ): Promise<Asking> {
    const abort = new AbortController();
    const text = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const call = this.call({ principal, signal: abort.signal });
    const answer = this.fake.upstream.exchange(call, new TextEncoder().encode(text));
    answer.catch(() => {});
    await settled();
    return { answer, abort };
  }

  async listen(id: number | string, principal = "p"): Promise<Asking> {
    return await this.ask(id, { method: "subscriptions/listen", principal });
  }

  call(more: Partial<UpstreamCall> = {}): UpstreamCall {
    return new ChannelClient(this.fake.upstream).call({ era: "modern", ...more });
  }

  async end(): Promise<void> {
    await this.fake.upstream.close();
    assertEquals(this.fake.clock.timers, 0);
  }
}

/** A JSON answer with its status. */
export async function jsonOf({ answer }: Asking) {
  const { status, kind, body } = await answer;
  assertEquals(kind, "json");
  return { status, ...JSON.parse(new TextDecoder().decode((await body.bytesWithin(10_000))!)) };
}

/** Who reads a streamed answer. */
export async function readerOf({ answer }: Asking) {
  const { status, kind, body } = await answer;
  assertEquals([status, kind], [200, "sse"]);
  const reader = sourceReader(body);
  await reader.readAll();
  return {
    reader,
    body,
    messages: () => reader.events.map(({ data }) => JSON.parse(data!)),
  };
}
