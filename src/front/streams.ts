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
import { type AnswerSource, type FieldReader, NEVER_ABORTED } from "../http/mod.ts";
import {
  type Attachment,
  type BackOff,
  type Inspect,
  InspectedStream,
  type LiveStreams,
  type Outgoing,
  PassingStream,
  type RelayLimits,
  SessionStreams,
} from "../relay/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Upstream, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";

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
}

/** What a stream belongs to. */
export interface StreamContext {
  /** Its session, if it has one. */
  readonly session: Session | undefined;
  /** The call that it answers. */
  readonly call: UpstreamCall;
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
}

/** The event streams of one route. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #ofSession = new WeakMap<Session, SessionStreams>();

  /** None yet. */
  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** Whether the streams of sessions are kept so that they can be resumed. */
  get keeps(): boolean {
    return this.#options.log !== undefined;
  }

  /** What a client reads of a stream that the upstream began. */
  begin(body: UpstreamBody, context: StreamContext): AnswerSource {
    const { session, call, idText, requestIds, isSubscription, inspect, first } = context;
    const streams = session && this.#of(session);
    if (streams === undefined) {
      const { clock, keepAliveMs, maxEventBytes } = this.#options.limits;
      const source = inspect === undefined
        ? body
        : new InspectedStream(body, { maxEventBytes, inspect, first });
      // A subscription that ends without a word may be asked for again (2026-07-28 basic/patterns/subscriptions).
      const awaited = isSubscription ? undefined : idText;
      const resumable = context.era !== "modern";
      return new PassingStream(source, { clock, keepAliveMs, idText: awaited, resumable });
    }
    const { upstream, sessions } = this.#options;
    return streams.open({
      body,
      requestIds,
      inspect,
      first,
      clientPolls: (session?.revision ?? "") >= POLLING_REVISION,
      listen: (lastEventId) =>
        upstream.listen({
          ...call,
          sessionId: session!.upstreamId,
          signal: NEVER_ABORTED,
          lastEventId: lastEventId === undefined ? null : utf8Field(lastEventId),
        }),
      onSessionGone: () => sessions.close(session!),
    });
  }

  /**
   * The stream for a client that comes back to one; undefined where a new one is to be opened upstream.
   *
   * @throws {ProxyError} `event_not_found`, or `method_not_allowed` where the upstream said before that it
   * offers none (R89)
   */
  resume(session: Session, headers: FieldReader): Attachment | undefined {
    const streams = this.#of(session);
    if (streams === undefined) return undefined;
    const lastEventId = headers.get("last-event-id");
    if (lastEventId !== null) return streams.resume(lastEventId);
    if (!streams.listenRefused) return streams.comeBack();
    throw new ProxyError(
      "method_not_allowed",
      "The upstream server offers no stream for messages that it sends by itself; use POST.",
      { headers: { allow: "POST, DELETE" } },
    );
  }

  /** The upstream offers the session no stream on which it speaks first. */
  listenRefused(session: Session): void {
    const streams = this.#of(session);
    if (streams !== undefined) streams.listenRefused = true;
  }

  #of(session: Session): SessionStreams | undefined {
    const { log, limits, clock, backOff, live } = this.#options;
    if (log === undefined) return undefined;
    let streams = this.#ofSession.get(session);
    if (streams === undefined) {
      streams = new SessionStreams({ log, limits, clock, backOff, live });
      this.#ofSession.set(session, streams);
      session.onEnd = () => streams?.close();
    }
    return streams;
  }
}

/** Text as the value of a header field, a character for each byte of its UTF-8 (WHATWG HTML 9.2.3). */
function utf8Field(text: string): string {
  let value = "";
  for (const byte of new TextEncoder().encode(text)) value += String.fromCharCode(byte);
  return value;
}
