/**
 * Upstream streams of sessions that are opened again: behind the event that came last, with the newest
 * credentials, and in a session that was made anew where the upstream has lost the one before.
 *
 * @module
 */

import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { Session } from "../session/mod.ts";
import {
  heldBody,
  type UpstreamAnswer,
  type UpstreamBody,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { Recovery } from "./recovery.ts";
import type { SessionStreamBook } from "./stream_book.ts";
import type { ServedRoute, StreamContext, StreamsOptions } from "./streams_options.ts";

/** A stream that is to be opened again. */
export interface Listening extends Pick<StreamContext, "call" | "requestIds"> {
  /** The upstream session in which it is open. */
  readonly begun: Begun;
  /** Whether a client reads it. */
  readonly attended: boolean;
  /** How many event ids have come on it. */
  readonly ids: number;
}

/** The upstream session in which a stream is open. */
export interface Begun {
  /** Its generation. */
  generation: number;
  /**
   * How many event ids had come before it: where none has come since, the last one is of an earlier session,
   * and the one made anew knows nothing of it (R79).
   */
  staleIds: number | undefined;
  /** Whether it was opened again behind no event: nobody knows what was said meanwhile. */
  isBehindGap: boolean;
}

/** Opens the streams of one route again. */
export class Reopening {
  readonly #options: StreamsOptions;
  readonly #book: SessionStreamBook;

  /** With what is known of the streams of all sessions. */
  constructor(options: StreamsOptions, book: SessionStreamBook) {
    this.#options = options;
    this.#book = book;
  }

  /**
   * Opens an upstream stream of a session again. Where the upstream has lost the session, the stream on
   * which it speaks first goes on in one made anew; what answers a request cannot.
   */
  async listen(
    session: Session,
    { call, requestIds, begun, attended, ids }: Listening,
    lastEventId: string | undefined,
  ): Promise<UpstreamAnswer> {
    const answersRequests = requestIds.length > 0;
    const served = this.#servedNow(answersRequests);
    const { upstream, recovery } = served;
    const { generation } = session.record;
    if (generation > begun.generation) {
      // The request was lost with the session that it was sent in.
      if (answersRequests) return unknownThere();
      begunAnew(begun, generation, ids);
    }
    const isKnown = lastEventId !== undefined && ids !== begun.staleIds;
    const made: UpstreamCall = {
      ...call,
      headers: this.#book.credentials.renew(session, call.headers),
      sessionId: session.upstreamId,
      signal: NEVER_ABORTED,
      lastEventId: isKnown ? utf8Field(lastEventId) : null,
    };
    begun.isBehindGap = !answersRequests && !isKnown;
    const answer = await upstream.listen(made);
    // For nobody no session is made anew: whoever comes back has that done.
    const settled = answersRequests || !attended || !Recovery.isSuspect(answer)
      ? answer
      : await recovery.listenAgain(
        session,
        generation,
        answer,
        { ...made, lastEventId: null },
        (again) => {
          begunAnew(begun, session.record.generation, ids);
          begun.isBehindGap = true;
          return upstream.listen(again);
        },
      );
    if (!answersRequests) {
      this.#book.listening(session, settled.body, begun.generation);
      holdFor(settled.body, served);
    }
    return settled;
  }

  /**
   * The server that a stream goes on at. An answer is at the one which was asked, as long as there is that;
   * what the server says by itself comes from the one that the session's requests go to.
   */
  #servedNow(answersRequests: boolean): ServedRoute {
    const { use, current } = this.#options;
    const isKept = current === undefined || (answersRequests && use?.isOver !== true);
    return isKept ? this.#options : current() ?? this.#options;
  }
}

/** Keeps the upstream open for a body on which the server speaks first. */
export function holdFor(body: UpstreamBody, { use }: ServedRoute): void {
  const release = use?.hold();
  if (release !== undefined) body.whenOver(release);
}

function begunAnew(begun: Begun, generation: number, ids: number): void {
  begun.generation = generation;
  begun.staleIds = ids;
}

/** What an upstream answers that knows nothing of a stream. */
function unknownThere(): UpstreamAnswer {
  const body = heldBody(new Uint8Array());
  return { status: 404, headers: new Fields(), sessionId: undefined, kind: "other", body };
}

/** Text as the value of a header field, a character for each byte of its UTF-8 (WHATWG HTML 9.2.3). */
function utf8Field(text: string): string {
  let value = "";
  for (const byte of new TextEncoder().encode(text)) value += String.fromCharCode(byte);
  return value;
}
