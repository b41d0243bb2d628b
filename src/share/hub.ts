/**
 * One upstream session and the clients that share it.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Timer } from "../clock.ts";
import {
  again,
  type Drops,
  emptyAnswer,
  encode,
  errorAnswer,
  type KeptAnswer,
  noMember,
  QueuedStream,
  Turns,
} from "../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { InFlight } from "./in_flight.ts";
import { answeredHere, incoming, resumed, streamHead } from "./incoming.ts";
import { Listening } from "./listening.ts";
import type { Member } from "./member.ts";
import { renamed } from "./names.ts";
import type { Settings } from "./options.ts";
import { outgoing } from "./outgoing.ts";
import { giveBack, restore } from "./own_methods.ts";
import { receive, tellMissed, withdraw } from "./routing.ts";
import { ServerRequests } from "./server_requests.ts";
import { UpstreamSession } from "./session.ts";
import type { HubState } from "./state.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Whose calls a hub takes, and what it tells. */
export interface HubOptions {
  /** Settings. */
  readonly settings: Settings;
  /** The server. */
  readonly upstream: Upstream;
  /** Whose calls: sessions of different principals share nothing. */
  readonly principal: string;
  /** The query of their calls. */
  readonly query: string;
  /** The revision that they asked for. */
  readonly revision: string;
  /** What could not be delivered, at any hub. */
  readonly drops: Drops;
  /** Told once when it is of no use any more: its members are to forget it. */
  readonly onOver: (hub: Hub) => void;
}

/** A hub; it opens its session when it is asked to. */
export class Hub {
  readonly #options: HubOptions;
  readonly #state: HubState;
  readonly #listening: Listening;
  #ownMessages = 0;
  #idle: Timer | undefined;
  #over = false;

  /** A hub without members. */
  constructor(options: HubOptions) {
    const { settings, drops } = options;
    this.#options = options;
    const inFlight = new InFlight(settings.bounds);
    const session: UpstreamSession = new UpstreamSession({
      ...options,
      serial: () => inFlight.serial(),
      onOther: (message) => void receive(this.#state, message),
      onReplaced: () => this.#state.serverRequests.clear(),
      restore: () => this.#restore(),
      onLost: () => this.end(),
    });
    this.#state = {
      settings,
      session,
      drops,
      inFlight,
      members: new Set(),
      listeners: new Set(),
      serverRequests: new ServerRequests(settings.bounds.maxServerRequests),
      subscriptions: new Subscriptions(),
      turns: new Turns(),
      logLevel: undefined,
      aside: (name, act) => void this.#aside(name, act),
    };
    this.#listening = new Listening({
      ...settings,
      listen: (lastEventId) => session.listen(lastEventId),
      receive: (message) => void receive(this.#state, message),
      onGap: () => tellMissed(this.#state),
      onDropped: (name) => drops.count(name),
      onBroken: (error) => this.#endStreams(error),
    });
  }

  /** Whose calls it takes. */
  get principal(): string {
    return this.#options.principal;
  }

  /** Whether no member has used it since then, on the clock's monotonic scale, nor does now. */
  isUnusedSince(sinceMs: number): boolean {
    const members = this.#state.members.values();
    return members.every(({ busy, lastUsedMs }) => !busy && lastUsedMs <= sinceMs);
  }

  /** How many members it has. */
  get size(): number {
    return this.#state.members.size;
  }

  /** How many of them listen. */
  get listening(): number {
    return this.#state.listeners.size;
  }

  /** Requests of members under way. */
  get inFlight(): number {
    return this.#state.inFlight.size;
  }

  /** Whether it is of no use any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** The text of the server's `InitializeResult` for a member. */
  resultFor({ id }: Member): string {
    const { result, written } = this.#state.session;
    return renamed(result, written, id);
  }

