/**
 * All sessions that the server may know of: those that are being opened or ended too.
 *
 * @module
 */

import type { Drops } from "../../rpc/mod.ts";
import type { Upstream } from "../../upstream/mod.ts";
import type { Settings } from "./options.ts";
import { ServerSession } from "./server_session.ts";
import { type Kind, mayAsk } from "./session_kind.ts";

/** What sessions are opened with. */
export interface OpenSessionsOptions {
  /** The server. */
  readonly server: Upstream;
  /** Settings. */
  readonly settings: Settings;
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Told when the server says in one of them that its tools have changed. */
  readonly onToolsChanged: () => void;
}

/** The sessions at one server. */
export class OpenSessions {
  readonly #options: OpenSessionsOptions;
  readonly #all = new Set<ServerSession>();

  /** None yet. */
  constructor(options: OpenSessionsOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether there may be no more. */
  get isFull(): boolean {
    return this.size >= this.#options.settings.bounds.maxSessions;
  }

  /**
   * One more, which is still to be opened, whether there is room for it or not.
   *
   * @param clientInfo the text of who the client is; the proxy where it is undefined
   */
  add({ key, principal, call, request }: Kind, clientInfo: string | undefined): ServerSession {
    const session = new ServerSession({
      ...this.#options,
      kind: key,
      principal,
      query: call.query,
      headers: call.headers,
      capabilities: request.declared.text,
      clientInfo,
      mayAsk: mayAsk(request),
    });
    this.#all.add(session);
    return session;
  }

  /** Ends one; it counts until the server has been told. Never rejects. */
  async end(session: ServerSession): Promise<void> {
    await session.end();
    this.#all.delete(session);
  }

  /** Ends all of them. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#all].map((session) => this.end(session)));
  }
}
