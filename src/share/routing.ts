/**
 * To whom a message of the server goes, and under which ids.
 *
 * Nothing goes to anybody but by what it names: an id or a token that went up for that member, a URI to
 * which it subscribed, or the stream of its own call. What names nobody is dropped and counted.
 *
 * @module
 */

import {
  at,
  canTake,
  changingLists,
  keyOf,
  kindOf,
  missedChanges,
  passes,
  readBody,
  type RpcText,
  textAt,
  withTexts,
} from "../rpc/mod.ts";
import { encodeEvent } from "../sse/mod.ts";
import type { Exchange } from "./in_flight.ts";
import type { Member } from "./member.ts";
import { renamed } from "./names.ts";
import type { Given } from "./server_requests.ts";
import type { HubState } from "./state.ts";

/** A message on its way to a member. */
interface Delivery {
  readonly member: Member;
  readonly text: string;
  /** The request of the server that it is. */
  readonly given?: Given;
}

/** Who gets a message; `origin` is the POST on whose answer it came, if it did on one. */
type Route = (
  state: HubState,
  message: RpcText,
  origin: Exchange | undefined,
) => readonly Delivery[];

const METHOD_NOT_FOUND = -32601;
const URL_ELICITATION_REQUIRED = -32042;
/** -(31000 + status), as in `errors.ts`. */
const TOO_MANY = -31503;

/**
 * Takes a message of the server where it belongs.
 *
 * @returns the texts for whoever reads the answer of `origin`; others have got theirs by then
 */
export function receive(
  state: HubState,
  message: RpcText,
  origin?: Exchange,
): readonly string[] {
  const kind = kindOf(message);
  const deliveries = kind === undefined ? [] : BY_KIND[kind](state, message, origin);
  const name = nameOf(message);
  if (deliveries.length === 0 && !isAnsweredHere(message)) state.drops.count(name);
  const own: string[] = [];
  let last: { text: string; event: ReturnType<typeof encodeEvent> } | undefined;
  for (const { member, text: said, given } of deliveries) {
    const text = renamed(said, state.session.written, member.id);
    if (member === origin?.member) {
      own.push(text);
      continue;
    }
    if (last?.text !== text) last = { text, event: encodeEvent({ event: "message", data: text }) };
    if (member.push(last.event)) continue;
    state.drops.count(name);
    if (given !== undefined) withdraw(state, given, "No client listens for this request.");
  }
  return own;
}

/** Tells all that listen what may have changed while the server could tell nothing. */
export function tellMissed(state: HubState): void {
  const { session, listeners, drops } = state;
  const initialized = readBody(session.result)?.messages[0]?.value;
  const lists = changingLists(at(initialized, "capabilities"));
  for (const member of [...listeners]) {
    for (const message of missedChanges(lists, [...member.subscriptions])) {
      const data = renamed(message.text, session.written, member.id);
      if (!member.push(encodeEvent({ event: "message", data }))) drops.count(nameOf(message));
    }
  }
}

/** Tells the server that a request of its will not be answered by whom it was given to. */
export function withdraw(state: HubState, given: Given, reason: string): void {
  if (state.serverRequests.cancel(given.upstreamId) === undefined) return;
  replyError(state, given.upstreamId, METHOD_NOT_FOUND, reason);
}

function nameOf(message: RpcText): string {
  const { method } = message.value;
  if (typeof method === "string") return method;
  return kindOf(message) === "response" ? "(response)" : "(no JSON-RPC)";
}

function isAnsweredHere(message: RpcText): boolean {
  return kindOf(message) === "request";
}

const BY_KIND: Readonly<Record<"request" | "notification" | "response", Route>> = {
  request: routeRequest,
  notification(state, message, origin) {
    const method = message.value.method as string;
    const route = Object.hasOwn(NOTIFICATIONS, method) ? NOTIFICATIONS[method] : undefined;
    if (route !== undefined) return route(state, message, origin);
    // Of one that is not known it is only known on whose answer it came.
    return origin === undefined ? [] : [{ member: origin.member, text: message.text }];
  },
  response(state, message, origin) {
    const idText = textAt(message, ["id"]);
    const asked = state.inFlight.byId(keyOf(idText));
    if (asked === undefined) {
      const isNameless = idText === undefined || idText === "null";
      if (origin === undefined || !isNameless || !Object.hasOwn(message.value, "error")) return [];
      return [{ member: origin.member, text: message.text }];
    }
    if (asked.exchange !== origin || asked.answered) return [];
    state.inFlight.answered(asked);
    noteElicitations(state, origin.member, message);
    return [{ member: origin.member, text: withTexts(message, [["id"], asked.idText]) }];
  },
};

