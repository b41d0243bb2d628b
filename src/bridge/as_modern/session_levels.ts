/**
 * The log level of a session: what the requests under way need, each of which asks for its own.
 *
 * Source: 2026-07-28 server/utilities/logging "Per-request log level"; 2025-11-25 server/utilities/logging.
 *
 * @module
 */

import { at, mostVerbose, type RpcText, Turns } from "../../rpc/mod.ts";

/** Asks the server for something; see `SessionWire.ask`. */
export type Ask = (method: string, params: unknown, recovers?: boolean) => Promise<RpcText>;

const TURN = "level";

/** The level of one session. */
export class SessionLevels {
  readonly #ask: Ask;
  readonly #wanted = new Map<object, string>();
  readonly #turns = new Turns();
  #level: string | undefined;

  /** Of a session in which no level was set. */
  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /**
   * Sees to it that the server tells what `who` wants, as long as it does not `leave`; resolves also where
   * the server will not.
   */
  async want(who: object, level: string): Promise<void> {
    this.#wanted.set(who, level);
    await this.#settle(true);
  }

  /** A request is over, or wants nothing any more. */
  leave(who: object): void {
    this.#wanted.delete(who);
  }

  /** The session is another one, in which no level was set. */
  async restore(): Promise<void> {
    this.#level = undefined;
    if (this.#wanted.size > 0) await this.#settle(false);
  }

  async #settle(recovers: boolean): Promise<void> {
    const change = async () => {
      const level = mostVerbose(this.#wanted.values());
      if (level === undefined || level === this.#level) return;
      const reply = await this.#ask("logging/setLevel", { level }, recovers);
      if (at(reply.value, "result") !== undefined) this.#level = level;
    };
    // The request goes on without: log lines are no reason for it to fail. A restoring session takes no
    // turn, because whoever has it may wait for just this.
    await (recovers ? this.#turns.take(TURN, change) : change()).catch(() => {});
  }
}
