/**
 * One `subscriptions/listen`: what it asked for, and the stream on which it is told.
 *
 * Source: 2026-07-28 basic/patterns/subscriptions.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { Fields } from "../../http/mod.ts";
import { at, isRecord, QueuedStream, type RpcText, textAt } from "../../rpc/mod.ts";
import { encodeEvent, EVENT_STREAM } from "../../sse/mod.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import { SUBSCRIPTION_ID_KEY } from "./meta_keys.ts";
import type { AsModernBounds } from "./options.ts";
import type { Listener, ServerSession } from "./server_session.ts";
import { isObjectText, memberOf, withMembers, withMeta } from "./text_edits.ts";
import { identified, response } from "./toward_client.ts";

/** What a client wants to hear of. */
export interface Filter {
  /** Members of the filter that are true. */
  readonly lists: readonly string[];
  /** The resources that it names. */
  readonly uris: readonly string[];
}

/** Lists by the members of a filter: the notification, and the capability of a server that tells of it. */
const LISTS: Readonly<Record<string, readonly [method: string, capability: string]>> = {
  toolsListChanged: ["notifications/tools/list_changed", "tools"],
  promptsListChanged: ["notifications/prompts/list_changed", "prompts"],
  resourcesListChanged: ["notifications/resources/list_changed", "resources"],
};

const RESOURCE_UPDATED = "notifications/resources/updated";

/**
 * What a request wants to hear of.
 *
 * @throws {ProxyError} `invalid_params` where it does not say
 */
export function filterOf({ message, idText }: ClientRequest, maxSubscriptions: number): Filter {
  const refuse = (sentence: string) => new ProxyError("invalid_params", sentence, { idText });
  const wanted = at(message.value, "params", "notifications");
  if (!isRecord(wanted)) throw refuse("subscriptions/listen needs an object params.notifications.");
  const uris = wanted.resourceSubscriptions ?? [];
  if (!Array.isArray(uris) || !uris.every((uri) => typeof uri === "string")) {
    throw refuse("resourceSubscriptions must be an array of URIs.");
  }
  if (uris.length > maxSubscriptions) {
    throw refuse(`resourceSubscriptions may name ${maxSubscriptions} resources.`);
  }
  const lists = Object.keys(LISTS).filter((name) => wanted[name] === true);
  return { lists, uris: [...new Set(uris)] };
}

/** The lists of a filter of whose changes the server tells. */
export function listsHonoured({ lists }: Filter, session: ServerSession): readonly string[] {
  return lists.filter((name) => session.has(LISTS[name]![1], "listChanged"));
}

/** One stream of notifications. */
export class Subscription implements Listener {
  readonly #idText: string;
  readonly #serverInfo: string | undefined;
  readonly #bounds: AsModernBounds;
  readonly #stream: SubscriptionStream;
  readonly #methods = new Set<string>();
  /** What came ahead of the acknowledgement. */
  #early: RpcText[] | undefined = [];

  /** A subscription that is not acknowledged yet; `onOver` is called once when it is over. */
  constructor(
    request: ClientRequest,
    session: ServerSession,
    bounds: AsModernBounds,
    onOver: () => void,
  ) {
    this.#idText = request.idText;
    this.#serverInfo = session.serverInfo;
    this.#bounds = bounds;
    const events = { over: onOver, overflowed: () => {} };
    this.#stream = new SubscriptionStream(bounds, events, () => this.#result());
  }

  /** The answer to the request. */
  get answer(): UpstreamAnswer {
    const headers = new Fields(["content-type", EVENT_STREAM]);
    return { status: 200, headers, sessionId: undefined, kind: "sse", body: this.#stream };
  }

  /** Says what is honoured, ahead of everything else. */
  acknowledge(lists: readonly string[], uris: readonly string[]): void {
    const honoured: Record<string, unknown> = Object.fromEntries(
      lists.map((name) => [name, true]),
    );
    if (uris.length > 0) honoured.resourceSubscriptions = uris;
    for (const name of lists) this.#methods.add(LISTS[name]![0]);
    if (uris.length > 0) this.#methods.add(RESOURCE_UPDATED);
    const params = `{"notifications":${JSON.stringify(honoured)}}`;
    this.#push(
      `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${params}}`,
    );
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.changed(message);
  }

  /** See `Listener`. */
  changed(message: RpcText): void {
    if (this.#early !== undefined) {
      if (this.#early.length < this.#bounds.maxQueuedMessages) this.#early.push(message);
      return;
    }
    if (this.#methods.has(message.value.method as string)) this.#push(message.text, message);
  }

  /** See `Listener`. */
  fail(error: ProxyError): void {
    this.#stream.breakOff(error);
  }

  /** Ends it, and says so. */
  end(): void {
    this.#stream.end();
  }

  /** Calls back once when it is over, at once if it is over already. */
  whenOver(callback: () => void): void {
    this.#stream.whenOver(callback);
  }

  /** Ends it without a word: its client has left. */
  discard(): void {
    this.#stream.discard();
  }

  #push(text: string, message?: RpcText): void {
    const params = message === undefined ? memberOf(text, "params") : textAt(message, ["params"]);
    const tag = [[SUBSCRIPTION_ID_KEY, this.#idText]] as const;
    const tagged = withMeta(isObjectText(params) ? params : "{}", tag);
    const data = withMembers(text, [["params", tagged]]);
    this.#stream.push(encodeEvent({ event: "message", data }));
  }

  /** What says that it has ended as it should ("Graceful Closure"). */
  #result(): string {
    const result = withMeta('{"resultType":"complete"}', [[SUBSCRIPTION_ID_KEY, this.#idText]]);
    const info = this.#serverInfo;
    return response(this.#idText, isObjectText(info) ? identified(result, info) : result);
  }
}

/** A stream that is ended with the response to the request that opened it. */
class SubscriptionStream extends QueuedStream {
  readonly #result: () => string;
  #ending = false;

  constructor(
    bounds: AsModernBounds,
    events: ConstructorParameters<typeof QueuedStream>[1],
    result: () => string,
  ) {
    super(bounds, events);
    this.#result = result;
  }

  override end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.push(encodeEvent({ event: "message", data: this.#result() }));
    super.end();
  }
}