/** An error that names what a client has to have its user do first, whose end the server tells later. */
function noteElicitations({ serverRequests }: HubState, member: Member, { value }: RpcText): void {
  if (at(value, "error", "code") !== URL_ELICITATION_REQUIRED) return;
  const elicitations = at(value, "error", "data", "elicitations");
  if (!Array.isArray(elicitations)) return;
  for (const elicitation of elicitations) {
    const id = at(elicitation, "elicitationId");
    if (typeof id === "string") serverRequests.elicit(member, id);
  }
}

function routeRequest(
  state: HubState,
  message: RpcText,
  origin: Exchange | undefined,
): readonly Delivery[] {
  const { serverRequests } = state;
  const { method, params } = message.value as { method: string; params?: unknown };
  const idText = textAt(message, ["id"])!;
  if (keyOf(idText) === undefined || isStale(state, origin)) {
    state.drops.count(method);
    return [];
  }
  if (method === "ping") {
    reply(state, `{"jsonrpc":"2.0","id":${idText},"result":{}}`);
    return [];
  }
  const held = serverRequests.holder(idText);
  const taker = held?.member ?? takerOf(state, method, params, origin);
  if (taker === undefined) {
    replyError(state, idText, METHOD_NOT_FOUND, "No client that can take this request is there.");
    return [];
  }
  const given = held ?? serverRequests.give(taker, message);
  if (given === undefined) {
    replyError(state, idText, TOO_MANY, "The client has as many requests to answer as it may.");
    return [];
  }
  const elicitationId = at(params, "elicitationId");
  if (typeof elicitationId === "string") serverRequests.elicit(taker, elicitationId);
  given.byListening = taker !== origin?.member;
  return [{ member: taker, text: withTexts(message, [["id"], given.memberId]), given }];
}

/** Whether a stream is still that of a session that the server has lost: an answer would go to the new one. */
function isStale({ session }: HubState, origin: Exchange | undefined): boolean {
  return origin !== undefined && origin.generation !== session.generation;
}

/** Whoever caused a request of the server takes it; otherwise whoever listens longest and can. */
function takerOf(
  { listeners }: HubState,
  method: string,
  params: unknown,
  origin: Exchange | undefined,
): Member | undefined {
  if (origin !== undefined && canTake(origin.member.capabilities, method, params) !== false) {
    return origin.member;
  }
  return listeners.values().find(({ capabilities }) => canTake(capabilities, method, params));
}

const NOTIFICATIONS: Readonly<Record<string, Route>> = {
  "notifications/tools/list_changed": toAll,
  "notifications/prompts/list_changed": toAll,
  "notifications/resources/list_changed": toAll,
  "notifications/resources/updated"(state, message, origin) {
    const uri = at(message.value, "params", "uri");
    if (typeof uri !== "string") return [];
    const concerned = state.subscriptions.concerned(uri);
    return present(state, origin).filter((member) => concerned.has(member))
      .map((member) => ({ member, text: message.text }));
  },
  "notifications/message"(state, message, origin) {
    const level = at(message.value, "params", "level");
    // The lines of a call are for whoever called.
    const members = origin === undefined ? [...state.listeners] : [origin.member];
    return members.filter((member) => passes(level, member.level))
      .map((member) => ({ member, text: message.text }));
  },
  "notifications/progress"(state, message) {
    const path = ["params", "progressToken"];
    const asked = state.inFlight.byToken(keyOf(textAt(message, path)));
    if (asked?.token === undefined) return [];
    const text = withTexts(message, [path, asked.token.text]);
    return [{ member: asked.exchange.member, text }];
  },
  "notifications/cancelled"(state, message, origin) {
    if (isStale(state, origin)) return [];
    const path = ["params", "requestId"];
    const given = state.serverRequests.cancel(textAt(message, path));
    if (given === undefined) return [];
    return [{ member: given.member, text: withTexts(message, [path, given.memberId]) }];
  },
  "notifications/elicitation/complete"(state, message) {
    const member = state.serverRequests.elicited(at(message.value, "params", "elicitationId"));
    return member === undefined ? [] : [{ member, text: message.text }];
  },
};

function toAll(
  state: HubState,
  { text }: RpcText,
  origin: Exchange | undefined,
): readonly Delivery[] {
  return present(state, origin).map((member) => ({ member, text }));
}

/** Who can be told something now: all that listen, and whoever reads the answer on which it came. */
function present({ listeners }: HubState, origin: Exchange | undefined): readonly Member[] {
  return [...origin === undefined ? listeners : new Set(listeners).add(origin.member)];
}

function reply(state: HubState, text: string): void {
  const { session } = state;
  const { generation } = session;
  state.aside("(answer to the server)", () => session.tell(text, generation));
}

function replyError(state: HubState, idText: string, code: number, sentence: string): void {
  const error = JSON.stringify({ code, message: sentence });
  reply(state, `{"jsonrpc":"2.0","id":${idText},"error":${error}}`);
}
