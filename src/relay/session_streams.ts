/**
 * The event streams of one session.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type EventId, type EventLog, newStreamId, parseEventId } from "../event_log/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import type { Attachment } from "./attachment.ts";
import type { BackOff } from "./back_off.ts";
import { EventStream } from "./event_stream.ts";
import type { EventStreamOptions } from "./event_stream_options.ts";
import type { Outgoing } from "./framing.ts";
import type { Inspect } from "./inspect.ts";
import type { Instances, Resumption } from "./instances.ts";
import type { LiveStreams } from "./live_streams.ts";
import type { RelayLimits } from "./limits.ts";
import type { SessionNames } from "./session_names.ts";
import { Reconnect } from "./reconnect.ts";
import type { FoundStream } from "./stream_directory.ts";
import type { StreamTally } from "./traffic.ts";

/** Streams of a session that nobody reads, kept so that they can be resumed; the oldest gives way. */
export const MAX_UNATTENDED_STREAMS = 64;

/** Streams of a session that are gone and on which the server spoke first, of which is known that they were. */
export const MAX_GONE_STREAMS = 64;

/** What the streams of a session share. */
export interface SessionStreamsOptions {
  /** Where events are kept. */
  readonly log: EventLog;
  /** Bounds, and time for waits that are all of a few lengths. */
  readonly limits: RelayLimits;
  /** Time for waits of any length, and randomness. */
  readonly clock: Clock;
  /** Bounds of reconnecting, for streams that bring none of their own. */
  readonly backOff: BackOff;
  /** Those of all sessions. */
  readonly live: LiveStreams;
  /** Key of the session. */
  readonly session: string;
  /** See `EventStreamOptions`. */
  readonly names?: (() => SessionNames | undefined) | undefined;
  /** Counts what passes on them. */
  readonly tally: StreamTally;
  /** Streams of other instances and earlier runs; left out where there are none. */
  readonly instances?: Instances | undefined;
}

/** A stream to begin. */
export interface NewStream {
  /** The first upstream connection. */
  readonly body: UpstreamBody;
  /** The exact texts of the ids of the requests that it answers; none for one the server speaks first on. */
  readonly requestIds: readonly string[];
  /** Whether the client knows priming events and polls a stream that was closed (since 2025-11-25). */
  readonly clientPolls: boolean;
  /** What becomes of an event of the upstream; left out where all pass as they came. */
  readonly inspect?: Inspect | undefined;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
  /** GET with this `Last-Event-ID`, or without one, for a client that is there or not. */
  readonly listen: (
    lastEventId: string | undefined,
    attended: boolean,
    ids: number,
  ) => Promise<UpstreamAnswer>;
  /** See `EventStreamOptions`. */
  readonly missed?: ((gone: boolean) => readonly SseEvent[]) | undefined;
  /** Told when the upstream does not know the session any more. */
  readonly onSessionGone: () => void;
  /** Told once where whoever waits for an answer gets an error in its place. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Bounds of reconnecting, where they are not those of the session's first stream. */
  readonly backOff?: BackOff | undefined;
  /** Told once when it is gone for good. */
  readonly onOver?: (() => void) | undefined;
}

type Made = Omit<NewStream, "body"> & Pick<EventStreamOptions, "name" | "mark">;

/** What a stream that is taken over has no longer from the call that began it. */
export interface RestoredStream {
  /** What the streams of the session need, for one that answers these requests. */
  begin(
    requestIds: readonly string[],
  ): Pick<
    NewStream,
    "inspect" | "listen" | "missed" | "onSessionGone" | "onFailed" | "backOff" | "onOver"
  >;
}

/** The streams of one session by their names. */
export class SessionStreams {
  readonly #options: SessionStreamsOptions;
  readonly #streams = new Map<string, EventStream>();
  /** Those that nobody reads, the longest first. */
  readonly #unattended = new Set<EventStream>();
  /** The newest events of streams that are gone and on which the server spoke first, the oldest first. */
  readonly #gone = new Map<string, number>();
  #closed = false;
  /** Whether the upstream said that it offers no stream on which it speaks first (R89). */
  listenRefused = false;

  /** None yet. */
  constructor(options: SessionStreamsOptions) {
    this.#options = options;
  }

  /** How many there are, those that nobody reads included. */
  get size(): number {
    return this.#streams.size;
  }

