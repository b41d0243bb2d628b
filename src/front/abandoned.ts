/**
 * Telling upstream servers of sessions that their clients have left: most clients never send DELETE, and
 * servers keep what they are not told to let go (R82).
 *
 * @module
 */

import { type FieldReader, Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { Upstream } from "../upstream/mod.ts";

/** Sessions that are being ended at one time. */
const AT_ONCE = 8;

/** Sessions that wait for that; further ones are left to the server. */
const MAX_WAITING = 10_000;

/** The server knows the session no more, or lets no client end one (2025-11-25 basic/transports). */
const NOTHING_TO_END: ReadonlySet<number> = new Set([404, 405]);

/** With what a session is ended upstream. */
export interface Farewell {
  /** Header fields of its client, where they are still known. */
  readonly headers?: FieldReader;
  /** The query of its client. */
  readonly query?: string;
}

/** Ends upstream sessions that nobody can reach any more, a few at a time. */
export class AbandonedSessions {
  readonly #logger: Logger;
  readonly #upstreams = new Map<string, Upstream>();
  #waiting: { readonly session: Session; readonly farewell: Farewell }[] = [];
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
  end(session: Session, farewell: Farewell = {}): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) return;
    // A client of HTTP+SSE may leave before it had an upstream session.
    if (session.upstreamId === "") return;
    this.#waiting.push({ session, farewell });
    if (this.#underWay < AT_ONCE) void this.#work();
  }

  /** Tells no more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  async #work(): Promise<void> {
    this.#underWay++;
    for (let one = this.#waiting.shift(); one; one = this.#waiting.shift()) {
      await this.#tell(one.session, one.farewell);
    }
    this.#underWay--;
  }

  async #tell(
    { route, principal, key, upstreamId, revision }: Session,
    { headers: known, query = "" }: Farewell,
  ): Promise<void> {
    const upstream = this.#upstreams.get(route);
    if (upstream === undefined) return;
    const headers = known ??
      new Fields(revision === undefined ? [] : ["mcp-protocol-version", revision]);
    const call = { headers, sessionId: upstreamId, principal, query, signal: NEVER_ABORTED };
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
