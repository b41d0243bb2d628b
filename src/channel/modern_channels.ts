/**
 * Channels to servers of 2026-07-28: one for each principal, opened when it is first needed and closed when
 * nobody has used it for long.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type Drops, emptyAnswer, type RpcBody, type RpcText, textAt } from "../rpc/mod.ts";
import { unlessAborted, type UpstreamAnswer, type UpstreamCall } from "../upstream/mod.ts";
import type { OpenChannel } from "./channel.ts";
import { ModernChannel } from "./modern_channel.ts";
import type { ChannelUpstreamOptions } from "./options.ts";

/** When a refusal for want of room may be worth another try, in seconds. */
export const LATER = { headers: { "retry-after": "10" } };

/** What they work with. */
export interface ModernChannelsOptions extends ChannelUpstreamOptions {
  /** Opens a channel. */
  readonly open: OpenChannel;
  /** What could not be delivered. */
  readonly drops: Drops;
  /**
   * Makes room for one more channel; what has to be waited for then, if anything, and false where there is no
   * room.
   */
  readonly makeRoom: () => Promise<void> | boolean;
  /** Follows work until it is over, so that nothing is left behind. */
  readonly follow: <T>(work: Promise<T>) => Promise<T>;
}

/** A channel and when it can be used. */
interface Place {
  readonly channel: ModernChannel;
  /** Resolves when it is open. */
  readonly opened: Promise<void>;
}

/** The channels of all principals. */
export class ModernChannels {
  readonly #options: ModernChannelsOptions;
  readonly #places = new Map<string, Place>();
  #sweep: Timer | undefined;

  /** None yet. */
  constructor(options: ModernChannelsOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#places.size;
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#places.values().reduce((sum, { channel }) => sum + channel.inFlight, 0);
  }

  /** Sends a request to the server of its principal. @throws {ProxyError} */
  async exchange(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    const request = onlyOf(body);
    const idText = textAt(request, ["id"]);
    try {
      const channel = await this.#ready(call);
      return await channel.exchange(request, call);
    } catch (error) {
      throw error instanceof ProxyError ? error.withId(idText) : error;
    }
  }

  /** Sends a notification to the server of its principal. @throws {ProxyError} */
  async notify(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    await (await this.#ready(call)).notify(onlyOf(body));
    return emptyAnswer(this.#options.clock, 202);
  }

  /** Closes all of them, in the background. */
  close(): void {
    this.#sweep?.cancel();
    for (const { channel } of [...this.#places.values()]) {
      channel.stop();
      this.end(channel);
    }
  }

  /** All of them. */
  get channels(): Iterable<ModernChannel> {
    return this.#places.values().map(({ channel }) => channel);
  }

  /** Ends one; resolves when nothing of it is left. Never rejects. */
  end(channel: ModernChannel): Promise<void> {
    const { follow, logger } = this.#options;
    return follow(channel.close()).catch((error) => {
      logger.error("a channel to an upstream server did not close", { error });
    });
  }

  async #ready({ principal, headers, signal }: UpstreamCall): Promise<ModernChannel> {
    const place = () => this.#places.get(principal) ?? this.#begin(principal, headers);
    let found = place();
    await unlessAborted(found.opened, signal);
    if (found.channel.isOver) {
      // It ended before anything of this call was sent.
      found = place();
      await unlessAborted(found.opened, signal);
    }
    return found.channel;
  }

  #begin(principal: string, headers: UpstreamCall["headers"]): Place {
    const { follow, makeRoom, limits } = this.#options;
    const room = makeRoom();
    if (room === false) {
      const sentence =
        `The upstream server runs for ${limits.maxSessions} callers, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence, LATER);
    }
    const forget = (gone: ModernChannel) => {
      if (this.#places.get(principal)?.channel === gone) this.#places.delete(principal);
    };
    const channel = new ModernChannel({
      ...this.#options,
      onOver: forget,
      onUseless: (useless) => void this.end(useless),
    });
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    // Whoever waits hears of it; who has left meanwhile need not.
    opened.catch(() => {});
    // From before it is open: it counts, and `close` finds it.
    const place = { channel, opened };
    this.#places.set(principal, place);
    follow(this.#open(channel, headers, room)).then(resolve, (error) => {
      forget(channel);
      reject(error);
    });
    this.#watchIdle();
    return place;
  }

  /** Opens a channel, when `room` says that there is room for it. */
  async #open(
    channel: ModernChannel,
    headers: UpstreamCall["headers"],
    room: Promise<void> | boolean,
  ): Promise<void> {
    await room;
    channel.use(await this.#options.open(channel, headers));
    // It was closed meanwhile, and could not close what was not there yet.
    if (channel.isOver) await channel.close();
  }

  /** One timer looks at all of them. */
  #watchIdle(): void {
    const { clock, limits: { sessionIdleMs } } = this.#options;
    this.#sweep ??= clock.after(sessionIdleMs, () => {
      this.#sweep = undefined;
      for (const { channel } of [...this.#places.values()]) {
        if ((channel.idleMs ?? 0) >= sessionIdleMs) this.end(channel);
      }
      if (this.#places.size > 0) this.#watchIdle();
    });
  }
}

/** @throws {ProxyError} `invalid_request`: this revision has no batches */
function onlyOf({ batch, messages }: RpcBody): RpcText {
  if (!batch) return messages[0]!;
  const sentence = "Batches exist in revision 2025-03-26 alone; send one message in each POST.";
  throw new ProxyError("invalid_request", sentence);
}
