/**
 * Watching the events of a stream go by, in bounded memory, without touching the bytes.
 *
 * @module
 */

import { EventParser } from "./parser.ts";

/**
 * A watcher to be fed the bytes of a stream. It calls `onData` with the data of each event, and stops
 * looking after `maxBytes`.
 */
export function watchEvents(
  onData: (data: string) => void,
  maxBytes: number,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const parser = new EventParser({ maxEventBytes: maxBytes });
  let seenBytes = 0;
  return (bytes) => {
    seenBytes += bytes.length;
    if (seenBytes > maxBytes) return;
    for (const { data } of parser.feed(bytes)) {
      if (data !== undefined) onData(decoder.decode(data));
    }
  };
}
