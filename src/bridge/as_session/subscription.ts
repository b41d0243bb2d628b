/**
 * One `subscriptions/listen`: its request, its acknowledgment, and what comes on it.
 *
 * Source: 2026-07-28 basic/patterns/subscriptions.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError, toProxyError } from "../../errors.ts";
import type { Fields } from "../../http/mod.ts";
import {
  at,
  covers,
  keyOf,
  kindOf,
  listChanged,
  type ListName,
  RESOURCE_UPDATED,
  type RpcText,
  textAt,
} from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import type { ModernServer, Outcome } from "./modern_call.ts";
import { ownRequest, type Speaker } from "./requests.ts";
import { errorCode } from "./results.ts";

/** What is subscribed to. */
export interface Filter {
  /** Lists whose changes are wanted. */
  readonly lists: readonly ListName[];
  /** Resources whose updates are wanted. */
  readonly uris: readonly string[];
}

/** Who subscribes. */
export interface Subscriber {
  /** A call of the client. */
  readonly call: Pick<UpstreamCall, "principal" | "query">;
  /** The header fields of the request. */
  readonly fields: Fields;
  /** What the client is. */
  readonly speaker: Speaker;
}

/** What a subscription works with. */
export interface SubscriptionOptions {
  /** Time. */
  readonly clock: Clock;
  /** The server. */
  readonly server: ModernServer;
  /** Longest wait for the acknowledgment, in milliseconds. */
  readonly firstMessageMs: number;
  /** Gets each message behind the acknowledgment that was asked for. */
  readonly receive: (message: RpcText, from: Subscription) => void;
  /** Told of each other message, by its name. */
  readonly drop: (name: string) => void;
  /** Told once when it is over after it was acknowledged, but not by `close`. */
  readonly onOver: (from: Subscription) => void;
}

/** The method that opens one. */
export const LISTEN = "subscriptions/listen";

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";
const CANCELLED = "notifications/cancelled";

/** The server has refused it for good: it does not have subscriptions. */
export class NoSubscriptions extends ProxyError {
  /** What a client is told. */
  constructor() {
    super("method_not_found", "The upstream server has no subscriptions.");
  }
}

/** A subscription. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #control = new AbortController();
  readonly #acknowledged = Promise.withResolvers<void>();
  readonly #filter: Filter;
  readonly #idText: string;
  #uris: ReadonlySet<unknown> | undefined;
  #openedMs = Infinity;
  #closed = false;
  #cancelled = false;

  /** Asks for one. */
  constructor(
    filter: Filter,
    serial: number,
    subscriber: Subscriber,
    options: SubscriptionOptions,
  ) {
    this.#options = options;
    this.#filter = filter;
    this.#idText = `"switchyard-listen-${serial}"`;
    // Whoever waits hears of it.
    this.#acknowledged.promise.catch(() => {});
    this.#run(subscriber);
  }

  /**
   * Resolves when the server has acknowledged it.
   *
   * @throws {ProxyError} where it does not; `NoSubscriptions` where it never will
   */
  get acknowledged(): Promise<void> {
    return this.#acknowledged.promise;
  }

  /** What it was opened for. */
  get filter(): Filter {
    return this.#filter;
  }

  /** Whether the server has agreed to tell of updates of a resource. */
  honours(uri: string): boolean {
    return this.#uris?.has(uri) ?? false;
  }

  /** Whether a message is one that was asked for ("Notification Filter"). */
  wants(message: RpcText): boolean {
    if (kindOf(message) !== "notification") return false;
    const { lists, uris } = this.#filter;
    const { method, params } = message.value;
    if (method !== RESOURCE_UPDATED) {
      return lists.some((name) => method === listChanged(name));
    }
    const uri = at(params, "uri");
    return typeof uri === "string" && uris.some((subscribed) => covers(subscribed, uri));
  }

  /** Since when it is there, on the clock's monotonic scale; infinite where it is not yet. */
  get openedMs(): number {
    return this.#openedMs;
  }

  /** Ends it. */
  close(): void {
    this.#closed = true;
    this.#control.abort();
  }

  async #run({ call, fields, speaker }: Subscriber): Promise<void> {
    const { clock, server, firstMessageMs, onOver } = this.#options;
    const timer = clock.after(firstMessageMs, () => this.#control.abort());
    let failure: ProxyError;
    try {
      const outcome = await server.ask({
        call,
        fields,
        text: ownRequest(LISTEN, this.#idText, speaker, [
          ["notifications", textOf(this.#filter)],
        ]),
        signal: this.#control.signal,
        onMessage: (message) => {
          this.#take(message);
          if (this.#uris !== undefined) timer.cancel();
        },
      });
      failure = failureOf(outcome);
    } catch (error) {
      failure = this.#cancelled ? endedEarly() : toProxyError(error);
    }
    timer.cancel();
    if (this.#uris === undefined) {
      const isLate = this.#control.signal.aborted && !this.#closed && !this.#cancelled;
      const sentence = "The upstream server took too long to acknowledge a subscription.";
      this.#acknowledged.reject(isLate ? new ProxyError("upstream_timeout", sentence) : failure);
    } else if (!this.#closed) {
      onOver(this);
    }
  }

  #take(message: RpcText): void {
    const { method } = message.value;
    // What is still there of a stream that was given up is for nobody.
    if (this.#control.signal.aborted) return;
    if (method === CANCELLED && this.#isOwn(textAt(message, ["params", "requestId"]))) {
      this.#cancelled = true;
      return this.#control.abort();
    }
    if (this.#uris === undefined) {
      return method === ACKNOWLEDGED ? this.#acknowledge(message) : undefined;
    }
    if (this.wants(message)) return this.#options.receive(message, this);
    const isRequest = kindOf(message) === "request";
    this.#options.drop(isRequest ? "(request on a modern stream)" : `${method}`);
  }

  #isOwn(idText: string | undefined): boolean {
    return keyOf(idText) === keyOf(this.#idText);
  }

  #acknowledge(message: RpcText): void {
    const uris = at(message.value, "params", "notifications", "resourceSubscriptions");
    this.#uris = new Set(Array.isArray(uris) ? uris : []);
    this.#openedMs = this.#options.clock.monotonicMs();
    this.#acknowledged.resolve();
  }
}

function textOf({ lists, uris }: Filter): string {
  const flags = lists.map((name) => [`${name}ListChanged`, true]);
  const resources = uris.length === 0 ? [] : [["resourceSubscriptions", uris]];
  return JSON.stringify(Object.fromEntries([...flags, ...resources]));
}

function failureOf({ response, refusal }: Outcome): ProxyError {
  if (refusal !== undefined) {
    const sentence =
      `The upstream server refused a subscription with HTTP status ${refusal.status}.`;
    return new ProxyError("upstream_status", sentence);
  }
  if (errorCode(response) === -32601) return new NoSubscriptions();
  return endedEarly();
}

function endedEarly(): ProxyError {
  const sentence = "The upstream server ended a subscription before it had acknowledged it.";
  return new ProxyError("upstream_protocol", sentence);
}
