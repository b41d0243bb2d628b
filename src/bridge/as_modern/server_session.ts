/**
 * A session at the server with all that goes on in it: requests of modern clients, their streams of
 * notifications, the stream on which the server speaks first.
 *
 * @module
 */

import type { ProxyError } from "../../errors.ts";
import {
  at,
  changingLists,
  type Drops,
  isRecord,
  type Key,
  keyOf,
  kindOf,
  listChanged,
  missedChanges,
  readBody,
  RESOURCE_UPDATED,
  type RpcText,
  textAt,
} from "../../rpc/mod.ts";
import { ResourceSubscriptions } from "./resource_subscriptions.ts";
import { SessionLevels } from "./session_levels.ts";
import type { SessionSubject } from "./session_opening.ts";
import { SessionWire, type SessionWireOptions } from "./session_wire.ts";
import { StandingStream } from "./standing_stream.ts";
import { memberOf } from "./text_edits.ts";
import { ELICITATION_COMPLETE } from "./url_elicitations.ts";

/** A request of a client, as its session sees it. */
export interface Participant {
  /** Whether its client can be asked anything while it is under way. */
  readonly canBeAsked: boolean;
  /** The least severe log lines that it wants; undefined for none. */
  readonly logLevel: string | undefined;
  /** A message of the server that belongs to it. */
  receive(message: RpcText): void;
  /** An elicitation is complete; false where it is none of this request's. */
  completed(elicitation: Key): boolean;
  /** All messages that came together have been received. */
  received(): void;
}

/** A client that listens, as its session sees it. */
export interface Listener {
  /** A change that the server tells of, to be told where it was asked for. */
  changed(message: RpcText): void;
  /** It cannot be told anything any more. */
  fail(error: ProxyError): void;
}

/** What a session works with. */
export interface ServerSessionOptions
  extends SessionSubject, Pick<SessionWireOptions, "settings" | "server"> {
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Whether the server may ask the clients of this session anything. */
  readonly mayAsk: boolean;
  /** What sessions of one kind have in common: who uses them, and what they declare. */
  readonly kind: string;
  /** Told when the server says that its tools have changed. */
  readonly onToolsChanged: () => void;
}

const METHOD_NOT_FOUND = -32601;
const TOOLS_CHANGED = listChanged("tools");

/** A session, the same object whatever the server makes of it. */
export class ServerSession {
  /** The session at the server. */
  readonly wire: SessionWire;
  /** Its log level. */
  readonly levels: SessionLevels;
  /** Its subscriptions. */
  readonly subscriptions: ResourceSubscriptions<Listener>;
  /** The stream on which the server speaks first. */
  readonly standing: StandingStream;
  readonly #options: ServerSessionOptions;
  readonly #byId = new Map<Key, Participant>();
  readonly #byToken = new Map<Key, Participant>();
  readonly #listeners = new Set<Listener>();
  readonly #asides = new Set<Promise<void>>();
  #ended: Promise<void> | undefined;

