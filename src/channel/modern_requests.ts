/**
 * Requests of 2026-07-28 on one channel, under names of the channel's own.
 *
 * Many clients of a principal use a channel at once, and their ids and progress tokens may be the same.
 *
 * Source: 2026-07-28 basic/transports/stdio, "Receiving Messages"; basic/patterns/subscriptions and progress;
 * server/utilities/logging.
 *
 * @module
 */

import {
  at,
  type EventBody,
  type Exchange,
  type Key,
  keyOf,
  likeType,
  type RpcText,
  textAt,
  withTexts,
} from "../rpc/mod.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

const ID_PATH = ["id"];
const ASKED_TOKEN_PATH = ["params", "_meta", "progressToken"];
const TOLD_TOKEN_PATH = ["params", "progressToken"];
const CANCELLED_PATH = ["params", "requestId"];
const TOLD_SUBSCRIPTION_PATH = ["params", "_meta", SUBSCRIPTION];
const RESULT_SUBSCRIPTION_PATH = ["result", "_meta", SUBSCRIPTION];

/** The least severe first (server/utilities/logging, "Log Levels"). */
const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** A request that went to the server. */
export interface ModernAsked {
  /** What goes to the server. */
  readonly text: string;
  /** The text of its id there. */
  readonly idText: string;
  /** The text of the id that its client gave it. */
  readonly clientIdText: string;
  /** The text of the progress token that its client gave it. */
  readonly clientTokenText: string | undefined;
  /** Its progress token at the server. */
  readonly token: Key | undefined;
  /** Whether its answer has no end of its own. */
  readonly isSubscription: boolean;
  /** Whether it asks what the server speaks. */
  readonly isProbe: boolean;
  /** The least severe log lines that it wants; undefined for none. */
  readonly logLevel: unknown;
  /** Who waits for it; there once it was sent. */
  exchange?: Exchange;
  /** The HTTP status of its response, where that is no 200. */
  status?: number | undefined;
  /** Its stream, if its answer has become one. */
  body?: EventBody;
}

/** Requests in flight on one channel. */
export class ModernRequests {
  readonly #byId = new Map<Key, ModernAsked>();
  readonly #byToken = new Map<Key, ModernAsked>();
  #serial = 0;

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** All of them, the oldest first. */
  all(): ModernAsked[] {
    return [...this.#byId.values()];
  }

  /** Gives a request names of its own, and notes it. */
  add(request: RpcText): ModernAsked {
    const clientIdText = textAt(request, ID_PATH)!;
    const clientTokenText = textAt(request, ASKED_TOKEN_PATH);
    const serial = ++this.#serial;
    const idText = likeType(clientIdText, serial);
    const tokenText = clientTokenText === undefined ? undefined : likeType(clientTokenText, serial);
    const asked: ModernAsked = {
      text: withTexts(
        request,
        [ID_PATH, idText],
        ...(tokenText === undefined ? [] : [[ASKED_TOKEN_PATH, tokenText] as const]),
      ),
      idText,
      clientIdText,
      clientTokenText,
      token: keyOf(tokenText),
      isSubscription: request.value.method === "subscriptions/listen",
      isProbe: request.value.method === "server/discover",
      logLevel: at(request.value.params, "_meta", LOG_LEVEL),
    };
    this.#byId.set(keyOf(idText)!, asked);
    if (asked.token !== undefined) this.#byToken.set(asked.token, asked);
    return asked;
  }

  /** Takes a request away; false where it was taken before. */
  take(asked: ModernAsked): boolean {
    if (asked.token !== undefined) this.#byToken.delete(asked.token);
    return this.#byId.delete(keyOf(asked.idText)!);
  }

  /**
   * The request that a response answers. An error without an id is about the only one there is: a server that
   * could not read it cannot know its id.
   */
  answered(response: RpcText): ModernAsked | undefined {
    const idText = textAt(response, ID_PATH);
    const isNameless = idText === undefined || idText === "null";
    if (!isNameless) return this.#byId.get(keyOf(idText) ?? "");
    const isOnly = this.size === 1 && Object.hasOwn(response.value, "error");
    return isOnly ? this.all()[0] : undefined;
  }

  /** The subscription that the server has ended with a `notifications/cancelled`. */
  cancelled(notification: RpcText): ModernAsked | undefined {
    return this.#byId.get(keyOf(textAt(notification, CANCELLED_PATH)) ?? "");
  }

  /**
   * The request to which a notification belongs. Log lines do not say to which: they are for the only one that
   * wants lines so severe, since who else reads them might be another client.
   */
  concerned(notification: RpcText): ModernAsked | undefined {
    const { method, params } = notification.value;
    const subscription = keyOf(textAt(notification, TOLD_SUBSCRIPTION_PATH));
    if (subscription !== undefined) return this.#byId.get(subscription);
    if (method === "notifications/progress") {
      return this.#byToken.get(keyOf(textAt(notification, TOLD_TOKEN_PATH)) ?? "");
    }
    if (method !== "notifications/message") return undefined;
    const severity = LEVELS.indexOf(String(at(params, "level")));
    const wanting = this.all().filter(({ logLevel }) =>
      logLevel !== undefined && LEVELS.indexOf(String(logLevel)) <= severity
    );
    return wanting.length === 1 ? wanting[0] : undefined;
  }
}

/** A message of the server with the names that the client of `asked` knows. */
export function asClientKnows(message: RpcText, asked: ModernAsked): string {
  const { clientIdText, clientTokenText } = asked;
  if (Object.hasOwn(message.value, "method")) {
    return withTexts(
      message,
      [TOLD_SUBSCRIPTION_PATH, clientIdText],
      [TOLD_TOKEN_PATH, clientTokenText ?? textAt(message, TOLD_TOKEN_PATH) ?? ""],
    );
  }
  const idText = textAt(message, ID_PATH);
  if (idText === undefined) {
    return `{"jsonrpc":"2.0","id":${clientIdText},"error":${textAt(message, ["error"])}}`;
  }
  return withTexts(message, [ID_PATH, clientIdText], [RESULT_SUBSCRIPTION_PATH, clientIdText]);
}
