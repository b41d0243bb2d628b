/**
 * The sessions of anonymous callers: one for each request, out of a stock of those that are initialised already.
 * Nothing that one caller leaves in a session is there for another.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import type { Drops } from "../../rpc/mod.ts";
import { type Lease, lease } from "./lease.ts";
import type { OpenSessions } from "./open_sessions.ts";
import type { Settings } from "./options.ts";
import type { ServerSession } from "./server_session.ts";
import type { Kind } from "./session_kind.ts";

/** A session that waits for an anonymous caller. */
interface Stocked {
  readonly session: ServerSession;
  readonly idle: Timer;
}

/** What a stock works with. */
export interface SessionStockOptions {
  /** Settings. */
  readonly settings: Settings;
  /** All sessions at the server. */
  readonly sessions: OpenSessions;
  /** Counts those that could not be opened ahead. */
  readonly drops: Drops;
  /** Makes room for one more among all, or throws. */
  readonly makeRoom: () => void;
}

/** The stock of all kinds. */
export class SessionStock {
  readonly #options: SessionStockOptions;
  readonly #stock = new Map<string, Stocked[]>();
  /** How many use those that any number can use at once. */
  readonly #users = new Map<ServerSession, number>();
  /** Kinds whose stock is to be filled. */
  readonly #toFill = new Map<string, Kind>();
  /** How many sessions are being opened for the stock of each kind. */
  readonly #filling = new Map<string, number>();
  #fillTimer: Timer | undefined;
  #closed = false;

  /** Nothing is in stock yet. */
  constructor(options: SessionStockOptions) {
    this.#options = options;
  }

  /** How many are in stock. */
  get size(): number {
    return this.#stock.values().reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * A session for one request.
   *
   * @throws {SessionRefused} where the server will not have it
   * @throws {ProxyError} `sessions_exhausted`; where the server could not be asked
   */
  async take(kind: Kind): Promise<Lease> {
    const stocked = this.#stock.get(kind.key)?.at(-1);
    if (stocked !== undefined) this.#unstock(kind.key, stocked);
    const session = stocked?.session ?? await this.#open(kind);
    // What has no id is no session at the server: nothing is left in it, and any number can use it at once.
    if (!session.wire.hasId) {
      this.#putBack(kind.key, session);
      this.#users.set(session, (this.#users.get(session) ?? 0) + 1);
      return lease(session, () => this.#releaseShared(kind.key, session));
    }
    this.#fillSoon(kind);
    return lease(session, (unspoilt) => {
      if (!unspoilt || !this.#putBack(kind.key, session)) this.#end(session);
    });
  }

  /** Ends one that is in stock; false where there is none. */
  endOne(): boolean {
    const [first] = this.#stock;
    if (first === undefined) return false;
    const [key, [stocked]] = first;
    this.#endStocked(key, stocked!);
    return true;
  }

  /** Nothing is in stock any more; the sessions are still to be ended. */
  close(): void {
    this.#closed = true;
    for (const { idle } of [...this.#stock.values()].flat()) idle.cancel();
    this.#fillTimer?.cancel();
    this.#stock.clear();
  }

  /** One of those who use it at once does so no more: it ends with the last, unless it is in stock. */
  #releaseShared(key: string, session: ServerSession): void {
    const left = this.#users.get(session)! - 1;
    if (left > 0) return void this.#users.set(session, left);
    this.#users.delete(session);
    const isStocked = this.#stock.get(key)?.some((one) => one.session === session) ?? false;
    if (!isStocked) this.#end(session);
  }

  async #open(kind: Kind): Promise<ServerSession> {
    const { sessions, makeRoom } = this.#options;
    makeRoom();
    const session = sessions.add(kind, kind.request.clientInfo);
    try {
      await session.open();
      return session;
    } catch (error) {
      this.#end(session);
      throw error;
    }
  }

  /** Fills the stock for those who come next, behind what whoever has come now sends. */
  #fillSoon(kind: Kind): void {
    this.#toFill.set(kind.key, kind);
    this.#fillTimer ??= this.#options.settings.clock.after(0, () => {
      this.#fillTimer = undefined;
      const kinds = [...this.#toFill.values()];
      this.#toFill.clear();
      for (const one of kinds) this.#fill(one);
    });
  }

  #fill(kind: Kind): void {
    const { sessions, settings: { bounds: { stockSize, maxStock } } } = this.#options;
    const filling = () => this.#filling.get(kind.key) ?? 0;
    const missing = () => stockSize - (this.#stock.get(kind.key)?.length ?? 0) - filling();
    const coming = () => this.#filling.values().reduce((sum, count) => sum + count, 0);
    while (
      !this.#closed && missing() > 0 && !sessions.isFull && this.size + coming() < maxStock
    ) {
      this.#filling.set(kind.key, filling() + 1);
      void this.#fillOne(kind);
    }
  }

  async #fillOne(kind: Kind): Promise<void> {
    const { sessions, drops, settings: { logger } } = this.#options;
    const session = sessions.add(kind, undefined);
    let isReady = false;
    try {
      await session.open();
      isReady = true;
    } catch (error) {
      drops.count("(session in stock)");
      logger.debug("a session for later requests could not be opened", { error });
    }
    const left = this.#filling.get(kind.key)! - 1;
    if (left > 0) this.#filling.set(kind.key, left);
    else this.#filling.delete(kind.key);
    if (!isReady || !this.#putBack(kind.key, session)) this.#end(session);
  }

  /** Puts a session into the stock; false where there is no room. */
  #putBack(key: string, session: ServerSession): boolean {
    const { clock, bounds: { stockSize, maxStock, stockIdleMs } } = this.#options.settings;
    const stock = this.#stock.get(key) ?? [];
    if (this.#closed || stock.length >= stockSize || this.size >= maxStock) return false;
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
    if (!this.#users.has(stocked.session)) this.#end(stocked.session);
  }

  #end(session: ServerSession): void {
    void this.#options.sessions.end(session);
  }
}
