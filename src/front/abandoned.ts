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

/** Sessions of a route that are being ended at one time. */
const AT_ONCE = 8;

/** Sessions of all routes that wait for that; further ones are left to the server. */
const MAX_WAITING = 10_000;

/** The server knows the session no more, or lets no client end one (2025-11-25 basic/transports). */
const NOTHING_TO_END: ReadonlySet<number> = new Set([404, 405]);

/** The sessions of one route: a server that hangs holds up no other. */
interface Queue {
  upstream: Upstream;
  waiting: { readonly session: Session; readonly farewell: Farewell }[];
  underWay: number;
  /** Told when there is nothing more to tell; there once the route is no more. */
  onThrough?: () => void;
}

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
  readonly #queues = new Map<string, Queue>();
  #waiting = 0;
  #closed = false;

  /** None yet. */
  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The sessions of this route are those of `upstream` from now on, those that wait included. */
  serve(route: string, upstream: Upstream): void {
    const queue = this.#queues.get(route);
    if (queue === undefined) this.#queues.set(route, { upstream, waiting: [], underWay: 0 });
    else queue.upstream = upstream;
  }

  /** The route is no more; `onThrough` is told when the upstream knows of all sessions that wait. */
  forget(route: string, onThrough: () => void): void {
    const queue = this.#queues.get(route);
    this.#queues.delete(route);
    if (queue === undefined || queue.underWay === 0) onThrough();
    else queue.onThrough = onThrough;
  }

  /** Has the upstream told that a session is over. */
  end(session: Session, farewell: Farewell = {}): void {
    const queue = this.#queues.get(session.route);
    if (queue === undefined || this.#closed || this.#waiting >= MAX_WAITING) return;
    // A client of HTTP+SSE may leave before it had an upstream session.
    if (session.upstreamId === "") return;
    queue.waiting.push({ session, farewell });
    this.#waiting++;
    if (queue.underWay < AT_ONCE) void this.#work(queue);
  }

  /** Tells no more. */
  close(): void {
    this.#closed = true;
    for (const queue of this.#queues.values()) queue.waiting = [];
    this.#waiting = 0;
  }

  async #work(queue: Queue): Promise<void> {
    queue.underWay++;
    for (let one = queue.waiting.shift(); one; one = queue.waiting.shift()) {
      this.#waiting--;
      await this.#tell(queue.upstream, one.session, one.farewell);
    }
    queue.underWay--;
    if (queue.underWay === 0) queue.onThrough?.();
  }

  async #tell(
    upstream: Upstream,
    { route, principal, key, upstreamId, revision }: Session,
    { headers: known, query = "" }: Farewell,
  ): Promise<void> {
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
