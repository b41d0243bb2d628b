/**
 * Watching the events of a stream go by, in bounded memory, without touching the bytes.
 *
 * @module
 */

import { createParser } from "eventsource-parser";

/**
 * A watcher to be fed the bytes of a stream. It calls `onData` with the data of each event, and stops
 * looking after `maxBytes`.
 */
export function watchEvents(
  onData: (data: string) => void,
  maxBytes: number,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: (event) => onData(event.data) });
  let seenBytes = 0;
  return (bytes) => {
    seenBytes += bytes.length;
    if (seenBytes <= maxBytes) parser.feed(decoder.decode(bytes, { stream: true }));
  };
}
