import type { EventStore } from "./sdk_v1.ts";

type Message = Parameters<EventStore["storeEvent"]>[1];

interface StoredEvent {
  readonly streamId: string;
  readonly message: Message;
}

/** The most events one session keeps; older ones are forgotten. */
const DEFAULT_MAX_EVENTS = 1_000;

/**
 * Keeps the events of one session in memory, in order, so that a client that lost a stream can ask
 * for what it missed. Event ids are `<stream id>.<sequence number>`, the number growing over the
 * whole session.
 */
export class MemoryEventStore implements EventStore {
  readonly #events = new Map<string, StoredEvent>();
  readonly #maxEvents: number;
  #sequence = 0;

  /** @param maxEvents The most events kept. */
  constructor(maxEvents = DEFAULT_MAX_EVENTS) {
    this.#maxEvents = maxEvents;
  }

  /** Keeps one event and gives it an id. */
  storeEvent(streamId: string, message: Message): Promise<string> {
    const eventId = `${streamId}.${++this.#sequence}`;
    this.#events.set(eventId, { streamId, message });
    if (this.#events.size > this.#maxEvents) {
      const [oldest] = this.#events.keys();
      if (oldest !== undefined) this.#events.delete(oldest);
    }
    return Promise.resolve(eventId);
  }

  /** The stream an event belongs to, or undefined if the event is not known. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(this.#events.get(eventId)?.streamId);
  }

  /** Sends what followed `lastEventId` on its stream, and returns that stream's id. */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: Message) => Promise<void> },
  ): Promise<string> {
    const last = this.#events.get(lastEventId);
    if (last === undefined) throw new Error(`Unknown event id ${lastEventId}`);
    let passed = false;
    for (const [eventId, event] of [...this.#events]) {
      if (passed && event.streamId === last.streamId && Object.hasOwn(event.message, "jsonrpc")) {
        await send(eventId, event.message);
      }
      passed ||= eventId === lastEventId;
    }
    return last.streamId;
  }
}
