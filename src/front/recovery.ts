/**
 * Sessions that the upstream has lost: it restarted, or let them go. The `initialize` that began one is
 * sent once more, what the client had set is set again, and the client never notices; or it gets a clean
 * 404 (R64, R66).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import {
  heldBody,
  lookInto,
  mayBeLost,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import {
  Deadline,
  initializeAnew,
  letGo,
  type NewUpstreamSession,
  RENEWAL_MS,
  restore,
} from "./renewal.ts";

/** What recovering works with. */
export interface RecoveryOptions {
  /** The server. */
  readonly upstream: Upstream;
  /** The sessions. */
  readonly sessions: SessionTable;
  /** Where it is told. */
  readonly logger: Logger;
  /** Time. */
  readonly clock: Clock;
  /** How long the server may take to start where it is a program, in milliseconds; 0 where it is left out. */
  readonly startMs?: number | undefined;
  /** Told of a session that was made anew. */
  readonly onRenewed?: ((session: Session) => void) | undefined;
}

/**
 * How much longer than it can take one instance may make a session anew before another may try, in
 * milliseconds, so that no two do it at a time.
 */
const SPARE_HOLD_MS = 10_000;

/** How often an instance looks whether another has made the session anew, in milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * How often a session is made anew in `RENEWALS_WINDOW_MS`. One that is lost more often ends: each time may
 * cost the upstream a request for each subscription, for one request of a client.
 */
export const MAX_RENEWALS = 5;

/** How often it is made anew for one request, whose server may be left each time for another one. */
export const MAX_MOVES = 3;

/** How often the messages that make it anew are sent where a server breaks off: they do nothing else. */
const MAX_ATTEMPTS = 2;

/** The time in which renewals of a session are counted, in milliseconds. */
export const RENEWALS_WINDOW_MS = 10_000;

/** A request that is sent once more. */
interface Repeated {
  readonly call: UpstreamCall;
  readonly send: (call: UpstreamCall) => Promise<UpstreamAnswer>;
  /** Whether it is a GET, which a server may have no stream for. */
  readonly listens: boolean;
  /** The exact text of the id of the one request in it, if there is one. */
  readonly idText?: string | undefined;
}

