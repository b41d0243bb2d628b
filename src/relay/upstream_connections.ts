/**
 * The upstream's side of an event stream: one connection after the other, each read to its end, and what follows it.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery"; R57, R79, R80.
 *
 * @module
 */

import { type ProxyError, toProxyError } from "../errors.ts";
import { EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import type { Attendance } from "./attendance.ts";
import { type Ending, noAnswer } from "./failure.ts";
import type { Outgoing } from "./framing.ts";
import { type Inspect, inspectAll, tooLarge } from "./inspect.ts";
import type { RelayLimits } from "./limits.ts";
import type { Reconnect } from "./reconnect.ts";
import { renamed, type SessionNames } from "./session_names.ts";
import type { StreamEntry, StreamMark } from "./stream_directory.ts";

/** The stream, as what comes from upstream is given to it. */
export interface Relayed {
  /** Who reads it. */
  readonly attendance: Attendance;
  /** Whether the server speaks first on it; otherwise it answers requests. */
  readonly isSubscription: boolean;
  /** Whether no request waits for an answer. */
  readonly isComplete: () => boolean;
  /** Number of its newest event. */
  readonly newest: () => number;
  /** Takes events, and what is to go to the client for them. */
  readonly take: (
    events: readonly SseEvent[],
    passing: readonly Outgoing[],
    oneLine: boolean,
  ) => void | Promise<void>;
  /** Takes events that did not come from upstream. */
  readonly tell: (events: readonly Outgoing[]) => void | Promise<void>;
}

/** What the upstream connections of a stream work with. */
export interface UpstreamConnectionsOptions extends Pick<StreamEntry, "clientPolls"> {
  /** Where an earlier holder has left the stream; left out for a new one. */
  readonly mark?: StreamMark | undefined;
  /** Bounds, and time. */
  readonly limits: RelayLimits;
  /** What becomes of an event of the upstream; left out where all pass as they came. */
  readonly inspect?: Inspect | undefined;
  /** The names of its session, asked for each connection; left out where they look like nothing else. */
  readonly names?: (() => SessionNames | undefined) | undefined;
  /** Opens the upstream stream again. */
  readonly reconnect: Reconnect;
  /**
   * What the client has to be told once the upstream stream was opened again, where nobody knows what was said
   * meanwhile, and in any case where events are `gone`; left out where nothing is.
   */
  readonly missed?: ((gone: boolean) => readonly SseEvent[]) | undefined;
}

/** The upstream connections of one stream. */
export class UpstreamConnections {
  readonly #options: UpstreamConnectionsOptions;
  readonly #stream: Relayed;
  #body: UpstreamBody | undefined;
  /** Whether that was asked for by GET, and is not the answer to the request itself. */
  #isRest = false;
  /** Number of the first event that told what may have changed behind the newest gap. */
  #toldMissed = 0;
  #upstreamId: string | undefined;
  #retryMs: number | undefined;

  /** None yet; an earlier holder of the stream may have had some. */
  constructor(options: UpstreamConnectionsOptions, stream: Relayed) {
    this.#options = options;
    this.#stream = stream;
    this.#upstreamId = options.mark?.upstreamId;
    this.#retryMs = options.mark?.retryMs;
  }

  /** Behind which event of the upstream they are, and when it wants to be asked again. */
  get mark(): Pick<StreamMark, "upstreamId" | "retryMs"> {
    return { upstreamId: this.#upstreamId, retryMs: this.#retryMs };
  }

  /** Says whether a client reads; see `UpstreamBody.attend`. */
  attend(attended: boolean): void {
    this.#body?.attend?.(attended);
  }

  /** Gives up the connection that is read. */
  discard(): void {
    this.#body?.discard();
  }

  /**
   * Reads one connection after the other, from the `first` on; left out where an earlier holder has left the stream.
   *
   * @returns what keeps it from going on, if anything does; never rejects
   */
  async run(first?: UpstreamBody): Promise<ProxyError | undefined> {
    try {
      await this.#follow(first ?? await this.#regain());
      return undefined;
    } catch (error) {
      return toProxyError(error);
    }
  }

  async #follow(first: UpstreamBody | undefined): Promise<void> {
    const { attendance } = this.#stream;
    for (let body = first; body !== undefined;) {
      this.#body = body;
      if (attendance.ended) return;
      if (!attendance.attended) body.attend?.(false);
      if (this.#isRest) await this.#tellMissed();
      const ending: Ending = await this.#relay(body);
      body = attendance.ended ? undefined : await this.#next(ending);
      this.#isRest = true;
    }
  }

  /** Whether the stream answers requests, and has. */
  get #isAnswered(): boolean {
    return !this.#stream.isSubscription && this.#stream.isComplete();
  }

  /** What may have changed behind a gap, unless the client has still to take what was told behind another one. */
  async #tellMissed(): Promise<void> {
    const { missed, inspect } = this.#options;
    const { attendance, newest, tell } = this.#stream;
    const events = missed?.(false) ?? [];
    if (events.length === 0 || attendance.taken < this.#toldMissed) return;
    this.#toldMissed = newest() + 1;
    // It did not come from upstream: whether that goes on without a break is not told by it.
    await tell(inspect === undefined ? events : await inspectAll(events, inspect));
  }

  async #relay(body: UpstreamBody): Promise<Ending> {
    const { limits: { maxEventBytes }, names: namesNow } = this.#options;
    const { attendance, newest } = this.#stream;
    const names = namesNow?.();
    const parser = new EventParser({ maxEventBytes, marker: names?.upstream });
    const mustWait = () => attendance.mustWait(newest());
    try {
      for (;;) {
        if (mustWait()) await attendance.until(() => !mustWait());
        const coming = body.next();
        const pieces = coming instanceof Promise ? await coming : coming;
        if (pieces === null || attendance.ended) return { broken: undefined };
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

  /** Sends events of the upstream on. */
  #pass(events: readonly SseEvent[], oneLine = false): void | Promise<void> {
    if (events.length === 0) return;
    this.#options.reconnect.delivered(events.some(({ id }) => id !== undefined));
    const { inspect } = this.#options;
    if (inspect !== undefined) {
      const inspected = inspectAll(events, inspect);
      if (inspected instanceof Promise) {
        return inspected.then((passing) => this.#take(events, passing, oneLine));
      }
      return this.#take(events, inspected, oneLine);
    }
    return this.#take(events, events, oneLine);
  }

  /** Notes what came and sends on what has become of it; both or neither, should the stream break. */
  #take(
    events: readonly SseEvent[],
    passing: readonly Outgoing[],
    oneLine: boolean,
  ): void | Promise<void> {
    for (const { id, retry } of events) {
      if (id !== undefined) this.#upstreamId = id === "" ? undefined : id;
      if (retry !== undefined) this.#retryMs = retry;
    }
    return this.#stream.take(events, passing, oneLine);
  }

  /** The connection of a stream that an earlier holder has left. */
  async #regain(): Promise<UpstreamBody | undefined> {
    const { isSubscription, isComplete, attendance } = this.#stream;
    if (!isSubscription) {
      if (isComplete()) return undefined;
      if (this.#upstreamId === undefined) throw noAnswer();
    }
    this.#isRest = true;
    const isOver = () => attendance.ended;
    return await this.#options.reconnect.again(this.#upstreamId, this.#retryMs, isOver);
  }

  /** What follows a connection: another one, or undefined for the end. */
  async #next({ broken }: Ending): Promise<UpstreamBody | undefined> {
    if (this.#isAnswered) return undefined;
    const { clientPolls, reconnect } = this.#options;
    const { isSubscription, attendance } = this.#stream;
    if (!isSubscription && this.#upstreamId === undefined) throw broken ?? noAnswer();
    const isOver = () => attendance.ended;
    if (broken === undefined && (clientPolls || isSubscription)) {
      // The server has closed the connection and not the stream: the client comes back for the rest.
      await attendance.returned();
      if (attendance.ended) return undefined;
      return await reconnect.again(this.#upstreamId, undefined, isOver);
    }
    return await reconnect.after(this.#upstreamId, this.#retryMs, isOver, broken === undefined);
  }
}