  /** Begins a stream. */
  open({ body, ...stream }: NewStream): Attachment {
    const { clock } = this.#options;
    const opened = this.#make({ ...stream, name: newStreamId(clock) });
    const attachment = opened.start(body);
    if (this.#closed) opened.end();
    return attachment;
  }

  #make({ listen, onSessionGone, onOver, backOff, ...stream }: Made): EventStream {
    const { log, limits, clock, live, session, names, tally, instances } = this.#options;
    const traffic = tally.begin(stream.requestIds.length === 0 ? "subscription" : "answer");
    const made: EventStream = new EventStream({
      ...stream,
      session,
      names,
      log,
      limits,
      directory: instances?.directory,
      reconnect: new Reconnect({
        clock,
        backOff: backOff ?? this.#options.backOff,
        listen: (lastEventId, ids) => listen(lastEventId, made.attended, ids),
        onSessionGone,
        standing: stream.requestIds.length === 0,
      }),
      traffic,
      onAttended: (which, attended) => {
        traffic.attended = attended;
        this.#attended(which, attended);
      },
      onFinished: (which) => live.finished(which),
      onOver: (which) => {
        traffic.close();
        this.#streams.delete(which.name);
        this.#unattended.delete(which);
        if (which.isSubscription) this.#hasGone(which);
        live.remove(which);
        instances?.drop(which);
        onOver?.();
      },
    });
    this.#streams.set(made.name, made);
    live.add(made);
    instances?.hold(made);
    return made;
  }

  /** Goes on here with a stream that its holder has left. */
  #restored(how: RestoredStream): Resumption {
    const restore = ({ entry, mark }: FoundStream): EventStream => {
      const { name, requestIds, clientPolls } = entry;
      return this.#make({ ...how.begin(requestIds), name, requestIds, clientPolls, mark });
    };
    return { restore, tally: this.#options.tally };
  }

  #hasGone({ name, newest }: EventStream): void {
    this.#gone.delete(name);
    this.#gone.set(name, newest);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE_STREAMS) this.#gone.delete(oldest!);
  }

  /**
   * What came behind the event that a client names in `Last-Event-ID`, and what comes, on that event's
   * stream and no other, whichever instance holds it. Undefined where the server spoke first on that stream
   * and it is gone: another one is to be opened, behind a gap (R80).
   *
   * @throws {ProxyError} `event_not_found` where the session has no such event (R79, R80)
   */
  resume(
    lastEventId: string,
    how: RestoredStream,
  ): Attachment | undefined | Promise<Attachment | undefined> {
    const { session, instances } = this.#options;
    const id = parseEventId(lastEventId);
    if (id === undefined) throw notFound();
    const here = this.#streams.get(id.stream);
    if (here !== undefined || instances === undefined) {
      return here?.resume(id.seq) ?? this.#refuseUnlessGone(id);
    }
    return this.#unlessClosed(instances.resume(session, id.stream, id.seq, this.#restored(how)))
      .then((attachment) => attachment ?? this.#refuseUnlessGone(id));
  }

  #refuseUnlessGone({ stream, seq }: EventId): undefined {
    const newest = this.#gone.get(stream);
    if (newest === undefined || seq > newest || this.#closed || this.listenRefused) {
      throw notFound();
    }
  }

  /** What was restored for a session that has ended meanwhile ends too. */
  async #unlessClosed(coming: Promise<Attachment | undefined>): Promise<Attachment | undefined> {
    const attachment = await coming;
    if (this.#closed) this.close();
    return attachment;
  }

  /**
   * The stream on which the server speaks first, for a client that comes back without an event id: with
   * what it has not taken yet. Undefined where there is none, or where it is being read.
   */
  comeBack(how: RestoredStream): Attachment | undefined | Promise<Attachment | undefined> {
    for (const stream of this.#unattended) {
      if (stream.isSubscription) return stream.resume(stream.taken);
    }
    const { session, instances } = this.#options;
    return instances && this.#unlessClosed(instances.comeBack(session, this.#restored(how)));
  }

  /**
   * The client has cancelled a request: whatever becomes of it, it gets no error for want of an answer, until
   * what this gives is called.
   */
  cancel(requestId: unknown): () => void {
    const undoing = [...this.#streams.values()].map((stream) => stream.cancel(requestId));
    return () => undoing.forEach((undo) => undo());
  }

  /** Ends all of them. */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) stream.end();
  }

  /** The oldest of those that have nothing more to come, or the oldest of all. */
  #givesWay(): EventStream | undefined {
    const [oldest] = this.#unattended;
    return this.#unattended.values().find(({ finished }) => finished) ?? oldest;
  }

  #attended(stream: EventStream, attended: boolean): void {
    this.#options.live.attended(stream, attended);
    this.#unattended.delete(stream);
    if (attended) return;
    this.#unattended.add(stream);
    if (this.#unattended.size > MAX_UNATTENDED_STREAMS) {
      this.#givesWay()?.end();
    }
  }
}

function notFound(): ProxyError {
  return new ProxyError(
    "event_not_found",
    "This session has no event with the id in Last-Event-ID, or its stream is no longer held; open a " +
      "stream without it.",
  );
}
