/**
 * What the server says by itself, for one session: its subscription at the server, and the GET streams on which the
 * client is told.
 *
 * Source: 2025-11-25 basic/transports, "Listening for Messages from the Server".
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { type Drops, errorAnswer, type RpcText, Waiting } from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { Offers } from "./capabilities.ts";
import { GetStreams } from "./get_streams.ts";
import { inTime } from "./in_time.ts";
import { Listening } from "./listening.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import type { SessionClient } from "./session_client.ts";
import type { Filter } from "./subscription.ts";
import type { Tools } from "./tools.ts";

/** What it works with. */
export interface AnnouncementsOptions {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The server. */
  readonly server: ModernServer;
  /** What is known of its tools. */
  readonly tools: Tools;
  /** What could not be delivered. */
  readonly drops: Drops;
  /** Who is told. */
  readonly client: SessionClient;
  /** What the server offers. */
  readonly offers: Offers;
  /** Told when a stream is over. */
  readonly onStreamOver: () => void;
}

/** What is said in one session. */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  readonly #streams: GetStreams;
  /** The subscription at the server. */
  readonly subscription: Listening;

  /** Nobody listens yet. */
  constructor(options: AnnouncementsOptions) {
    const { settings, server, drops, client } = options;
    const { clock, limits } = settings;
    this.#options = options;
    this.#streams = new GetStreams(clock, new Waiting(limits, (name) => drops.count(name)));
    this.subscription = new Listening({
      ...settings,
      server,
      drop: (name) => drops.count(name),
      overlapMs: limits.overlapMs,
      wanted: () => this.#wanted(),
      subscriber: () => client.subscriber,
      deliver: (text, message) => this.#deliver(text, message),
      onBroken: (error) => this.#broken(error),
    });
  }

  /** How many GET streams there are. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Messages that wait for one. */
  get waiting(): number {
    return this.#streams.waiting;
  }

  /** Opens a stream for what the server says by itself. */
  async listen(call: UpstreamCall): Promise<UpstreamAnswer> {
    const { clock, limits: { maxStreams, listenWaitMs } } = this.#options.settings;
    if (this.#streams.size >= maxStreams) {
      const sentence = "This session listens on as many streams as it may.";
      return { ...errorAnswer(clock, new ProxyError("method_not_allowed", sentence)), status: 409 };
    }
    if (!this.#canSpeak) return this.#silent();
    const stream = this.#streams.open(() => {
      this.#options.onStreamOver();
      this.subscription.updateInTime();
    });
    this.#options.client.listenAs(call);
    // What happens behind the answer to GET is told on it, if the server can be asked for it in time.
    await inTime(clock, listenWaitMs, this.subscription.update());
    if (this.subscription.isUnsupported) return this.#silent();
    this.#streams.tellWaiting();
    return stream.answer;
  }

  /** Nothing is said any more. */
  end(): void {
    this.subscription.end();
    this.#streams.end();
    this.#streams.forgetWaiting();
  }

  /** Whether the server can have anything to say by itself. */
  get #canSpeak(): boolean {
    const { listChanged, subscribe } = this.#options.offers;
    return !this.subscription.isUnsupported && (listChanged.length > 0 || subscribe);
  }

  #silent(): UpstreamAnswer {
    this.#streams.end();
    const sentence = "This server says nothing by itself; there is no stream to listen to.";
    const headers = { allow: "POST, DELETE" };
    const error = new ProxyError("method_not_allowed", sentence, { headers });
    return errorAnswer(this.#options.settings.clock, error);
  }

  #wanted(): Filter | undefined {
    const { subscriptions } = this.#options.client;
    if (this.#streams.size === 0 && subscriptions.size === 0) return undefined;
    const filter = { lists: this.#options.offers.listChanged, uris: [...subscriptions] };
    return filter.lists.length + filter.uris.length > 0 ? filter : undefined;
  }

  #deliver(text: string, message: RpcText): void {
    const method = String(message.value.method);
    if (method === "notifications/tools/list_changed") this.#options.tools.forget();
    this.#streams.tell(text, method);
  }

  /** Its streams end: whoever comes back has it tried again. */
  #broken(error: ProxyError): void {
    this.#options.settings.logger.debug("a subscription of a session has ended", { error });
    this.#streams.end();
  }
}
