/**
 * Telling upstream servers of sessions that their clients have left: most clients never send DELETE, and
 * servers keep what they are not told to let go (R82).
 *
 * @module
 */

import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { Upstream } from "../upstream/mod.ts";

/** Sessions that are being ended at one time. */
const AT_ONCE = 8;

/** Sessions that wait for that; further ones are left to the server. */
const MAX_WAITING = 10_000;

/** The server knows the session no more, or lets no client end one (2025-11-25 basic/transports). */
const NOTHING_TO_END: ReadonlySet<number> = new Set([404, 405]);

/** Ends upstream sessions that nobody can reach any more, a few at a time. */
export class AbandonedSessions {
  readonly #logger: Logger;
  readonly #upstreams = new Map<string, Upstream>();
  #waiting: Session[] = [];
  #underWay = 0;
  #closed = false;

  /** None yet. */
  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The sessions of this route are those of `upstream`. */
  serve(route: string, upstream: Upstream): void {
    this.#upstreams.set(route, upstream);
  }

  /** Has the upstream told that a session is over. */
  end(session: Session): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(session);
    if (this.#underWay < AT_ONCE) void this.#work();
  }

  /** Tells no more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  async #work(): Promise<void> {
    this.#underWay++;
    for (let session = this.#waiting.shift(); session; session = this.#waiting.shift()) {
      await this.#tell(session);
    }
    this.#underWay--;
  }

  async #tell({ route, principal, key, upstreamId, revision }: Session): Promise<void> {
    const upstream = this.#upstreams.get(route);
    if (upstream === undefined) return;
    const headers = new Fields(revision === undefined ? [] : ["mcp-protocol-version", revision]);
    const call = { headers, sessionId: upstreamId, principal, query: "", signal: NEVER_ABORTED };
    try {
      const { status, body } = await upstream.terminate(call);
      body.discard();
      if (status < 300 || NOTHING_TO_END.has(status)) return;
      this.#notEnded(route, key, { status });
    } catch (error) {
      this.#notEnded(route, key, { error });
    }
  }

  /** It goes when the server lets go of it by itself. */
  #notEnded(route: string, session: string, why: Readonly<Record<string, unknown>>): void {
    const fields = { route, session, ...why };
    this.#logger.debug("an abandoned session could not be ended upstream", fields);
  }
}
