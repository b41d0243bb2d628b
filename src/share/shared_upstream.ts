/**
 * An upstream whose session-era clients share sessions: to a front it looks like any other.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import {
  again,
  at,
  declared,
  decode,
  Drops,
  emptyAnswer,
  encode,
  jsonAnswer,
  noMember,
  readBody,
  type RpcText,
  textAt,
  withTexts,
} from "../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { Hub } from "./hub.ts";
import { Member } from "./member.ts";
import { PRINCIPAL_SHARE, type Settings, settings, type SharedOptions } from "./options.ts";

/** How long servers may take to be told that sessions are over, before their connections are closed, in milliseconds. */
const FAREWELL_MS = 2_000;

/** Random bytes in the id of a member: 256 bits. */
const MEMBER_ID_BYTES = 32;
/** What a request of 2026-07-28 and later has in `params._meta`; such a request has no session. */
const MODERN = "io.modelcontextprotocol/protocolVersion";

/** Figures for the admin pages. */
export interface SharedStats {
  /** Upstream sessions. */
  readonly hubs: number;
  /** Client sessions on them. */
  readonly members: number;
  /** Client sessions that listen for what the server says by itself. */
  readonly listening: number;
  /** Requests under way. */
  readonly inFlight: number;
  /** Messages that could not be delivered, by method. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Listeners that lost their queue because they did not read. */
  readonly slowMembers: number;
}

/** An upstream that is shared. */
export interface SharedUpstream extends Upstream {
  /** What is going on. */
  stats(): SharedStats;
}

/** A member and where it belongs. */
interface Place {
  readonly member: Member;
  readonly hub: Hub;
  readonly principal: string;
}

/**
 * Shares the sessions of `upstream`, which it owns and closes, between clients of one principal that ask for
 * one revision with one query. Calls that have no session pass untouched.
 */
export function sharedUpstream(upstream: Upstream, options: SharedOptions): SharedUpstream {
  const shared = new Sharing(upstream, settings(options));
  return {
    exchange: (call, body) => shared.exchange(call, body),
    notify: (call, body) => {
      if (call.sessionId === undefined) return upstream.notify(call, body);
      return shared.of(call, ({ hub, member }) => hub.notify(member, call, body), body);
    },
    listen: (call) => {
      if (call.sessionId === undefined) return upstream.listen(call);
      return shared.of(call, ({ hub, member }) => hub.listen(member, call));
    },
    terminate: (call) => {
      if (call.sessionId === undefined) return upstream.terminate(call);
      return shared.of(call, (place) => Promise.resolve(shared.terminate(place)));
    },
    close: () => shared.close(),
    stats: () => shared.stats(),
  };
}

/** All hubs and members of one upstream. */
class Sharing {
  readonly #upstream: Upstream;
  readonly #settings: Settings;
  readonly #hubs = new Map<string, Hub>();
  /** In the order of last use. */
  readonly #places = new Map<string, Place>();
  readonly #drops = new Drops();
  #sweep: Timer | undefined;
  #closed = false;

  constructor(upstream: Upstream, settings: Settings) {
    this.#upstream = upstream;
    this.#settings = settings;
  }

