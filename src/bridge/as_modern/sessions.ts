/**
 * The sessions that the bridge has at the server, and who uses them.
 *
 * A named principal has one for each set of capabilities and credentials, used by all its requests at once, or
 * several, where questions of the server do not tell which request they belong to.
 * An anonymous caller has one for each request, out of a stock of those that are initialised already: nothing
 * that one caller leaves in a session is there for another.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import { NOTHING_SENT, ProxyError, stopping } from "../../errors.ts";
import { canTake, type Drops } from "../../rpc/mod.ts";
import type { Upstream, UpstreamCall } from "../../upstream/mod.ts";
import { credentialsIn } from "../credentials.ts";
import { type ClientRequest, digest } from "./client_request.ts";
import type { Settings } from "./options.ts";
import { CAN_ASK } from "./questions.ts";
import { ServerSession } from "./server_session.ts";

/** The use of a session, until it is released. */
export interface Lease {
  /** The session, open. */
  readonly session: ServerSession;
  /** Gives it back, once; `unspoilt` where nothing was sent in it for a client. */
  release(unspoilt?: boolean): void;
}

/** What sessions are made for; those of one kind can stand in for each other. */
interface Kind {
  readonly key: string;
  readonly principal: string;
  readonly call: UpstreamCall;
  readonly request: ClientRequest;
}

/** What says of which kind a session for this request is: equal texts, equal kinds. */
export function kindOf(
  { principal, query, headers }: UpstreamCall,
  request: ClientRequest,
  { withheld }: Pick<Settings, "withheld">,
): string {
  const said = [principal, query, request.declared.key, credentialsIn(headers, withheld)];
  return digest(JSON.stringify(said));
}

/** A session that is kept for its principal. */
interface Kept {
  readonly session: ServerSession;
  readonly principal: string;
  readonly opened: Promise<void>;
  uses: number;
  /** How many of the uses are requests that the server may ask something for. */
  askable: number;
  idle: Timer | undefined;
}

/** A session that waits for an anonymous caller. */
interface Stocked {
  readonly session: ServerSession;
  readonly idle: Timer;
}

/** All sessions of one server. */
export class Sessions {
  readonly #server: Upstream;
  readonly #settings: Settings;
  readonly #drops: Drops;
  readonly #onToolsChanged: () => void;
  /** All that the server may know of, those that are being opened or ended too. */
  readonly #all = new Set<ServerSession>();
  /** In the order of last use. */
  readonly #kept = new Map<string, Kept>();
  readonly #stock = new Map<string, Stocked[]>();
  /** How many use those of anonymous callers that any number can use at once. */
  readonly #users = new Map<ServerSession, number>();
  /** Kinds whose stock is to be filled. */
  readonly #toFill = new Map<string, Kind>();
  /** How many sessions are being opened for the stock of each kind. */
  readonly #filling = new Map<string, number>();
  #fillTimer: Timer | undefined;
  #closed = false;

