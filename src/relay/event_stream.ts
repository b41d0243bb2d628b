/**
 * One event stream of a session, which outlives the connections it is carried on: to the client, who
 * may go away and resume it, and to the upstream, whose connection may break and is opened again.
 *
 * Every event gets an id of the proxy's that names the stream and the event's number in it, and goes
 * into the event log before the client gets it. Source: 2025-11-25 basic/transports, "Resumability and
 * Redelivery"; R54, R57, R58, R79, R80.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { encodeEvents, type SseEvent } from "../sse/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import { Answers } from "./answers.ts";
import type { Attachment, Reader, ReaderEvents } from "./attachment.ts";
import { Attendance, type Kept } from "./attendance.ts";
import type { EventStreamOptions } from "./event_stream_options.ts";
import { ended, errorsFor } from "./failure.ts";
import { Framer, type Outgoing } from "./framing.ts";
import { Keeper } from "./keeper.ts";
import { primingEvent } from "./notices.ts";
import type { StreamEntry, StreamMark } from "./stream_directory.ts";
import { UpstreamConnections } from "./upstream_connections.ts";

/** A stream, from its first byte to the end of the time in which it may be resumed. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #answers: Answers;
  readonly #keeper: Keeper;
  readonly #framer: Framer;
  readonly #attendance: Attendance;
  readonly #upstream: UpstreamConnections;
  /** Number of the newest event. */
  #seq: number;
  /** Number of the newest event that is kept, where it could be. */
  #kept: number;
  /** Nothing more will come from upstream. */
  #finished: boolean;

  /** A stream that nothing has come on, or one that an earlier holder has left. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
    const { mark, requestIds, log, directory } = options;
    this.#answers = new Answers(requestIds, mark);
    this.#framer = new Framer(options.name);
    const onLost = (error: RangeError) => this.#lost(error);
    this.#keeper = new Keeper({ entry: options, log, directory, onLost });
    this.#seq = this.#kept = mark?.seq ?? 0;
    this.#finished = mark?.finished ?? false;
    const { limits, traffic, onAttended } = options;
    this.#attendance = new Attendance({
      limits,
      traffic,
      onAttended: (attended) => {
        this.#upstream.attend(attended);
        onAttended(this, attended);
      },
      onExpired: () => this.end(),
    }, this.#seq);
    this.#upstream = new UpstreamConnections(options, {
      attendance: this.#attendance,
      isSubscription: this.isSubscription,
      isComplete: () => this.#answers.complete,
      newest: () => this.#seq,
      take: (events, passing, oneLine) => this.#take(events, passing, oneLine),
      tell: (events) => this.#emit(events),
    });
  }

  /** Its name. */
  get name(): string {
    return this.#options.name;
  }

  /** Whether the server speaks first on it; otherwise it answers requests. */
  get isSubscription(): boolean {
    return this.#options.requestIds.length === 0;
  }

  /** Whether nothing more will come from upstream. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Whether a client reads it. */
  get attended(): boolean {
    return this.#attendance.attended;
  }

  /** Number of the newest event that a client has taken. */
  get taken(): number {
    return this.#attendance.taken;
  }

  /** Begins with the first upstream connection, for the client that asked. */
  start(body: UpstreamBody): Attachment {
    const attachment = this.#attendance.attach();
    // Whoever has an event id may come back with it anywhere.
    this.#keeper.open(() => {
      if (this.#options.clientPolls) attachment.push(primingEvent(this.name));
    });
    void this.#emit(this.#options.first ?? []);
    void this.#run(body);
    return attachment;
  }

  /** Goes on where an earlier holder has left it, for a client that has everything up to `seq`. */
  restore(seq: number): Attachment | undefined {
    const attachment = this.resume(seq);
    if (!this.#finished && !this.#over) void this.#run();
    return attachment;
  }

  /**
   * Goes on behind the event `seq`: with what is in the log, then with what comes. Whoever read it before
   * reads no more.
   *
   * @returns undefined where there is no such event
   */
  resume(seq: number): Attachment | undefined {
    if (this.#over || seq > this.#seq) return undefined;
    const kept: Kept = {
      newest: () => this.#seq,
      keeper: this.#keeper,
      lost: (after, upTo, held) => this.#answers.lost(after, upTo, held),
      missed: () => this.#options.missed?.(true) ?? [],
    };
    return this.#attendance.resume(seq, kept, () => this.#finished);
  }

  /**
   * Goes on for a reader at another instance, which reads the log itself. Whoever read it before reads no
   * more.
   *
   * @param seq behind which event; null for behind what was taken, provided that nobody reads it now
   * @returns where it goes on; undefined where it cannot
   */
  hand(
    seq: number | null,
    make: (events: ReaderEvents, seq: number) => Reader,
  ): number | undefined {
    if (this.#over || (seq ?? 0) > this.#seq) return undefined;
    if (seq === null && (this.attended || !this.isSubscription)) return undefined;
    const from = seq ?? this.taken;
    this.#attendance.hand(from, make);
    return from;
  }

  /** Number of the newest event that is kept, where it could be: a reader elsewhere looks for it there. */
  get newest(): number {
    return this.#kept;
  }

  /** The client has cancelled a request; see `Answers.cancel`. */
  cancel(requestId: unknown): () => void {
    return this.#answers.cancel(requestId);
  }

  /** What was settled when it began. */
  get entry(): StreamEntry {
    return this.#options;
  }

  /** Holds it no longer: another instance, or the next run, may go on with it. */
  release(failure: ProxyError): void {
    if (this.#over) return;
    this.#let(failure);
    this.#keeper.release();
  }

  /** Another instance holds it. */
  #lost(cause: RangeError): void {
    const sentence = "This stream goes on at another instance of the proxy.";
    if (!this.#over) this.#let(new ProxyError("upstream_closed", sentence, { cause }));
  }

  /**
   * Ends it for good: with a failure, as broken off; otherwise cleanly, with an error for each request
   * that has no answer. Harmless when it is over.
   */
  end(failure?: ProxyError): void {
    if (this.#over) return;
    if (failure === undefined) {
      this.#attendance.push(encodeEvents(errorsFor(this.#answers.takeAll(this.#seq), ended())));
    }
    this.#let(failure);
    this.#keeper.forget();
  }

  get #over(): boolean {
    return this.#attendance.ended;
  }

  /** Lets go of everything that the process holds. */
  #let(failure: ProxyError | undefined): void {
    this.#attendance.end(failure);
    this.#upstream.discard();
    this.#options.reconnect.stop();
    this.#options.onOver(this);
  }

  /** Relays what comes from upstream to its end; never rejects. */
  async #run(first?: UpstreamBody): Promise<void> {
    const failure = await this.#upstream.run(first);
    if (failure !== undefined) await this.#fail(failure);
    this.#upstream.discard();
    this.#finished = true;
    if (!this.#over) {
      this.#keeper.mark(this.#mark());
      this.#options.onFinished(this);
    }
    if (this.attended && !this.#attendance.behind) this.#attendance.dismiss();
    this.#options.reconnect.failed();
  }

  /** Takes events of the upstream, and what is to go to the client for them. */
  #take(
    events: readonly SseEvent[],
    passing: readonly Outgoing[],
    oneLine: boolean,
  ): void | Promise<void> {
    this.#answers.take(events, passing, this.#seq);
    return this.#emit(passing, oneLine);
  }

  /** Numbers events, has them logged, and gives them to the client. */
  #emit(events: readonly Outgoing[], oneLine = false): void | Promise<void> {
    if (this.#over || events.length === 0) return;
    const before = this.#seq;
    const framed = this.#framer.frame(before, events, oneLine);
    const { bytes, seq } = framed;
    this.#seq = seq;
    this.#attendance.count(bytes.length, seq - before);
    if (seq === before) return this.#attendance.give(bytes, this.#kept, 0);
    return this.#keeper.keep(framed, before, this.#mark(), () => {
      this.#kept = seq;
      this.#attendance.give(bytes, seq, seq - before);
    });
  }

  /** Where the stream is. */
  #mark(): StreamMark {
    return {
      seq: this.#seq,
      ...this.#upstream.mark,
      ...this.#answers.mark,
      finished: this.#finished,
    };
  }

  /** The upstream cannot go on: whoever waits for an answer is told (R58). */
  async #fail(error: ProxyError): Promise<void> {
    if (this.#over) return;
    if (this.isSubscription) {
      // The log goes with it.
      await this.#attendance.caughtUp(() => this.#kept);
      this.#attendance.breakOff(error);
      return this.end();
    }
    const failed = this.#answers.takeAll(this.#seq);
    if (failed.length > 0) this.#options.onFailed?.(error);
    await this.#emit(errorsFor(failed, error));
  }
}
