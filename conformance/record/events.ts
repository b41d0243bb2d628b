/**
 * Reading the events of an answer one by one, as a scripted client needs it.
 *
 * @module
 */

import { createParser, type EventSourceMessage } from "eventsource-parser";

/** An event of a stream. */
export type StreamEvent = EventSourceMessage;

/** The events of an answer's body. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #waiting: StreamEvent[] = [];
  readonly #parser = createParser({ onEvent: (event) => this.#waiting.push(event) });

  /** @param response an answer of text/event-stream */
  constructor(response: Response) {
    if (response.body === null) throw new Error(`an answer of ${response.status} without a body`);
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next event that matches; those before it are passed over. */
  async next(matches: (event: StreamEvent) => boolean = () => true): Promise<StreamEvent> {
    while (true) {
      const event = this.#waiting.shift();
      if (event === undefined) {
        const { done, value } = await this.#reader.read();
        if (done) throw new Error("the stream ended before the event that was waited for");
        this.#parser.feed(value);
      } else if (matches(event)) return event;
    }
  }

  /** The next event whose data contains `text`. */
  containing(text: string): Promise<StreamEvent> {
    return this.next(({ data }) => data.includes(text));
  }

  /** Reads on to the end of the stream. */
  async rest(): Promise<void> {
    while (!(await this.#reader.read()).done);
  }

  /** Breaks the connection. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}
