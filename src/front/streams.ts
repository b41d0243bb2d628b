/**
 * How event streams reach the clients of one route: as bytes, or, in a session, event by event with the
 * means to resume them.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { AnswerSource, FieldReader } from "../http/mod.ts";
import {
  type Attachment,
  InspectedStream,
  NEW_STREAM_NOTICE,
  type NewStream,
  PassingStream,
  type RestoredStream,
  SessionStreams,
  type StreamTally,
  type StreamTraffic,
} from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import { missedEvents } from "./missed.ts";
import { type Begun, holdFor, Reopening } from "./reopening.ts";
import { SessionStreamBook } from "./stream_book.ts";
import type { StreamContext, StreamsOptions } from "./streams_options.ts";

/** Since this revision clients know priming events and poll (2025-11-25 basic/transports). */
const POLLING_REVISION = "2025-11-25";

/** The event streams of one route. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #book: SessionStreamBook;
  readonly #reopening: Reopening;

  /** None yet, or those that are in the book. */
  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#book = options.book ?? new SessionStreamBook();
    this.#reopening = new Reopening(options, this.#book);
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
        this.#reopening.listen(session, { ...stream, begun, attended, ids }, lastEventId),
      missed: (gone) => speaksFirst && (gone || begun.isBehindGap) ? missedEvents(session) : [],
      onSessionGone: () => this.#sessionGone(session),
    };
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
