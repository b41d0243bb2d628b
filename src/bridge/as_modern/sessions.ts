/**
 * The sessions that the bridge has at the server, and which of them serves a request.
 *
 * A named principal has one for each set of capabilities and credentials, used by all its requests at once, or
 * several, where questions of the server do not tell which request they belong to.
 * An anonymous caller has one for each request, out of a stock of those that are initialised already.
 *
 * @module
 */

import { NOTHING_SENT, ProxyError, stopping } from "../../errors.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import { KeptSessions } from "./kept_sessions.ts";
import type { Lease } from "./lease.ts";
import { OpenSessions, type OpenSessionsOptions } from "./open_sessions.ts";
import type { Settings } from "./options.ts";
import { kindOf } from "./session_kind.ts";
import { SessionStock } from "./session_stock.ts";

/** All sessions of one server. */
export class Sessions {
  readonly #settings: Settings;
  readonly #all: OpenSessions;
  readonly #kept: KeptSessions;
  readonly #stock: SessionStock;
  #closed = false;

  /** None yet. */
  constructor(options: OpenSessionsOptions) {
    const { settings, drops } = options;
    this.#settings = settings;
    const sessions = this.#all = new OpenSessions(options);
    const makeRoom = () => this.#makeRoom();
    this.#kept = new KeptSessions(settings, sessions, makeRoom);
    this.#stock = new SessionStock({ settings, sessions, drops, makeRoom });
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** How many of them wait for anonymous callers. */
  get stocked(): number {
    return this.#stock.size;
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
    const kind = { key: kindOf(call, request, this.#settings), principal, call, request };
    const isOwn = principal === anonymous && (alone || !sharesSessions);
    const lease = await (isOwn ? this.#stock.take(kind) : this.#kept.take(kind));
    // It was ended with all others.
    if (this.#closed) throw stopping(NOTHING_SENT);
    return lease;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.close();
    this.#stock.close();
    const { clock, bounds: { closeMs } } = this.#settings;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = clock.after(closeMs, resolve);
    await Promise.race([this.#all.endAll(), late]);
    timer.cancel();
  }

  /** @throws {ProxyError} where there are as many as there may be, all in use */
  #makeRoom(): void {
    if (!this.#all.isFull || this.#kept.endIdle() || this.#stock.endOne()) return;
    throw new ProxyError(
      "sessions_exhausted",
      "The proxy holds as many sessions with the server as it may; try again later.",
      { headers: { "retry-after": "10" } },
    );
  }
}