/** Makes sessions of one route anew. */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #underWay = new Map<Session, Promise<boolean>>();
  /** When sessions were made anew, on the clock's monotonic scale. */
  readonly #renewedMs = new WeakMap<Session, number[]>();
  /** Sessions in which GET was answered 404 where it cannot mean that they are lost. */
  readonly #withoutStream = new WeakSet<Session>();

  /** For one route. */
  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Whether the head of an answer may mean that the upstream does not know the session. */
  static isSuspect(answer: UpstreamAnswer): boolean {
    return mayBeLost(answer);
  }

  /**
   * What follows an answer that is suspect: the answer itself, or, where the upstream has lost the session
   * and it could be made anew, that of the same request sent once more. It cannot have run: a server that
   * does not know a session does not look at its requests.
   *
   * @param generation that of the session when the request went out
   * @param idText the exact text of the id of the one request in it; left out where there is none
   * @throws {ProxyError} `session_not_found` where the session cannot go on; what kept the upstream from
   * beginning a new one, where a later request may succeed
   */
  again(
    session: Session,
    generation: number,
    answer: UpstreamAnswer,
    call: UpstreamCall,
    send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
    idText?: string,
  ): Promise<UpstreamAnswer> {
    return this.#again(session, generation, answer, { call, send, listens: false, idText });
  }

  /**
   * The same for a GET that asks for a stream. A server without one says 404 to it where it has no such route,
   * in place of 405 (2025-11-25 basic/transports, "Listening for Messages from the Server"): what is answered so
   * in a session that was just made anew is taken for that, and the session stays. It is made anew for this
   * once: from then on 404 to GET is 405, and whether the session is lost is found out by what is posted (R89).
   *
   * @throws {ProxyError} as `again` does
   */
  async listenAgain(
    session: Session,
    generation: number,
    answer: UpstreamAnswer,
    call: UpstreamCall,
    send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
  ): Promise<UpstreamAnswer> {
    if (answer.status === 404 && !answer.hasMoved && this.#withoutStream.has(session)) {
      answer.body.discard();
      return noStream();
    }
    return await this.#again(session, generation, answer, { call, send, listens: true });
  }

  async #again(
    session: Session,
    generation: number,
    answer: UpstreamAnswer,
    { call, send, listens, idText }: Repeated,
  ): Promise<UpstreamAnswer> {
    let [last, known] = [answer, generation];
    for (let renewals = 0;; renewals++) {
      const looked = await lookInto(last, idText);
      if (!looked.lost) return looked.answer;
      looked.answer.body.discard();
      // What another request has made anew since then may be in order, and so may another of several servers.
      const isNews = renewals === 0 || last.hasMoved || session.record.generation > known;
      if (!isNews && listens && last.status === 404) {
        this.#withoutStream.add(session);
        return noStream();
      }
      if (!isNews) this.#giveUp(session, "it does not know the one made anew either");
      if (renewals === MAX_MOVES) throw lostAgain();
      if (!isNews || !await this.#renew(session, known, call, last)) throw gone();
      const { upstreamId, generation: renewed } = session.record;
      known = renewed;
      last = await send({ ...call, sessionId: upstreamId });
    }
  }

  /**
   * What follows an answer to DELETE that is suspect: where the upstream has lost the session, it is over as
   * the client wants it, unless it was made anew in the meantime.
   */
  async ended(
    session: Session,
    generation: number,
    answer: UpstreamAnswer,
    call: UpstreamCall,
    send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
  ): Promise<UpstreamAnswer> {
    const looked = await lookInto(answer);
    if (!looked.lost) return looked.answer;
    looked.answer.body.discard();
    if (session.record.generation > generation) {
      return await send({ ...call, sessionId: session.upstreamId });
    }
    const body = heldBody(new Uint8Array());
    return { status: 200, headers: new Fields(), sessionId: undefined, kind: "other", body };
  }

  /**
   * Makes the upstream session anew, once for all who ask at a time, at whatever instance.
   *
   * @returns false where the session cannot go on
   * @throws {ProxyError} where the upstream cannot begin one now
   */
  async #renew(
    session: Session,
    generation: number,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    // What is under way may be the end of an earlier renewal than the one that is needed.
    while (!session.ended && session.record.generation <= generation) {
      let renewing = this.#underWay.get(session);
      if (renewing === undefined) {
        renewing = this.#renewOnce(session, generation, call, refusal)
          .finally(() => this.#underWay.delete(session));
        this.#underWay.set(session, renewing);
      }
      if (!await renewing) return false;
    }
    return !session.ended;
  }

  /** True only where the session is of a later generation then. */
  async #renewOnce(
    session: Session,
    generation: number,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    const { sessions, clock } = this.#options;
    const holdMs = this.#renewalMs + SPARE_HOLD_MS;
    const untilMs = clock.monotonicMs() + holdMs;
    for (;;) {
      const release = await sessions.lock(session, holdMs);
      try {
        if (!await sessions.reload(session)) return false;
        // Another instance was faster, or the request had gone out before an earlier recovery.
        if (session.record.generation > generation) return true;
        // Its DELETE is under way; that decides.
        if (session.record.state === "closing") return false;
        if (release !== undefined) return await this.#renewHere(session, call, refusal);
      } finally {
        await release?.();
      }
      if (clock.monotonicMs() >= untilMs) throw elsewhere();
      await new Promise<void>((resolve) => void clock.after(LOOK_EVERY_MS, resolve));
    }
  }

  async #renewHere(
    session: Session,
    call: UpstreamCall,
    refusal: UpstreamAnswer,
  ): Promise<boolean> {
    const { sessions, upstream, logger, clock } = this.#options;
    const renewedMs = this.#recentRenewals(session);
    if (!refusal.hasMoved && renewedMs.length >= MAX_RENEWALS) {
      return this.#giveUp(session, "it was lost too often");
    }
    using deadline = new Deadline(clock, this.#renewalMs);
    const made = await this.#made(session, call, deadline);
    if (typeof made === "string") return this.#giveUp(session, made);
    // That its server is not used any more says nothing against the session, nor of the next server.
    if (!refusal.hasMoved) renewedMs.push(clock.monotonicMs());
    let kept = false;
    try {
      await sessions.change(session, (record) =>
        record.state === "closing" ? undefined : {
          ...record,
          upstreamId: made.upstreamId,
          generation: record.generation + 1,
          changingLists: made.changingLists,
        });
      kept = !session.ended && session.record.upstreamId === made.upstreamId;
    } finally {
      if (!kept) letGo(upstream, made);
    }
    if (kept) {
      const { key, record: { generation } } = session;
      const why = refusal.hasMoved
        ? "its target is gone, down or drained"
        : "the upstream server had lost it";
      logger.info(`session made anew: ${why}`, {
        session: key,
        generation,
      });
      this.#options.onRenewed?.(session);
    }
    return kept;
  }

  /** An upstream session as the one before; where a server is lost in the middle of it, once more, maybe at another. */
  async #made(
    session: Session,
    call: UpstreamCall,
    deadline: Deadline,
  ): Promise<NewUpstreamSession | string> {
    const { upstream, logger } = this.#options;
    for (let attempt = 1;; attempt++) {
      let made: NewUpstreamSession | string | undefined;
      try {
        made = await initializeAnew(upstream, session.record, call, deadline);
        if (typeof made === "string" || session.record.state === "initialising") return made;
        await restore(upstream, session.record, made, deadline, (method) => {
          logger.warn("a session made anew lacks what its client had set", {
            session: session.key,
            method,
          });
        });
        return made;
      } catch (error) {
        if (typeof made === "object") letGo(upstream, made);
        const isBroken = error instanceof ProxyError && error.kind === "upstream_closed";
        if (!isBroken || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  get #renewalMs(): number {
    return RENEWAL_MS + (this.#options.startMs ?? 0);
  }

  #recentRenewals(session: Session): number[] {
    const sinceMs = this.#options.clock.monotonicMs() - RENEWALS_WINDOW_MS;
    const recent = (this.#renewedMs.get(session) ?? []).filter((atMs) => atMs > sinceMs);
    this.#renewedMs.set(session, recent);
    return recent;
  }

  #giveUp(session: Session, why: string): false {
    this.#options.logger.warn("session lost by the upstream server and not made anew", {
      session: session.key,
      why,
    });
    this.#options.sessions.close(session);
    return false;
  }
}

/**
 * In place of sending responses once more: each is for a request of the session that is lost, and in the one made
 * anew its id is that of another request or of none.
 */
export function forNobody(): Promise<UpstreamAnswer> {
  const body = heldBody(new Uint8Array());
  return Promise.resolve({
    status: 202,
    headers: new Fields(),
    sessionId: undefined,
    kind: "other",
    body,
  });
}

/** As of a server that says by the book that it offers no such stream. */
function noStream(): UpstreamAnswer {
  const headers = new Fields(["allow", "POST, DELETE"]);
  const body = heldBody(new Uint8Array());
  return { status: 405, headers, sessionId: undefined, kind: "other", body };
}

/** What the client is told: to start over, whatever the upstream's words were (R81). */
function gone(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "The upstream server has lost this session, and it could not be made anew; start a new one with initialize.",
  );
}

function lostAgain(): ProxyError {
  return new ProxyError(
    "upstream_unreachable",
    "The upstream server has lost this session more than once just now; try again later.",
  );
}

function elsewhere(): ProxyError {
  return new ProxyError(
    "upstream_unreachable",
    "The upstream server has lost this session, and another instance takes too long to make it anew; " +
      "try again later.",
  );
}