  /** A session that is not open yet. */
  constructor(options: ServerSessionOptions) {
    this.#options = options;
    const { settings, drops } = options;
    this.wire = new SessionWire({
      ...options,
      onOther: (message) => this.receive([message]),
      onReplaced: () => this.#restore(),
    });
    const ask = this.wire.ask.bind(this.wire);
    this.levels = new SessionLevels(ask);
    this.subscriptions = new ResourceSubscriptions(ask, (method) => drops.count(method));
    this.standing = new StandingStream({
      settings,
      listen: (lastEventId) => this.wire.listen(lastEventId),
      receive: (messages) => this.receive(messages),
      onGap: () => this.#tellMissed(),
      onBroken: (error) => {
        for (const listener of [...this.#listeners]) listener.fail(error);
      },
    });
  }

  /** See `ServerSessionOptions`. */
  get kind(): string {
    return this.#options.kind;
  }

  /** Requests under way. */
  get size(): number {
    return this.#byId.size;
  }

  /** The text of what the server says it is; undefined where it does not say. */
  get serverInfo(): string | undefined {
    return memberOf(this.wire.initialized, "serverInfo");
  }

  /** A capability of the server's, by its path. */
  has(...path: readonly string[]): boolean {
    const found = at(this.#capabilities, ...path);
    return found === true || isRecord(found);
  }

  get #capabilities(): unknown {
    return at(readBody(this.wire.initialized)?.messages[0]?.value, "capabilities");
  }

  /**
   * Opens it, and its standing stream where the server may ask on that.
   *
   * @throws {SessionRefused} where the server will not have it
   * @throws {ProxyError} where the server could not be asked
   */
  async open(): Promise<void> {
    await this.wire.open();
    if (this.#options.mayAsk) await this.standing.openSoon();
  }

  /** A request begins, under this id and progress token. */
  enter(participant: Participant, id: Key, token: Key | undefined): void {
    this.#byId.set(id, participant);
    if (token !== undefined) this.#byToken.set(token, participant);
  }

  /** It is over. */
  leave(participant: Participant, id: Key, token: Key | undefined): void {
    this.#byId.delete(id);
    if (token !== undefined) this.#byToken.delete(token);
    this.levels.leave(participant);
  }

  /** Somebody listens. */
  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Nobody is told any more; what was subscribed to is given back. */
  unlisten(listener: Listener): void {
    this.#listeners.delete(listener);
    this.aside(RESOURCE_UPDATED, () => this.subscriptions.remove(listener));
  }

  /** Messages that came together and belong to the answer of no request. */
  receive(messages: readonly RpcText[]): void {
    const told = new Set<Participant>();
    for (const message of messages) {
      for (const taker of this.#takersOf(message)) {
        taker.receive(message);
        told.add(taker);
      }
    }
    for (const participant of told) participant.received();
  }

  /**
   * A change that the server tells of, or the end of an elicitation that a request waits for, wherever it does;
   * false for another notification.
   */
  announce(message: RpcText): boolean {
    const { method } = message.value;
    if (method === ELICITATION_COMPLETE) return this.#completed(message);
    if (method === RESOURCE_UPDATED) {
      const uri = at(message.value, "params", "uri");
      if (typeof uri !== "string") return true;
      for (const listener of this.subscriptions.concerned(uri)) listener.changed(message);
      return true;
    }
    if (typeof method !== "string" || !/^notifications\/\w+\/list_changed$/.test(method)) {
      return false;
    }
    if (method === TOOLS_CHANGED) this.#options.onToolsChanged();
    for (const listener of this.#listeners) listener.changed(message);
    return true;
  }

  /** Answers a request of the server. */
  answer(idText: string, result: string): void {
    this.tell("(answer to the server)", `{"jsonrpc":"2.0","id":${idText},"result":${result}}`);
  }

  /** Refuses a request of the server. */
  refuse(idText: string, message: string, code = METHOD_NOT_FOUND): void {
    const error = JSON.stringify({ code, message });
    this.tell("(answer to the server)", `{"jsonrpc":"2.0","id":${idText},"error":${error}}`);
  }

  /** Counts what could not be delivered. */
  drop(name: string): void {
    this.#options.drops.count(name);
  }

  /** Sends what gets no answer, and for which nobody waits. */
  tell(name: string, text: string, generation = this.wire.generation): void {
    this.aside(name, async () => {
      if (!await this.wire.notify(text, generation)) this.#options.drops.count(name);
    });
  }

  /** Does something for which nobody waits; so much of it at one time, the rest is dropped and counted. */
  aside(name: string, act: () => Promise<void>): void {
    const { drops, settings: { bounds } } = this.#options;
    if (this.#asides.size >= bounds.maxAside) return drops.count(name);
    const done = act().catch(() => drops.count(name)).finally(() => this.#asides.delete(done));
    this.#asides.add(done);
  }

  /** Ends it, at the server too once all is said. Never rejects. */
  end(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  #completed(message: RpcText): boolean {
    const id = keyOf(textAt(message, ["params", "elicitationId"]));
    if (id === undefined) return false;
    // Several may wait for the same one.
    return this.#byId.values().filter((one) => one.completed(id)).toArray().length > 0;
  }

  async #end(): Promise<void> {
    this.standing.end();
    while (this.#asides.size > 0) await Promise.all(this.#asides);
    await this.wire.terminate().catch(() => this.#options.drops.count("(end of a session)"));
  }

  async #restore(): Promise<void> {
    // What was learnt in the old one may be true no longer, whether anybody listens or not.
    this.#options.onToolsChanged();
    await this.levels.restore();
    await this.subscriptions.restore();
    // Behind them, so that whoever is told then what may have changed misses nothing after it.
    this.standing.restart();
  }

  /** Nobody knows what the server would have told meanwhile, so all may have changed. */
  #tellMissed(): void {
    this.#options.onToolsChanged();
    const lists = changingLists(this.#capabilities);
    for (const message of missedChanges(lists, [])) this.announce(message);
    // By the very URI: to look for all that it is a part of would take its time with thousands of them.
    for (const [uri, listeners] of this.subscriptions.all) {
      for (const message of missedChanges([], [uri])) {
        for (const listener of listeners) listener.changed(message);
      }
    }
  }

  #takersOf(message: RpcText): readonly Participant[] {
    const kind = kindOf(message);
    if (kind === "request") return this.#takersOfRequest(message);
    if (kind === "notification") {
      if (this.announce(message)) return [];
      const takers = this.#takersOfNotification(message);
      if (takers.length > 0) return takers;
    }
    this.#options.drops.count(kind === "notification" ? `${message.value.method}` : "(response)");
    return [];
  }

  #takersOfNotification(message: RpcText): readonly Participant[] {
    const { method } = message.value;
    if (method === "notifications/progress") {
      const taker = this.#byToken.get(keyOf(textAt(message, ["params", "progressToken"])) ?? "");
      return taker === undefined ? [] : [taker];
    }
    // Whoever was asked what is withdrawn knows it by its id; to the others it says nothing.
    if (method === "notifications/cancelled") return [...this.#byId.values()];
    if (method !== "notifications/message") return [];
    // What names no request belongs to the only one that it can be about.
    return onlyOne(this.#byId.values().filter(({ logLevel }) => logLevel !== undefined));
  }

  #takersOfRequest(message: RpcText): readonly Participant[] {
    const idText = textAt(message, ["id"])!;
    if (message.value.method === "ping") {
      this.answer(idText, "{}");
      return [];
    }
    const takers = onlyOne(this.#byId.values().filter(({ canBeAsked }) => canBeAsked));
    if (takers.length === 0) {
      this.refuse(idText, "No client can be told which of its requests this belongs to.");
    }
    return takers;
  }
}

/** All of them where there is one, none where there are several. */
function onlyOne<T>(found: Iterable<T>): readonly T[] {
  const all = [...found];
  return all.length === 1 ? all : [];
}
