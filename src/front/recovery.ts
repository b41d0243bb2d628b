/**
 * Requests of sessions that the upstream has lost: it restarted, or let them go. The session is made anew
 * (`session_renewals.ts`), the request is sent once more, and the client never notices; or it gets a clean 404 (R64, R66).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import type { Session } from "../session/mod.ts";
import {
  heldBody,
  lookInto,
  mayBeLost,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { type RecoveryOptions, Renewals } from "./session_renewals.ts";

/** How often it is made anew for one request, whose server may be left each time for another one. */
export const MAX_MOVES = 3;

/** A request that is sent once more. */
interface Repeated {
  readonly call: UpstreamCall;
  readonly send: (call: UpstreamCall) => Promise<UpstreamAnswer>;
  /** Whether it is a GET, which a server may have no stream for. */
  readonly listens: boolean;
  /** The exact text of the id of the one request in it, if there is one. */
  readonly idText?: string | undefined;
}

/** What follows where the upstream of one route has lost a session. */
export class Recovery {
  readonly #renewals: Renewals;
  /** Sessions in which GET was answered 404 where it cannot mean that they are lost. */
  readonly #withoutStream = new WeakSet<Session>();

  /** For one route. */
  constructor(options: RecoveryOptions) {
    this.#renewals = new Renewals(options);
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
      if (!isNews) this.#renewals.giveUp(session, "it does not know the one made anew either");
      if (renewals === MAX_MOVES) throw lostAgain();
      if (!isNews || !await this.#renewals.renew(session, known, call, last)) throw gone();
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
