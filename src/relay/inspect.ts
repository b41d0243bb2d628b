/**
 * Looking at the events of a stream, and changing them.
 *
 * @module
 */

import type { AnswerSource, Bytes } from "../http/mod.ts";
import { encodeEvents, EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import { ProxyError } from "../errors.ts";
import type { Outgoing } from "./framing.ts";

/** What becomes of an event: what goes to the client in its place. Never throws or rejects. */
export type Inspect = (event: SseEvent) => readonly Outgoing[] | Promise<readonly Outgoing[]>;

/** Inspects events one after the other, so that their order stays; at once where each is. */
export function inspectAll(
  events: readonly SseEvent[],
  inspect: Inspect,
): readonly Outgoing[] | Promise<readonly Outgoing[]> {
  const passing: Outgoing[] = [];
  for (let at = 0; at < events.length; at++) {
    const outcome = inspect(events[at]!);
    if (outcome instanceof Promise) return inspectRest(events, at, outcome, passing, inspect);
    passing.push(...outcome);
  }
  return passing;
}

async function inspectRest(
  events: readonly SseEvent[],
  from: number,
  first: Promise<readonly Outgoing[]>,
  passing: Outgoing[],
  inspect: Inspect,
): Promise<readonly Outgoing[]> {
  passing.push(...await first);
  for (let at = from + 1; at < events.length; at++) passing.push(...await inspect(events[at]!));
  return passing;
}

/** An event that is larger than may be looked into, as a failure of the upstream (R42). */
export function tooLarge(error: EventTooLargeError): ProxyError {
  const sentence = `The upstream server sent an event of more than ${error.maxEventBytes} bytes, ` +
    "which is the limit here.";
  return new ProxyError("upstream_protocol", sentence, { cause: error });
}

/** How a stream is looked into. */
export interface InspectedOptions {
  /** The largest event, in bytes. */
  readonly maxEventBytes: number;
  /** What becomes of each. */
  readonly inspect: Inspect;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
}

/** A stream whose events are looked at as they are read, for a client that cannot resume it. */
export class InspectedStream implements AnswerSource {
  readonly #source: AnswerSource;
  readonly #parser: EventParser;
  readonly #inspect: Inspect;
  #first: readonly Outgoing[];
  /** Set where an event was too large: told once what came before it is out. */
  #failure: ProxyError | undefined;

  /** Reads `source`, which it owns from now on. */
  constructor(source: AnswerSource, { maxEventBytes, inspect, first = [] }: InspectedOptions) {
    this.#source = source;
    this.#parser = new EventParser({ maxEventBytes });
    this.#inspect = inspect;
    this.#first = first;
  }

  /** See `AnswerSource`. */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null> {
    if (this.#first.length > 0) {
      const bytes = encodeEvents(this.#first);
      this.#first = [];
      return [bytes];
    }
    return this.#next();
  }

  /** See `AnswerSource`. */
  get ended(): boolean {
    return this.#first.length === 0 && this.#failure === undefined && this.#source.ended;
  }

  /** See `AnswerSource`. */
  discard(): void {
    this.#source.discard();
  }

  async #next(): Promise<readonly Bytes[] | null> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const pieces = await this.#source.next();
      if (pieces === null) return null;
      const passing = inspectAll(this.#parse(pieces), this.#inspect);
      const bytes = encodeEvents(passing instanceof Promise ? await passing : passing);
      if (bytes.length > 0) return [bytes];
    }
  }

  #parse(pieces: readonly Bytes[]): readonly SseEvent[] {
    const events: SseEvent[] = [];
    try {
      for (const piece of pieces) events.push(...this.#parser.feed(piece));
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      events.push(...error.events);
      this.#failure = tooLarge(error);
      this.#source.discard();
    }
    return events;
  }
}
