/**
 * One session of a client, which the server knows nothing of.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { Drops, RpcBody } from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import { Announcements } from "./announcements.ts";
import type { Offers } from "./capabilities.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { Posts } from "./posts.ts";
import { type ClientFacts, SessionClient } from "./session_client.ts";
import type { Tools } from "./tools.ts";

/** What a session is given. */
export interface SessionOptions {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The server. */
  readonly server: ModernServer;
  /** What is known of its tools. */
  readonly tools: Tools;
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Whose it is. */
  readonly client: ClientFacts;
  /** What the server offers. */
  readonly offers: Offers;
}

/** A session. */
export class BridgedSession {
  readonly #settings: Settings;
  readonly #client: SessionClient;
  readonly #announcements: Announcements;
  readonly #posts: Posts;
  #lastUsedMs: number;

  /** A session that `initialize` has begun with this call. */
  constructor(options: SessionOptions, call: UpstreamCall) {
    const { settings, server, tools, drops, offers } = options;
    const parts = { settings, server, tools, drops };
    const touch = () => this.#touch();
    this.#settings = settings;
    this.#lastUsedMs = settings.clock.monotonicMs();
    const client = this.#client = new SessionClient(options.client, call);
    this.#announcements = new Announcements({ ...parts, client, offers, onStreamOver: touch });
    const { subscription } = this.#announcements;
    const { maxSubscriptions } = settings.limits;
    const own = { client, offers, listening: subscription, maxSubscriptions };
    this.#posts = new Posts({ ...parts, own, onDone: touch });
  }

  /** Who may use it. */
  get principal(): string {
    return this.#client.principal;
  }

  /** Whether it has a subscription at the server now. */
  get isListening(): boolean {
    return this.#announcements.subscription.isOpen;
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#posts.inFlight;
  }

  /** Questions of the server that wait for answers. */
  get questions(): number {
    return this.#posts.questions;
  }

  /** Messages that wait for a GET stream. */
  get waiting(): number {
    return this.#announcements.waiting;
  }

  /** When it was used last, on the clock's monotonic scale; now where something is under way. */
  get lastUsedMs(): number {
    const isBusy = this.#posts.inFlight > 0 || this.#announcements.streams > 0;
    return isBusy ? this.#settings.clock.monotonicMs() : this.#lastUsedMs;
  }

  /** See `Posts`: takes a body with a request. @throws {ProxyError} */
  exchange(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    this.#touch();
    return this.#posts.exchange(call, body);
  }

  /** Takes a body without a request. */
  notify(body: RpcBody): UpstreamAnswer {
    this.#touch();
    return this.#posts.notify(body);
  }

  /** Opens a stream for what the server says by itself. */
  listen(call: UpstreamCall): Promise<UpstreamAnswer> {
    this.#touch();
    return this.#announcements.listen(call);
  }

  /** Ends it: nothing of it is left. Whose requests are in flight is told `why`. */
  end(why: ProxyError = ended()): void {
    this.#posts.end(why);
    this.#announcements.end();
  }

  #touch(): void {
    this.#lastUsedMs = this.#settings.clock.monotonicMs();
  }
}

function ended(): ProxyError {
  return new ProxyError(
    "upstream_closed",
    "The session has ended before this request was answered.",
  );
}