  async exchange(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> {
    if (call.sessionId !== undefined) {
      return await this.of(call, ({ hub, member }) => hub.exchange(member, call, body), body);
    }
    const message = readBody(decode(body))?.messages[0];
    if (message === undefined || !opensSession(message)) {
      return await this.#upstream.exchange(call, body);
    }
    return await this.#join(call, message);
  }

  /** Does something for the member that a call names; 404 where there is none, or it is somebody else's (R72). */
  async of(
    call: UpstreamCall,
    act: (place: Place) => Promise<UpstreamAnswer>,
    body?: Uint8Array,
  ): Promise<UpstreamAnswer> {
    const place = this.#places.get(call.sessionId!);
    if (place === undefined || place.principal !== call.principal) {
      return noMember(this.#settings.clock, body && idOf(body));
    }
    this.#touch(place);
    return await act(place);
  }

  terminate(place: Place): UpstreamAnswer {
    this.#leave(place);
    return emptyAnswer(this.#settings.clock, 200);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sweep?.cancel();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = this.#settings.clock.after(FAREWELL_MS, resolve);
    await Promise.race([Promise.all([...this.#hubs.values()].map((hub) => hub.retire())), late]);
    timer.cancel();
    await this.#upstream.close();
  }

  stats(): SharedStats {
    const hubs = [...this.#hubs.values()];
    const sum = (of: (hub: Hub) => number) => hubs.reduce((total, hub) => total + of(hub), 0);
    return {
      hubs: hubs.length,
      members: this.#places.size,
      listening: sum((hub) => hub.listening),
      inFlight: sum((hub) => hub.inFlight),
      dropped: this.#drops.counts,
      slowMembers: this.#drops.slowMembers,
    };
  }

  /** A client's `initialize`: the first one of its kind makes the upstream session, the others join it. */
  async #join(call: UpstreamCall, message: RpcText): Promise<UpstreamAnswer> {
    const { clock } = this.#settings;
    const idText = textAt(message, ["id"])!;
    const revision = at(message.value, "params", "protocolVersion");
    if (typeof revision !== "string") {
      const sentence = "initialize has to name a protocolVersion.";
      throw new ProxyError("invalid_params", sentence, { idText });
    }
    if (this.#closed) throw ended();
    this.#ensureRoom();
    const hub = this.#hubFor(call, revision);
    const refusal = await hub.open();
    if (refusal !== undefined) {
      return again(clock, { ...refusal, bytes: renamed(refusal.bytes, idText) });
    }
    if (call.signal.aborted) throw new ProxyError("client_closed", "The client has gone.");
    if (hub.isOver) throw ended();
    this.#ensureRoom();
    const capabilities = at(message.value, "params", "capabilities");
    const member = new Member(
      this.#newId(),
      declared(capabilities),
      clock.monotonicMs(),
    );
    hub.join(member);
    this.#places.set(member.id, { member, hub, principal: call.principal });
    this.#watch();
    const text = `{"jsonrpc":"2.0","id":${idText},"result":${hub.resultFor(member)}}`;
    return { ...jsonAnswer(clock, 200, text), sessionId: member.id };
  }

  #hubFor({ principal, query }: UpstreamCall, revision: string): Hub {
    const key = JSON.stringify([principal, revision, query]);
    const found = this.#hubs.get(key);
    if (found !== undefined) return found;
    this.#ensureHubRoom(principal);
    const hub = new Hub({
      settings: this.#settings,
      upstream: this.#upstream,
      principal,
      query,
      revision,
      drops: this.#drops,
      onOver: (over) => {
        if (this.#hubs.get(key) === over) this.#hubs.delete(key);
        for (const [id, place] of this.#places) if (place.hub === over) this.#places.delete(id);
      },
    });
    this.#hubs.set(key, hub);
    return hub;
  }

  #leave({ hub, member }: Place): void {
    this.#places.delete(member.id);
    hub.leave(member);
  }

  #touch(place: Place): void {
    const { member } = place;
    member.lastUsedMs = this.#settings.clock.monotonicMs();
    this.#places.delete(member.id);
    this.#places.set(member.id, place);
  }

  /** @throws {ProxyError} `sessions_exhausted` where no member is idle that could give way */
  #ensureRoom(): void {
    if (this.#places.size < this.#settings.maxMembers) return;
    const idle = this.#places.values().find(({ member }) => !member.busy);
    if (idle === undefined) throw exhausted();
    this.#leave(idle);
  }

  /**
   * Has an idle hub give way where there are as many as there may be, for the principal or in all.
   *
   * @throws {ProxyError} `principal_exhausted` or `sessions_exhausted` where none is idle
   */
  #ensureHubRoom(principal: string): void {
    const { anonymous, bounds: { maxHubs } } = this.#settings;
    if (principal !== anonymous) {
      const own = [...this.#hubs.values()].filter((hub) => hub.principal === principal);
      const maxOwn = Math.max(1, Math.floor(maxHubs / PRINCIPAL_SHARE));
      if (own.length >= maxOwn && !this.#dropIdleOf(own)) throw principalExhausted();
    }
    if (this.#hubs.size < maxHubs) return;
    if (!this.#dropIdleOf([...this.#hubs.values()])) throw exhausted();
  }

  /** Ends a hub without members, or else one whose members were all idle; false where there is none. */
  #dropIdleOf(hubs: readonly Hub[]): boolean {
    const { clock, bounds: { idleMs } } = this.#settings;
    const sinceMs = clock.monotonicMs() - idleMs;
    const idle = hubs.find(({ size }) => size === 0) ??
      hubs.find((hub) => hub.isUnusedSince(sinceMs));
    void idle?.retire();
    return idle !== undefined;
  }

  /** Looks after members that were forgotten by who has their ids: nobody tells of that. */
  #watch(): void {
    const { clock, memberIdleMs } = this.#settings;
    if (this.#closed || this.#sweep !== undefined) return;
    this.#sweep = clock.after(memberIdleMs, () => {
      this.#sweep = undefined;
      for (const place of [...this.#places.values()]) {
        const { member } = place;
        if (member.busy) this.#touch(place);
        else if (clock.monotonicMs() - member.lastUsedMs < memberIdleMs) break;
        else this.#leave(place);
      }
      if (this.#places.size > 0) this.#watch();
    });
  }

  #newId(): string {
    const bytes = this.#settings.clock.randomBytes(MEMBER_ID_BYTES);
    return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  }
}

function opensSession({ value }: RpcText): boolean {
  return value.method === "initialize" && Object.hasOwn(value, "id") &&
    at(value, "params", "_meta", MODERN) === undefined;
}

function idOf(body: Uint8Array): string | undefined {
  const read = readBody(decode(body));
  if (read === undefined || read.batch || typeof read.messages[0]!.value.method !== "string") {
    return undefined;
  }
  return textAt(read.messages[0]!, ["id"]);
}

/** A refusal of the proxy's own `initialize`, with the id of a client's. */
function renamed(bytes: Uint8Array<ArrayBuffer>, idText: string): Uint8Array<ArrayBuffer> {
  const message = readBody(decode(bytes))?.messages[0];
  return message === undefined ? bytes : encode(withTexts(message, [["id"], idText]));
}

function ended(): ProxyError {
  return new ProxyError("upstream_closed", "The shared upstream session has ended.");
}

function principalExhausted(): ProxyError {
  return new ProxyError(
    "principal_exhausted",
    "You have as many shared upstream sessions as you may; use fewer queries, or try again later.",
    { headers: { "retry-after": "10" } },
  );
}

function exhausted(): ProxyError {
  return new ProxyError(
    "sessions_exhausted",
    "The proxy holds as many sessions as it may; try again later.",
    { headers: { "retry-after": "10" } },
  );
}
