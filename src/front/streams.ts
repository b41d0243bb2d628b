/**
 * How event streams reach the clients of one route: as bytes, or, in a session, event by event with the
 * means to resume them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Era } from "../era/mod.ts";
import { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import { type AnswerSource, type FieldReader, Fields, NEVER_ABORTED } from "../http/mod.ts";
import {
  type Attachment,
  type BackOff,
  type Inspect,
  InspectedStream,
  type Instances,
  type LiveStreams,
  NEW_STREAM_NOTICE,
  type NewStream,
  type Outgoing,
  PassingStream,
  type RelayLimits,
  type RestoredStream,
  SessionStreams,
  type StreamTally,
  type StreamTraffic,
} from "../relay/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import {
  heldBody,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamBody,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { missedEvents } from "./missed.ts";
import { Recovery } from "./recovery.ts";
import { SessionStreamBook } from "./stream_book.ts";
import type { FrontUse } from "./use.ts";

/** Since this revision clients know priming events and poll (2025-11-25 basic/transports). */
const POLLING_REVISION = "2025-11-25";

/** What the streams of a route work with. */
export interface StreamsOptions {
  /** Where events are kept; without it nothing can be resumed. */
  readonly log: EventLog | undefined;
  /** Bounds, and time for waits that are all of a few lengths. */
  readonly limits: RelayLimits;
  /** Time for waits of any length, and randomness. */
  readonly clock: Clock;
  /** Bounds of reconnecting to the upstream. */
  readonly backOff: BackOff;
  /** Streams of all sessions. */
  readonly live: LiveStreams;
  /** The server behind the route. */
  readonly upstream: Upstream;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** Makes sessions anew that the upstream has lost. */
  readonly recovery: Recovery;
  /** Streams of other instances and earlier runs; left out where there are none. */
  readonly instances?: Instances | undefined;
  /** Whether the credentials of clients go upstream. */
  readonly forwardsCredentials?: boolean | undefined;
  /** What is known of the streams of all sessions, where it outlives these; their own where it is left out. */
  readonly book?: SessionStreamBook | undefined;
  /** Keeps open what the streams work with; left out where that is never replaced. */
  readonly use?: FrontUse | undefined;
  /** The server behind the route now, which may have been replaced; undefined where there is none any more. */
  readonly current?: (() => ServedRoute | undefined) | undefined;
}

/** A server, and how its lost sessions are made anew. */
export type ServedRoute = Pick<StreamsOptions, "upstream" | "recovery" | "use">;

/** What a stream belongs to. */
export interface StreamContext {
  /** Its session, if it has one. */
  readonly session: Session | undefined;
  /** The call that it answers. */
  readonly call: UpstreamCall;
  /** The generation of that session in which the answer came; the one now where it is left out. */
  readonly generation?: number | undefined;
  /** The exact text of the request's id, where there is one request. */
  readonly idText: string | undefined;
  /** The exact texts of the ids of all requests that it answers. */
  readonly requestIds: readonly string[];
  /** Whether it has no end of its own. */
  readonly isSubscription: boolean;
  /** The era of the call. */
  readonly era: Era;
  /** What becomes of an event; left out where all pass as they came. */
  readonly inspect?: Inspect | undefined;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
  /** Told once where the client gets an error in place of the answer. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Whether its client comes from a stream that is gone. */
  readonly isBehindGap?: boolean | undefined;
}

/** A stream that is to be opened again. */
interface Listening extends Pick<StreamContext, "call" | "requestIds"> {
  readonly begun: Begun;
  /** Whether a client reads it. */
  readonly attended: boolean;
  /** How many event ids have come on it. */
  readonly ids: number;
}

