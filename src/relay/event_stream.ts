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

import type { Timer } from "../clock.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { EVENT_OVERHEAD_BYTES } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvents, EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import { Answers } from "./answers.ts";
import { Attachment, type Reader, type ReaderEvents } from "./attachment.ts";
import { catchUp } from "./catch_up.ts";
import { ended, type Ending, errorsFor, noAnswer } from "./failure.ts";
import type { EventStreamOptions } from "./event_stream_options.ts";
import { Keeper } from "./keeper.ts";
import { keepAlive } from "./keep_alive.ts";
import { inspectAll, tooLarge } from "./inspect.ts";
import { primingEvent } from "./notices.ts";
import { type Framed, Framer, type Outgoing } from "./framing.ts";
import { renamed } from "./session_names.ts";
import type { StreamEntry, StreamMark } from "./stream_directory.ts";
import { Waiting } from "./waiting.ts";

/** A stream, from its first byte to the end of the time in which it may be resumed. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #answers: Answers;
  readonly #keeper: Keeper;
  #attached: Reader | undefined;
  /** Whether the attached client is still given what is in the log. */
  #behind = false;
  #keepAlive: Timer | undefined;
  #window: Timer | undefined;
  #body: UpstreamBody | undefined;
  /** Whether that was asked for by GET, and is not the answer to the request itself. */
  #isRest = false;
  readonly #framer: Framer;
  /** Number of the newest event. */
  #seq = 0;
  /** Number of the newest event that is kept, where it could be. */
  #kept = 0;
  /** What the log counts of the events that came while nobody was there. */
  #aheadBytes = 0;
  /** Number of the newest event that a client has taken. */
  #taken = 0;
  /** Number of the first event that told what may have changed behind the newest gap. */
  #toldMissed = 0;
  #upstreamId: string | undefined;
  #retryMs: number | undefined;
  /** Nothing more will come from upstream. */
  #finished = false;
  #over = false;
  readonly #waiting = new Waiting();

  /** A stream that nothing has come on. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
    const { mark, requestIds } = options;
    this.#answers = new Answers(requestIds, mark);
    this.#framer = new Framer(options.name);
    const { log, directory } = options;
    const onLost = (error: RangeError) => this.#lost(error);
    this.#keeper = new Keeper({ entry: options, log, directory, onLost });
    if (mark === undefined) return;
    this.#seq = this.#kept = this.#taken = mark.seq;
    this.#upstreamId = mark.upstreamId;
    this.#retryMs = mark.retryMs;
    this.#finished = mark.finished;
  }

  /** Its name. */
  get name(): string {
    return this.#options.name;
  }

  /** Whether the server speaks first on it; otherwise it answers requests. */
  get isSubscription(): boolean {
    return this.#options.requestIds.length === 0;
  }

  /** Whether it answers requests, and has. */
  get #isAnswered(): boolean {
    return !this.isSubscription && this.#answers.complete;
  }

  /** Whether nothing more will come from upstream. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Whether a client reads it. */
  get attended(): boolean {
    return this.#attached !== undefined;
  }

  /** Number of the newest event that a client has taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Begins with the first upstream connection, for the client that asked. */
  start(body: UpstreamBody): Attachment {
    const attachment = this.#attach();
    // Whoever has an event id may come back with it anywhere.
    this.#keeper.open(() => {
      if (this.#options.clientPolls) attachment.push(primingEvent(this.name));
    });
    void this.#emit(this.#options.first ?? []);
    this.#run(() => body);
    return attachment;
  }

  /** Goes on where an earlier holder has left it, for a client that has everything up to `seq`. */
  restore(seq: number): Attachment | undefined {
    const attachment = this.resume(seq);
    if (!this.#finished && !this.#over) this.#run(() => this.#regain());
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
    const attachment = this.#attach();
    this.#behind = true;
    this.#taken = Math.max(this.#taken, seq);
    this.#catchUp(attachment, seq);
    return attachment;
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
    const from = seq ?? this.#taken;
    this.#attachReader(make(this.#readerEvents(), from));
    this.#taken = Math.max(this.#taken, from);
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
      this.#attached?.push(encodeEvents(errorsFor(this.#answers.takeAll(this.#seq), ended())));
    }
    this.#let(failure);
    this.#keeper.forget();
  }

  /** Lets go of everything that the process holds. */
  #let(failure: ProxyError | undefined): void {
    this.#over = true;
    this.#window?.cancel();
    this.#detach()?.finish(failure);
    this.#body?.discard();
    this.#options.reconnect.stop();
    this.#waiting.stir();
    this.#options.onOver(this);
  }

  #attach(): Attachment {
    const attachment = new Attachment(this.#readerEvents(), this.#options.traffic);
    this.#attachReader(attachment);
    return attachment;
  }

  #readerEvents(): ReaderEvents {
    return { left: (left) => this.#left(left), drained: (by) => this.#drained(by) };
  }

  #attachReader(reader: Reader): void {
    this.#detach()?.finish();
    this.#window?.cancel();
    const { clock, keepAliveMs } = this.#options.limits;
    this.#attached = reader;
    this.#aheadBytes = 0;
    this.#keepAlive = keepAlive(clock, keepAliveMs, reader);
    this.#body?.attend?.(true);
    this.#options.onAttended(this, true);
    this.#waiting.stir();
  }

  #detach(): Reader | undefined {
    const attachment = this.#attached;
    this.#attached = undefined;
    this.#behind = false;
    this.#keepAlive?.cancel();
    return attachment;
  }

  /** The client has gone: the stream goes on without it for a while. */
  #left(attachment: Reader): void {
    if (attachment === this.#attached) this.#unattended();
  }

  #unattended(): void {
    this.#detach();
    const { clock, resumeWindowMs } = this.#options.limits;
    this.#window = clock.after(resumeWindowMs, () => this.end());
    this.#body?.attend?.(false);
    this.#options.onAttended(this, false);
    this.#waiting.stir();
  }

  /** Also one that is over may have had something left to take. */
  #drained(attachment: Reader): void {
    this.#taken = Math.max(this.#taken, attachment.taken);
    if (attachment === this.#attached) this.#waiting.stir();
  }

  #until(condition: () => boolean): Promise<void> {
    return this.#waiting.until(() => this.#over || condition());
  }

  /** Gives a client what is in the log behind `seq`; never rejects. */
  async #catchUp(attachment: Attachment, seq: number): Promise<void> {
    const isCurrent = () => attachment === this.#attached;
    try {
      await catchUp(seq, {
        attachment,
        isCurrent,
        newest: () => this.#seq,
        keeper: this.#keeper,
        lost: (after, upTo, held) => this.#answers.lost(after, upTo, held),
        missed: () => this.#options.missed?.(true) ?? [],
        room: () => this.#until(() => !attachment.full || !isCurrent()),
        done: () => this.#caughtUp(),
      });
    } catch (error) {
      // What the log holds cannot be read now; the client may try again.
      if (isCurrent()) return this.#closeClient(toProxyError(error));
    }
  }

  /** The client is given what comes as it comes. */
  #caughtUp(): void {
    this.#behind = false;
    if (this.#finished) this.#closeClient();
    this.#waiting.stir();
  }

  /** Relays one upstream connection after the other; never rejects. */
  async #run(
    first: () => UpstreamBody | undefined | Promise<UpstreamBody | undefined>,
  ): Promise<void> {
    let body: UpstreamBody | undefined;
    try {
      const beginning = first();
      body = beginning instanceof Promise ? await beginning : beginning;
      while (body !== undefined && !this.#over) {
        this.#body = body;
        if (this.#attached === undefined) body.attend?.(false);
        if (this.#isRest) await this.#tellMissed();
        const ending: Ending = await this.#relay(body);
        body = this.#over ? undefined : await this.#next(ending);
        this.#isRest = true;
      }
    } catch (error) {
      await this.#fail(toProxyError(error));
    }
    (body ?? this.#body)?.discard();
    this.#finished = true;
    if (!this.#over) {
      this.#keeper.mark(this.#mark());
      this.#options.onFinished(this);
    }
    if (this.#attached !== undefined && !this.#behind) this.#closeClient();
    this.#options.reconnect.failed();
  }

  /** What may have changed behind a gap, unless the client has still to take what was told behind another one. */
  async #tellMissed(): Promise<void> {
    const { missed, inspect } = this.#options;
    const events = missed?.(false) ?? [];
    if (events.length === 0 || this.#taken < this.#toldMissed) return;
    this.#toldMissed = this.#seq + 1;
    // It did not come from upstream: whether that goes on without a break is not told by it.
    await this.#emit(inspect === undefined ? events : await inspectAll(events, inspect));
  }

  /** The client has got all there is. It may still have lost the last of it. */
  #closeClient(failure?: ProxyError): void {
    this.#attached?.finish(failure);
    this.#unattended();
  }

  async #relay(body: UpstreamBody): Promise<Ending> {
    const { limits: { maxEventBytes }, names: namesNow } = this.#options;
    const names = namesNow?.();
    const parser = new EventParser({ maxEventBytes, marker: names?.upstream });
    try {
      for (;;) {
        if (this.#mustWait()) await this.#until(() => !this.#mustWait());
        const coming = body.next();
        const pieces = coming instanceof Promise ? await coming : coming;
        if (pieces === null || this.#over) return { broken: undefined };
        for (const piece of pieces) {
          const events = parser.feed(piece);
          const named = parser.marked ? renamed(events, names!) : events;
          const passing = this.#pass(named, !parser.multiline);
          if (passing !== undefined) await passing;
        }
        // Servers that give an answer again forget the end behind it: the official v1 SDK does.
        if (this.#isRest && this.#isAnswered) return { broken: undefined };
      }
    } catch (error) {
      body.discard();
      if (error instanceof EventTooLargeError) {
        await this.#pass(error.events);
        throw tooLarge(error);
      }
      return { broken: toProxyError(error) };
    }
  }

  /**
   * Whether the client has to read before more is taken from upstream (R49), or to come back before the log
   * would lose what it has not seen.
   */
  #mustWait(): boolean {
    if (this.#attached !== undefined) return this.#behind || this.#attached.full;
    const { maxAheadBytes, maxAheadEvents } = this.#options.limits;
    return this.#aheadBytes >= maxAheadBytes || this.#seq - this.#taken >= maxAheadEvents;
  }

  /** Sends events of the upstream on. */
  #pass(events: readonly SseEvent[], oneLine = false): void | Promise<void> {
    if (events.length === 0) return;
    this.#options.reconnect.delivered(events.some(({ id }) => id !== undefined));
    const { inspect } = this.#options;
    if (inspect !== undefined) {
      const inspected = inspectAll(events, inspect);
      if (inspected instanceof Promise) {
        return inspected.then((passing) => this.#noteAndEmit(events, passing, oneLine));
      }
      return this.#noteAndEmit(events, inspected, oneLine);
    }
    return this.#noteAndEmit(events, events, oneLine);
  }

  /** Notes what came and sends on what has become of it; both or neither, should the stream break. */
  #noteAndEmit(
    events: readonly SseEvent[],
    passing: readonly Outgoing[],
    oneLine: boolean,
  ): void | Promise<void> {
    for (const { id, retry } of events) {
      if (id !== undefined) this.#upstreamId = id === "" ? undefined : id;
      if (retry !== undefined) this.#retryMs = retry;
    }
    this.#answers.take(events, passing, this.#seq);
    return this.#emit(passing, oneLine);
  }

  /** Numbers events, has them logged, and gives them to the client. */
  #emit(events: readonly Outgoing[], oneLine = false): void | Promise<void> {
    if (this.#over || events.length === 0) return;
    const before = this.#seq;
    const framed = this.#framer.frame(before, events, oneLine);
    this.#seq = framed.seq;
    this.#notTaken(framed, before);
    if (framed.seq === before) return this.#give(framed.bytes, 0);
    return this.#keeper.keep(framed, before, this.#mark(), () => {
      this.#kept = framed.seq;
      this.#give(framed.bytes, framed.seq - before);
    });
  }

  /** Where the stream is. */
  #mark(): StreamMark {
    return {
      seq: this.#seq,
      upstreamId: this.#upstreamId,
      retryMs: this.#retryMs,
      ...this.#answers.mark,
      finished: this.#finished,
    };
  }

  /** Counts what the log has to hold for a client that is not there. */
  #notTaken({ bytes, seq }: Framed, before: number): void {
    if (this.#attached !== undefined) return;
    this.#aheadBytes += bytes.length + (seq - before) * EVENT_OVERHEAD_BYTES;
  }

  #give(bytes: Bytes, events: number): void {
    const attachment = this.#attached;
    if (attachment === undefined || this.#behind) return;
    attachment.push(bytes, this.#kept, events);
    this.#taken = Math.max(this.#taken, attachment.taken);
  }

  /** The upstream connection of a stream that an earlier holder has left. */
  async #regain(): Promise<UpstreamBody | undefined> {
    if (!this.isSubscription) {
      if (this.#answers.complete) return undefined;
      if (this.#upstreamId === undefined) throw noAnswer();
    }
    this.#isRest = true;
    return await this.#options.reconnect.again(this.#upstreamId, this.#retryMs, () => this.#over);
  }

  /** What follows an upstream connection: another one, or undefined for the end. */
  async #next({ broken }: Ending): Promise<UpstreamBody | undefined> {
    if (this.#isAnswered) return undefined;
    const { clientPolls, reconnect } = this.#options;
    const resumable = this.#upstreamId !== undefined;
    if (!this.isSubscription && !resumable) throw broken ?? noAnswer();
    if (broken === undefined && (clientPolls || this.isSubscription)) {
      // The server has closed the connection and not the stream: the client comes back for the rest.
      if (this.#attached !== undefined) {
        await this.#until(() => !this.#behind);
        if (this.#attached !== undefined) this.#closeClient();
      }
      await this.#until(() => this.attended);
      if (this.#over) return undefined;
      return await reconnect.again(this.#upstreamId, undefined, () => this.#over);
    }
    const isOver = () => this.#over;
    return await reconnect.after(this.#upstreamId, this.#retryMs, isOver, broken === undefined);
  }

  /** The upstream cannot go on: whoever waits for an answer is told (R58). */
  async #fail(error: ProxyError): Promise<void> {
    if (this.#over) return;
    if (this.isSubscription) {
      // The log goes with it.
      const isRead = () => !this.#attached?.readsLog || this.#attached.taken >= this.#kept;
      await this.#until(() => !this.#behind && isRead());
      this.#attached?.finish(error);
      return this.end();
    }
    const failed = this.#answers.takeAll(this.#seq);
    if (failed.length > 0) this.#options.onFailed?.(error);
    await this.#emit(errorsFor(failed, error));
  }
}
