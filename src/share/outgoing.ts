/**
 * What a member sends, as it goes up: requests under names of their own, answers under the server's.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import {
  at,
  decode,
  joined,
  keyOf,
  kindOf,
  readBody,
  type RpcText,
  textAt,
  withTexts,
} from "../rpc/mod.ts";
import type { Exchange } from "./in_flight.ts";
import type { Member } from "./member.ts";
import { renamed } from "./names.ts";
import { OWN_METHODS } from "./own_methods.ts";
import type { HubState } from "./state.ts";

/** A member's body, made ready. */
export interface Outgoing {
  /** The POST with its requests. */
  readonly exchange: Exchange;
  /** Whether it was an array. */
  readonly batch: boolean;
  /** Requests that go up; undefined where there are none. */
  readonly asks: string | undefined;
  /** What else goes up, which gets no answer; undefined where there is none. */
  readonly tells: string | undefined;
  /** The upstream session, by its number, that `tells` is for. */
  readonly generation: number;
  /** Responses to requests that the hub has answered. */
  readonly answers: readonly string[];
}

/**
 * Makes a body ready, and has the server asked what the hub answers itself.
 *
 * @throws {ProxyError} where it is no JSON-RPC, where the member has too many requests under way, or where the
 * server could not be asked
 */
export async function outgoing(
  state: HubState,
  member: Member,
  bytes: Uint8Array,
): Promise<Outgoing> {
  const { written } = state.session;
  const body = readBody(renamed(decode(bytes), member.id, written));
  if (body === undefined) {
    throw new ProxyError("parse_error", "The body is not valid JSON; send one JSON-RPC message.");
  }
  const exchange = state.inFlight.begin(member);
  const { generation } = state.session;
  const asks: string[] = [];
  const tells: string[] = [];
  const answers: string[] = [];
  try {
    for (const message of body.messages) {
      const kind = kindOf(message);
      if (kind !== "request") {
        const told = kind === "response"
          ? answer(state, member, message)
          : notice(state, member, message);
        if (told !== undefined) tells.push(told);
        continue;
      }
      const method = message.value.method as string;
      const own = Object.hasOwn(OWN_METHODS, method) ? OWN_METHODS[method] : undefined;
      if (own === undefined) asks.push(state.inFlight.rename(exchange, message));
      else answers.push(renamed(await own(state, member, message), written, member.id));
    }
  } catch (error) {
    state.inFlight.close(exchange);
    throw error;
  }
  const { batch } = body;
  const whole = (texts: readonly string[]) => texts.length === 0 ? undefined : joined(texts, batch);
  return { exchange, batch, asks: whole(asks), tells: whole(tells), generation, answers };
}

/** The member's answer to a request of the server; undefined where it was not asked. */
function answer(state: HubState, member: Member, message: RpcText): string | undefined {
  const given = state.serverRequests.take(member, textAt(message, ["id"]));
  if (given !== undefined) return withTexts(message, [["id"], given.upstreamId]);
  state.drops.count("(response of a client)");
  return undefined;
}

/** A notification of a member; undefined where it goes no further. */
function notice(state: HubState, member: Member, message: RpcText): string | undefined {
  const { method } = message.value;
  switch (method) {
    case "notifications/initialized":
      return undefined;
    case "notifications/cancelled": {
      const path = ["params", "requestId"];
      const upstreamId = member.asked.get(keyOf(textAt(message, path)) ?? "");
      if (upstreamId !== undefined) return withTexts(message, [path, upstreamId]);
      break;
    }
    case "notifications/progress": {
      const key = keyOf(textAt(message, ["params", "progressToken"]));
      if (state.serverRequests.hasToken(member, key)) return message.text;
      break;
    }
    case "notifications/roots/list_changed":
      if (at(member.capabilities, "roots") !== undefined) return message.text;
      break;
    default:
      if (kindOf(message) === "notification") return message.text;
  }
  state.drops.count(`${method} of a client`);
  return undefined;
}