/** The upstream session in which a stream is open. */
interface Begun {
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

/** The event streams of one route. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #book: SessionStreamBook;

  /** None yet, or those that are in the book. */
  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#book = options.book ?? new SessionStreamBook();
  }

  /** Whether the streams of sessions are kept so that they can be resumed. */
  get keeps(): boolean {
    return this.#options.log !== undefined;
  }

  /** The streams of a session that are held here, the oldest first, and what has passed on them. */
  told(session: Session): Iterable<StreamTraffic> {
    return this.#book.told(session);
  }

  /** The upstream has taken a request of a session, or its client comes back: its credentials are the newest. */
  taken(session: Session, headers: FieldReader): void {
    if (this.#options.forwardsCredentials) this.#book.credentials.note(session, headers);
  }

  /** What a client reads of a stream that the upstream began. */
  begin(body: UpstreamBody, context: StreamContext): AnswerSource {
    const { session, idText, requestIds, isSubscription, inspect, first, onFailed } = context;
    const streams = session && this.#of(session);
    const generation = context.generation ?? session?.record.generation;
    const speaksFirst = session !== undefined && requestIds.length === 0;
    if (speaksFirst) this.#book.listening(session, body, generation!);
    if (streams === undefined) {
      const { clock, keepAliveMs, maxEventBytes } = this.#options.limits;
      const source = inspect === undefined
        ? body
        : new InspectedStream(body, { maxEventBytes, inspect, first });
      // A subscription that ends without a word may be asked for again (2026-07-28 basic/patterns/subscriptions).
      const awaited = isSubscription ? undefined : idText;
      const resumable = context.era !== "modern";
      const kind = isSubscription ? "subscription" : "answer";
      const traffic = session && this.#tally(session).begin(kind, false);
      const passing = new PassingStream(source, {
        clock,
        keepAliveMs,
        idText: awaited,
        subscription: isSubscription ? idText : undefined,
        resumable,
        traffic,
        onFailed,
      });
      if (session !== undefined) this.#book.passing(session, passing, body);
      return passing;
    }
    if (speaksFirst) holdFor(body, this.#options);
    return streams.open({
      body,
      requestIds,
      inspect,
      onFailed,
      first: context.isBehindGap
        ? [NEW_STREAM_NOTICE, ...missedEvents(session!), ...first ?? []]
        : first,
      clientPolls: (session?.revision ?? "") >= POLLING_REVISION,
      ...this.#upstreamOf(session!, context),
    });
  }

  /**
   * The stream for a client that comes back to one, here or at another instance; undefined where a new one
   * is to be opened upstream.
   *
   * @throws {ProxyError} `event_not_found`, or `method_not_allowed` where the upstream said before that it
   * offers none (R89)
   */
  resume(
    session: Session,
    headers: FieldReader,
    { call, inspect, onFailed }: Pick<StreamContext, "call" | "inspect" | "onFailed">,
  ): Attachment | undefined | Promise<Attachment | undefined> {
    const streams = this.#of(session);
    if (streams === undefined) return undefined;
    this.taken(session, headers);
    const how: RestoredStream = {
      begin: (requestIds) => ({
        inspect,
        onFailed,
        ...this.#upstreamOf(session, { call, requestIds }),
      }),
    };
    const lastEventId = headers.get("last-event-id");
    if (lastEventId !== null) return streams.resume(lastEventId, how);
    if (!streams.listenRefused) return streams.comeBack(how);
    throw new ProxyError(
      "method_not_allowed",
      "The upstream server offers no stream for messages that it sends by itself; use POST.",
      { headers: { allow: "POST, DELETE" } },
    );
  }

  /**
   * The client of a session has cancelled a request, and is to get no error in place of its answer, until what
   * this gives is called.
   */
  cancelled(session: Session, requestId: unknown): () => void {
    return this.#book.cancelled(session, requestId);
  }

  /** The upstream offers the session no stream on which it speaks first. */
  listenRefused(session: Session): void {
    const streams = this.#of(session);
    if (streams !== undefined) streams.listenRefused = true;
  }

  /** How a stream of a session reaches the upstream again, and what it keeps open until it is over. */
  #upstreamOf(
    session: Session,
    stream: Pick<StreamContext, "call" | "requestIds" | "generation">,
  ): Pick<NewStream, "listen" | "missed" | "onSessionGone" | "backOff" | "onOver"> {
    const generation = stream.generation ?? session.record.generation;
    const begun: Begun = { generation, staleIds: undefined, isBehindGap: false };
    const speaksFirst = stream.requestIds.length === 0;
    const { backOff, use } = this.#options;
    return {
      backOff,
      onOver: speaksFirst ? use?.holdInterceptors() : use?.hold(),
      listen: (lastEventId, attended, ids) =>
        this.#listen(session, { ...stream, begun, attended, ids }, lastEventId),
      missed: (gone) => speaksFirst && (gone || begun.isBehindGap) ? missedEvents(session) : [],
      onSessionGone: () => this.#sessionGone(session),
    };
  }

  /**
   * Opens an upstream stream of a session again. Where the upstream has lost the session, the stream on
   * which it speaks first goes on in one made anew; what answers a request cannot.
   */
  async #listen(
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

  /** The upstream does not know a session any more: it is made anew when it is next used, or ends here. */
  #sessionGone(session: Session): void {
    if (session.record.initialize === undefined) this.#options.sessions.close(session);
  }

  #tally(session: Session): StreamTally {
    return this.#book.tally(session, this.#options.clock);
  }

  #of(session: Session): SessionStreams | undefined {
    const { log, limits, clock, backOff, live, instances } = this.#options;
    if (log === undefined) return undefined;
    return this.#book.streams(session, () =>
      new SessionStreams({
        log,
        limits,
        clock,
        backOff,
        live,
        session: session.key,
        names: () => session.names,
        tally: this.#tally(session),
        instances,
      }));
  }
}

/** Keeps the upstream open for a body on which the server speaks first. */
function holdFor(body: UpstreamBody, { use }: ServedRoute): void {
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