  /** Opens its upstream session; undefined where it is open, otherwise what the server said. */
  async open(): Promise<KeptAnswer | undefined> {
    try {
      const refusal = await this.#state.session.open();
      if (refusal !== undefined) this.end();
      else if (this.size === 0) this.#startIdling();
      return refusal;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Takes a member in. */
  join(member: Member): void {
    this.#idle?.cancel();
    this.#state.members.add(member);
  }

  /** Lets a member go: what it has is given back, and the session ends some time after the last. */
  leave(member: Member): void {
    const { members, serverRequests, inFlight, session } = this.#state;
    if (!members.delete(member)) return;
    member.gone = true;
    for (const given of [...member.given]) withdraw(this.#state, given, "The client has gone.");
    serverRequests.forgetElicitations(member);
    for (const exchange of [...member.exchanges]) {
      const { generation } = exchange;
      for (const { answered, upstreamId } of exchange.requests.values()) {
        if (!answered) {
          this.#aside(
            "notifications/cancelled",
            () => session.tell(cancelled(upstreamId), generation),
          );
        }
      }
      exchange.body?.end();
      inFlight.close(exchange);
    }
    for (const stream of [...member.streams]) stream.end();
    giveBack(this.#state, member);
    if (members.size === 0) this.#startIdling();
  }

  /** Sends a member's body that holds a request. */
  async exchange(
    member: Member,
    call: UpstreamCall,
    body: Uint8Array,
  ): Promise<UpstreamAnswer> {
    const { session, inFlight } = this.#state;
    const out = await outgoing(this.#state, member, body);
    const { exchange, asks, tells, generation } = out;
    try {
      if (tells !== undefined) {
        (await session.notify(call, encode(tells), generation)).body.discard();
      }
      if (asks === undefined) {
        inFlight.close(exchange);
        return out.answers.length > 0
          ? answeredHere(this.#state, out)
          : emptyAnswer(this.#state.settings.clock, 202);
      }
      const answer = await session.exchange(call, encode(asks), () => {
        exchange.generation = session.generation;
      }, exchange.onlyId);
      if (!member.gone) return await incoming(this.#state, out, answer, call.signal);
      answer.body.discard();
      throw new ProxyError("session_not_found", "This session has ended.");
    } catch (error) {
      inFlight.close(exchange);
      throw error;
    }
  }

  /** Sends a member's notifications and responses. */
  async notify(member: Member, call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> {
    const { inFlight, session, settings: { clock } } = this.#state;
    const { exchange, tells, generation } = await outgoing(this.#state, member, body);
    inFlight.close(exchange);
    if (tells === undefined) return emptyAnswer(clock, 202);
    const answer = await session.notify(call, encode(tells), generation);
    return { ...answer, sessionId: undefined };
  }

  /** Opens a stream for a member, or goes on with one. */
  async listen(member: Member, call: UpstreamCall): Promise<UpstreamAnswer> {
    const { clock, bounds } = this.#state.settings;
    const lastEventId = call.lastEventId === undefined
      ? call.headers.get("last-event-id")
      : call.lastEventId;
    if (lastEventId !== null) return await this.#resume(member, call, lastEventId);
    if (member.streams.length >= bounds.maxMemberStreams) {
      const sentence = "This session listens on as many streams as it may.";
      return { ...errorAnswer(clock, new ProxyError("method_not_allowed", sentence)), status: 409 };
    }
    const refusal = await this.#listening.open();
    if (refusal !== undefined) return again(clock, refusal);
    if (member.gone || this.#over) {
      if (this.listening === 0) this.#listening.close();
      return noMember(clock);
    }
    const stream = this.#openStream(member);
    return { status: 200, headers: streamHead(), sessionId: undefined, kind: "sse", body: stream };
  }

  /** Ends everything here, without a word to the server. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#idle?.cancel();
    this.#listening.end();
    this.#endStreams(new ProxyError("upstream_closed", "The shared upstream session has ended."));
    this.#options.onOver(this);
  }

  /** Ends it, and its session at the server; resolves when that knows. Never rejects. */
  async retire(): Promise<void> {
    this.end();
    await this.#aside("(end of the session)", () => this.#state.session.terminate());
  }

  async #resume(member: Member, call: UpstreamCall, lastEventId: string): Promise<UpstreamAnswer> {
    const exchange = member.exchanges.values().find((one) => one.hasEventId(lastEventId));
    if (exchange === undefined) {
      const sentence =
        "This session has no event with the id in Last-Event-ID, or holds its stream " +
        "no longer; open a stream without it.";
      return errorAnswer(this.#state.settings.clock, new ProxyError("event_not_found", sentence));
    }
    const { session } = this.#state;
    const answer = await session.resume(call, lastEventId, exchange.generation);
    if (!member.gone) return resumed(this.#state, exchange, answer);
    answer.body.discard();
    return noMember(this.#state.settings.clock);
  }

  #openStream(member: Member): QueuedStream {
    const { listeners, settings: { bounds }, drops } = this.#state;
    const stream = new QueuedStream(bounds, {
      over: (which) => {
        member.streams.splice(member.streams.indexOf(which), 1);
        if (member.streams.length > 0) return;
        listeners.delete(member);
        if (listeners.size === 0) this.#listening.close();
      },
      overflowed: () => {
        drops.slowMembers++;
        // They may have stood in the queue; the server must not wait for ever.
        for (const given of [...member.given]) {
          if (given.byListening) withdraw(this.#state, given, "The client does not read.");
        }
      },
    });
    member.streams.push(stream);
    listeners.add(member);
    return stream;
  }

  #endStreams(error: ProxyError): void {
    for (const member of [...this.#state.listeners]) {
      for (const stream of [...member.streams]) stream.breakOff(error);
    }
  }

  async #restore(): Promise<void> {
    await restore(this.#state);
    this.#listening.restart();
  }

  /** Keeps the session a while for who comes next, then ends it at the server. */
  #startIdling(): void {
    if (this.#over) return;
    const { clock, bounds } = this.#state.settings;
    this.#idle?.cancel();
    this.#idle = clock.after(bounds.idleMs, () => {
      if (this.size === 0) void this.retire();
    });
  }

  async #aside(name: string, act: () => Promise<unknown>): Promise<void> {
    const { drops, settings: { bounds } } = this.#state;
    if (this.#ownMessages >= bounds.maxOwnMessages) return drops.count(name);
    this.#ownMessages++;
    try {
      await act();
    } catch {
      drops.count(name);
    } finally {
      this.#ownMessages--;
    }
  }
}

function cancelled(upstreamId: string): string {
  return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${upstreamId}}}`;
}