  /** None yet. */
  constructor(server: Upstream, settings: Settings, drops: Drops, onToolsChanged: () => void) {
    this.#server = server;
    this.#settings = settings;
    this.#drops = drops;
    this.#onToolsChanged = onToolsChanged;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** How many of them wait for anonymous callers. */
  get stocked(): number {
    return this.#stock.values().reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * A session for a request; `alone` where an anonymous caller may not share it even where sessions are shared.
   *
   * @throws {SessionRefused} where the server will not have it
   * @throws {ProxyError} `principal_exhausted`, `sessions_exhausted`; where the server could not be asked
   */
  async take(call: UpstreamCall, request: ClientRequest, alone = false): Promise<Lease> {
    if (this.#closed) throw stopping(NOTHING_SENT);
    const { anonymous, sharesSessions } = this.#settings;
    const { principal } = call;
    const kind: Kind = { key: kindOf(call, request, this.#settings), principal, call, request };
    const isOwn = principal === anonymous && (alone || !sharesSessions);
    const isAskable = CAN_ASK.has(request.method) && mayAsk(request);
    const lease = await (isOwn ? this.#takeOwn(kind) : this.#takeKept(kind, isAskable));
    // It was ended with all others.
    if (this.#closed) throw stopping(NOTHING_SENT);
    return lease;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { idle } of this.#kept.values()) idle?.cancel();
    for (const { idle } of [...this.#stock.values()].flat()) idle.cancel();
    this.#fillTimer?.cancel();
    this.#kept.clear();
    this.#stock.clear();
    const { clock, bounds: { closeMs } } = this.#settings;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = clock.after(closeMs, resolve);
    await Promise.race([Promise.all([...this.#all].map((session) => this.#end(session))), late]);
    timer.cancel();
  }

  async #takeKept(kind: Kind, isAskable: boolean): Promise<Lease> {
    const key = isAskable ? this.#keyApart(kind) : kind.key;
    const kept = this.#kept.get(key) ?? this.#keep(key, kind);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.idle?.cancel();
    kept.uses++;
    if (isAskable) kept.askable++;
    try {
      await kept.opened;
    } catch (error) {
      this.#forget(key, kept);
      throw error;
    }
    const release = once(() => this.#releaseKept(key, kept, isAskable));
    return { session: kept.session, release };
  }

  /**
   * The session for a request that the server may ask something for: where questions do not tell which request
   * they belong to, one in which no other such request is under way, as long as there is room for so many.
   */
  #keyApart({ key, principal }: Kind): string {
    const { asksApart, bounds: { maxPrincipalSessions, maxSessions } } = this.#settings;
    if (asksApart) return key;
    for (let number = 0; number < maxPrincipalSessions; number++) {
      const name = number === 0 ? key : `${key} ${number}`;
      const kept = this.#kept.get(name);
      if (kept !== undefined && kept.askable > 0) continue;
      const hasRoom = this.#all.size < maxSessions &&
        this.#of(principal).length < maxPrincipalSessions;
      return kept !== undefined || hasRoom ? name : key;
    }
    return key;
  }

  #of(principal: string): [key: string, kept: Kept][] {
    return [...this.#kept].filter(([, kept]) => kept.principal === principal);
  }

  #keep(key: string, kind: Kind): Kept {
    const { principal } = kind;
    this.#makeRoomFor(principal);
    const session = this.#newSession(kind, kind.request.clientInfo);
    const opened = session.open();
    const kept: Kept = { session, principal, opened, uses: 0, askable: 0, idle: undefined };
    this.#kept.set(key, kept);
    return kept;
  }

  #releaseKept(key: string, kept: Kept, isAskable: boolean): void {
    kept.uses--;
    if (isAskable) kept.askable--;
    if (kept.uses > 0 || this.#closed) return;
    const { clock, bounds: { sessionIdleMs } } = this.#settings;
    kept.idle = clock.after(sessionIdleMs, () => this.#forget(key, kept));
  }

  #forget(key: string, kept: Kept): void {
    kept.idle?.cancel();
    if (this.#kept.get(key) === kept) this.#kept.delete(key);
    void this.#end(kept.session);
  }

  async #takeOwn(kind: Kind): Promise<Lease> {
    const stocked = this.#stock.get(kind.key)?.at(-1);
    if (stocked !== undefined) this.#unstock(kind.key, stocked);
    const session = stocked?.session ?? await this.#openOwn(kind);
    // What has no id is no session at the server: nothing is left in it, and any number can use it at once.
    if (!session.wire.hasId) {
      this.#putBack(kind.key, session);
      this.#users.set(session, (this.#users.get(session) ?? 0) + 1);
      return { session, release: once(() => this.#releaseShared(kind.key, session)) };
    }
    this.#fillSoon(kind);
    return {
      session,
      release: once((unspoilt = false) => {
        if (!unspoilt || !this.#putBack(kind.key, session)) void this.#end(session);
      }),
    };
  }

  /** One of those who use it at once does so no more: it ends with the last, unless it is in stock. */
  #releaseShared(key: string, session: ServerSession): void {
    const left = this.#users.get(session)! - 1;
    if (left > 0) return void this.#users.set(session, left);
    this.#users.delete(session);
    const isStocked = this.#stock.get(key)?.some((one) => one.session === session) ?? false;
    if (!isStocked) void this.#end(session);
  }

  async #openOwn(kind: Kind): Promise<ServerSession> {
    this.#makeRoom();
    const session = this.#newSession(kind, kind.request.clientInfo);
    try {
      await session.open();
      return session;
    } catch (error) {
      void this.#end(session);
      throw error;
    }
  }

  /** Fills the stock for those who come next, behind what whoever has come now sends. */
  #fillSoon(kind: Kind): void {
    this.#toFill.set(kind.key, kind);
    this.#fillTimer ??= this.#settings.clock.after(0, () => {
      this.#fillTimer = undefined;
      const kinds = [...this.#toFill.values()];
      this.#toFill.clear();
      for (const one of kinds) this.#fill(one);
    });
  }

  #fill(kind: Kind): void {
    const { stockSize, maxStock, maxSessions } = this.#settings.bounds;
    const filling = () => this.#filling.get(kind.key) ?? 0;
    const missing = () => stockSize - (this.#stock.get(kind.key)?.length ?? 0) - filling();
    const coming = () => this.#filling.values().reduce((sum, count) => sum + count, 0);
    while (
      !this.#closed && missing() > 0 && this.#all.size < maxSessions &&
      this.stocked + coming() < maxStock
    ) {
      this.#filling.set(kind.key, filling() + 1);
      void this.#fillOne(kind);
    }
  }

  async #fillOne(kind: Kind): Promise<void> {
    const session = this.#newSession(kind, undefined);
    let isReady = false;
    try {
      await session.open();
      isReady = true;
    } catch (error) {
      this.#drops.count("(session in stock)");
      this.#settings.logger.debug("a session for later requests could not be opened", { error });
    }
    const left = this.#filling.get(kind.key)! - 1;
    if (left > 0) this.#filling.set(kind.key, left);
    else this.#filling.delete(kind.key);
    if (!isReady || !this.#putBack(kind.key, session)) void this.#end(session);
  }

  /** Puts a session into the stock; false where there is no room. */
  #putBack(key: string, session: ServerSession): boolean {
    const { clock, bounds: { stockSize, maxStock, stockIdleMs } } = this.#settings;
    const stock = this.#stock.get(key) ?? [];
    if (this.#closed || stock.length >= stockSize || this.stocked >= maxStock) return false;
    const stocked: Stocked = {
      session,
      idle: clock.after(stockIdleMs, () => this.#endStocked(key, stocked)),
    };
    stock.push(stocked);
    this.#stock.set(key, stock);
    return true;
  }

  #unstock(key: string, stocked: Stocked): void {
    stocked.idle.cancel();
    const left = (this.#stock.get(key) ?? []).filter((one) => one !== stocked);
    if (left.length > 0) this.#stock.set(key, left);
    else this.#stock.delete(key);
  }

  #endStocked(key: string, stocked: Stocked): void {
    this.#unstock(key, stocked);
    // Whoever uses it still listens on it, and ends it afterwards.
    if (!this.#users.has(stocked.session)) void this.#end(stocked.session);
  }

  /** @throws {ProxyError} where the principal has as many as it may, all in use */
  #makeRoomFor(principal: string): void {
    const { anonymous, bounds: { maxPrincipalSessions } } = this.#settings;
    const own = this.#of(principal);
    if (principal !== anonymous && own.length >= maxPrincipalSessions) {
      const idle = own.find(([, { uses }]) => uses === 0);
      if (idle === undefined) {
        throw new ProxyError(
          "principal_exhausted",
          "As many sessions with the server as you may have are in use; try again later.",
          { headers: { "retry-after": "10" } },
        );
      }
      this.#forget(...idle);
    }
    this.#makeRoom();
  }

  /** @throws {ProxyError} where there are as many as there may be, all in use */
  #makeRoom(): void {
    if (this.#all.size < this.#settings.bounds.maxSessions) return;
    const idle = [...this.#kept].find(([, { uses }]) => uses === 0);
    if (idle !== undefined) return this.#forget(...idle);
    const [first] = this.#stock;
    if (first !== undefined) return this.#endStocked(first[0], first[1][0]!);
    throw new ProxyError(
      "sessions_exhausted",
      "The proxy holds as many sessions with the server as it may; try again later.",
      { headers: { "retry-after": "10" } },
    );
  }

  #newSession(
    { key, principal, call, request }: Kind,
    clientInfo: string | undefined,
  ): ServerSession {
    const { declared } = request;
    const session = new ServerSession({
      settings: this.#settings,
      server: this.#server,
      drops: this.#drops,
      kind: key,
      onToolsChanged: this.#onToolsChanged,
      principal,
      query: call.query,
      headers: call.headers,
      capabilities: declared.text,
      clientInfo,
      mayAsk: mayAsk(request),
    });
    this.#all.add(session);
    return session;
  }

  async #end(session: ServerSession): Promise<void> {
    await session.end();
    this.#all.delete(session);
  }
}

/** Whether a client has declared anything that a server may ask for. */
function mayAsk({ declared: { capabilities } }: ClientRequest): boolean {
  return ["roots/list", "sampling/createMessage", "elicitation/create"]
    .some((method) => canTake(capabilities, method, {}));
}

function once(act: (unspoilt?: boolean) => void): (unspoilt?: boolean) => void {
  let isDone = false;
  return (unspoilt) => {
    if (isDone) return;
    isDone = true;
    act(unspoilt);
  };
}
