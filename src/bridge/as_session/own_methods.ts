/**
 * Requests of the session era that a modern server does not have; the bridge answers them.
 *
 * Source: 2026-07-28 changelog; 2025-11-25 basic/utilities/ping, server/utilities/logging, server/resources.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../../errors.ts";
import { at, type RpcText, textAt } from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import type { Offers } from "./capabilities.ts";
import type { Listening } from "./listening.ts";
import { fitsField } from "./requests.ts";
import type { SessionClient } from "./session_client.ts";

/** What such methods know of the session that they are called in. */
export interface OwnSession {
  /** Its client. */
  readonly client: SessionClient;
  /** What the server offers. */
  readonly offers: Offers;
  /** Its subscription at the server. */
  readonly listening: Pick<Listening, "honours" | "update">;
  /** URIs that it may have subscribed to. */
  readonly maxSubscriptions: number;
}

/** Answers a request; the text of the response. */
export type OwnMethod = (
  session: OwnSession,
  message: RpcText,
  call: UpstreamCall,
) => string | Promise<string>;

const LEVELS: ReadonlySet<unknown> = new Set([
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
]);

const OWN_METHODS: Readonly<Record<string, OwnMethod>> = {
  initialize: (_session, message) =>
    refuse(message, "invalid_request", "This session is initialised already."),
  ping: (_session, message) => empty(message),
  "logging/setLevel": setLevel,
  "resources/subscribe": subscribe,
  "resources/unsubscribe": unsubscribe,
  // The session era does not have them, and would not know what to do with the answers.
  "server/discover": unknown,
  "subscriptions/listen": unknown,
};

/** What answers a request here; undefined for what the server answers. */
export function ownMethod({ value: { method } }: RpcText): OwnMethod | undefined {
  const name = method as string;
  if (Object.hasOwn(OWN_METHODS, name)) return OWN_METHODS[name];
  return fitsField(name) ? undefined : unknown;
}

function setLevel(session: OwnSession, message: RpcText): string {
  if (!session.offers.logging) return unknown(session, message);
  const level = at(message.value, "params", "level");
  if (!LEVELS.has(level)) {
    const sentence = `The level must be one of ${[...LEVELS].join(", ")}.`;
    return refuse(message, "invalid_params", sentence);
  }
  session.client.setLogLevel(level as string);
  return empty(message);
}

async function subscribe(
  session: OwnSession,
  message: RpcText,
  call: UpstreamCall,
): Promise<string> {
  const uri = at(message.value, "params", "uri");
  const { client, listening, maxSubscriptions } = session;
  const { subscriptions } = client;
  if (!session.offers.subscribe) return unknown(session, message);
  if (typeof uri !== "string") return refuse(message, "invalid_params", NO_URI);
  if (subscriptions.has(uri) && listening.honours(uri)) return empty(message);
  if (!subscriptions.has(uri)) {
    if (subscriptions.size >= maxSubscriptions) {
      const sentence =
        `This session has ${maxSubscriptions} subscriptions, which is the limit here.`;
      return refuse(message, "rate_limited", sentence);
    }
    client.subscribe(uri);
    client.listenAs(call);
  }
  try {
    await listening.update();
  } catch (thrown) {
    client.unsubscribe(uri);
    const { kind, message: sentence } = toProxyError(thrown);
    return refuse(message, kind, sentence);
  }
  if (listening.honours(uri)) return empty(message);
  client.unsubscribe(uri);
  const sentence = "The upstream server does not tell of updates of this resource.";
  return refuse(message, "invalid_params", sentence);
}

async function unsubscribe(session: OwnSession, message: RpcText): Promise<string> {
  const uri = at(message.value, "params", "uri");
  if (!session.offers.subscribe) return unknown(session, message);
  if (typeof uri !== "string") return refuse(message, "invalid_params", NO_URI);
  if (!session.client.unsubscribe(uri)) return empty(message);
  try {
    await session.listening.update();
  } catch {
    // What comes of it meanwhile is more than was wanted; the next change leaves it out.
  }
  return empty(message);
}

const NO_URI = "The params must have a uri, which must be a string.";

function unknown(_session: OwnSession, message: RpcText): string {
  return refuse(message, "method_not_found", "The server does not have this method.");
}

function empty(message: RpcText): string {
  return `{"jsonrpc":"2.0","id":${textAt(message, ["id"])},"result":{}}`;
}

function refuse(message: RpcText, kind: ProxyError["kind"], sentence: string): string {
  return errorBody(new ProxyError(kind, sentence, { idText: textAt(message, ["id"]) }));
}
