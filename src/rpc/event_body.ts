/**
 * Messages on their way to one reader of an event stream.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { encodeEvent, EVENT_STREAM } from "../sse/mod.ts";
import { AnswerBody, type UpstreamAnswer } from "../upstream/mod.ts";
import type { Flow, FlowReader } from "./flow.ts";

/** What a stream works with. */
export interface EventBodyOptions {
  /** Time. */
  readonly clock: Clock;
  /** Longest silence, in milliseconds. */
  readonly streamIdleMs: number;
  /** Holds the channel back while too much waits for the reader. */
  readonly flow: Flow;
}

/** One event stream, open until `end`, `fail`, or its reader gives it up. */
export class EventBody implements FlowReader {
  readonly #body: AnswerBody;
  #over = false;
  #attended = true;

  /** A stream on which nothing has come; `onOver` is called once when it is over. */
  constructor({ clock, streamIdleMs, flow }: EventBodyOptions, onOver: () => void) {
    const control = {
      pause: () => flow.full(this),
      resume: () => flow.free(this),
      abort: () => {},
      attend: (attended: boolean) => void (this.#attended = attended),
    };
    this.#body = new AnswerBody(control, { clock, idleMs: streamIdleMs, untilMs: Infinity });
    this.#body.whenOver(() => {
      this.#over = true;
      flow.free(this);
      onOver();
    });
  }

  /** Whether nothing can be said on it any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether a client reads it, as far as that is known, and it is not only kept for one that may come back. */
  get isRead(): boolean {
    return !this.#over && this.#attended;
  }

  /** The answer that it is the body of. */
  get answer(): UpstreamAnswer {
    const headers = new Fields(["content-type", EVENT_STREAM]);
    return { status: 200, headers, sessionId: undefined, kind: "sse", body: this.#body };
  }

  /** Hands one message to the reader. */
  push(text: string): void {
    this.#body.push(encodeEvent({ event: "message", data: text }));
  }

  /** It ends as it should. */
  end(): void {
    this.#body.finish();
  }

  /** It breaks off. */
  fail(error: ProxyError): void {
    this.#body.fail(error);
  }

  /** See `FlowReader`. */
  tooSlow(): void {
    const sentence =
      "This stream was not read in time, and others of its session had to wait for it.";
    this.fail(new ProxyError("upstream_closed", sentence));
  }
}
