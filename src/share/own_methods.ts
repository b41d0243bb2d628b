/**
 * Requests of members that concern what all of them share: subscriptions and the log level. The hub
 * answers them, and asks the server where something changes.
 *
 * @module
 */

import { at, isLevel, likeType, mostVerbose, type RpcText, textAt, withTexts } from "../rpc/mod.ts";
import type { Member } from "./member.ts";
import { TOKEN } from "./in_flight.ts";
import type { HubState } from "./state.ts";

/** Answers a request of a member; the text of the response. */
type OwnMethod = (state: HubState, member: Member, message: RpcText) => Promise<string>;

/** The methods that the hub answers. */
export const OWN_METHODS: Readonly<Record<string, OwnMethod>> = {
  initialize: (_state, _member, message) =>
    Promise.resolve(refused(message, -32600, "This session is initialised already.")),
  "resources/subscribe": (state, member, message) => withUri(state, member, message, subscribe),
  "resources/unsubscribe": (state, member, message) => withUri(state, member, message, unsubscribe),
  "logging/setLevel": setLevel,
};

/** Gives back what a member has that leaves. */
export function giveBack(state: HubState, member: Member): void {
  for (const uri of member.subscriptions) {
    state.aside(
      "resources/unsubscribe",
      () => state.turns.take(turnOf(uri), () => drop(state, member, uri)),
    );
  }
  if (member.level === undefined) return;
  state.aside("logging/setLevel", () => state.turns.take(LEVEL_TURN, () => lower(state)));
}

/** Puts subscriptions and the level into a session that has replaced another; what fails is counted. */
export async function restore(state: HubState): Promise<void> {
  const { session, subscriptions, logLevel } = state;
  const requests = subscriptions.uris.map((uri) => (id: string) =>
    uriRequest("subscribe", id, uri)
  );
  if (logLevel !== undefined) requests.push((id) => levelRequest(id, logLevel));
  while (requests.length > 0) {
    const some = requests.splice(0, AT_ONCE).map((request) => session.ask(request, false));
    for (const { status } of await Promise.allSettled(some)) {
      if (status === "rejected") state.drops.count("(restored subscription or level)");
    }
  }
}

/** Requests under way at once while a session is restored. */
const AT_ONCE = 16;

const LEVEL_TURN = "level";
const turnOf = (uri: string) => `uri ${uri}`;

function withUri(
  state: HubState,
  member: Member,
  message: RpcText,
  change: (state: HubState, member: Member, message: RpcText, uri: string) => Promise<string>,
): Promise<string> {
  const uri = at(message.value, "params", "uri");
  if (typeof uri !== "string") return forward(state, message);
  return state.turns.take(turnOf(uri), () => change(state, member, message, uri));
}

async function subscribe(
  state: HubState,
  member: Member,
  message: RpcText,
  uri: string,
): Promise<string> {
  const { subscriptions, settings: { bounds } } = state;
  if (member.subscriptions.has(uri)) return empty(message);
  if (member.subscriptions.size >= bounds.maxMemberSubscriptions) {
    return refused(message, -31429, "This session has as many subscriptions as it may.");
  }
  if (subscriptions.othersHave(uri, member)) {
    subscriptions.add(uri, member);
    return empty(message);
  }
  const answer = await ask(state, message);
  if (isResult(answer)) {
    subscriptions.add(uri, member);
    if (member.gone) await drop(state, member, uri);
  }
  return answering(message, answer);
}

async function unsubscribe(
  state: HubState,
  member: Member,
  message: RpcText,
  uri: string,
): Promise<string> {
  const { subscriptions } = state;
  if (subscriptions.othersHave(uri, member)) {
    subscriptions.remove(uri, member);
    return empty(message);
  }
  const answer = await ask(state, message);
  if (isResult(answer)) subscriptions.remove(uri, member);
  return answering(message, answer);
}

/** Takes the subscription of a member back, at the server too where it was the last. */
async function drop(
  { subscriptions, session }: HubState,
  member: Member,
  uri: string,
): Promise<void> {
  const isLast = member.subscriptions.has(uri) && !subscriptions.othersHave(uri, member);
  subscriptions.remove(uri, member);
  if (isLast) await session.ask((id) => uriRequest("unsubscribe", id, uri));
}

async function setLevel(state: HubState, member: Member, message: RpcText): Promise<string> {
  const level = at(message.value, "params", "level");
  if (!isLevel(level)) return await forward(state, message);
  return await state.turns.take(LEVEL_TURN, async () => {
    const others = [...state.members].filter((other) => other !== member);
    const wanted = mostVerbose([level, ...others.map((other) => other.level)])!;
    if (wanted !== state.logLevel) {
      const answer = await state.session.ask((id) => levelRequest(id, wanted));
      if (!isResult(answer)) return answering(message, answer);
      state.logLevel = wanted;
    }
    member.level = level;
    return empty(message);
  });
}

/** Lowers the server's level to what those who are left need. */
async function lower(state: HubState): Promise<void> {
  const wanted = mostVerbose([...state.members].map(({ level }) => level));
  if (wanted === undefined || wanted === state.logLevel) return;
  const answer = await state.session.ask((id) => levelRequest(id, wanted));
  if (isResult(answer)) state.logLevel = wanted;
}

/** Asks the server what a member asks; the response for the member. */
async function forward(state: HubState, message: RpcText): Promise<string> {
  return answering(message, await ask(state, message));
}

/** Asks the server what a member asks. */
function ask({ session, inFlight }: HubState, message: RpcText): Promise<RpcText> {
  const token = textAt(message, TOKEN);
  // The hub waits for no progress; a token of the member's might be that of somebody else's request.
  const renamed = token === undefined ? [] : [[TOKEN, likeType(token, inFlight.serial())] as const];
  return session.ask((idText) => withTexts(message, [["id"], idText], ...renamed));
}

/** The server's result or error, as the answer to a member's request. */
function answering(message: RpcText, answer: RpcText): string {
  const key = isResult(answer) ? "result" : "error";
  return response(message, key, textAt(answer, [key])!);
}

function isResult({ value }: RpcText): boolean {
  return Object.hasOwn(value, "result");
}

function empty(message: RpcText): string {
  return response(message, "result", "{}");
}

function refused(message: RpcText, code: number, sentence: string): string {
  return response(message, "error", JSON.stringify({ code, message: sentence }));
}

function response(message: RpcText, key: "result" | "error", text: string): string {
  return `{"jsonrpc":"2.0","id":${textAt(message, ["id"])},"${key}":${text}}`;
}

function uriRequest(what: "subscribe" | "unsubscribe", idText: string, uri: string): string {
  const params = JSON.stringify({ uri });
  return `{"jsonrpc":"2.0","id":${idText},"method":"resources/${what}","params":${params}}`;
}

function levelRequest(idText: string, level: string): string {
  const params = JSON.stringify({ level });
  return `{"jsonrpc":"2.0","id":${idText},"method":"logging/setLevel","params":${params}}`;
}
