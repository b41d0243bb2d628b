/**
 * The `endpoint` event of HTTP+SSE, which may name the server's own address: clients would post past
 * whoever stands in between (2024-11-05 basic/transports, "HTTP with SSE").
 *
 * @module
 */

import { fromBinary, toBinary } from "./bytes.ts";

/** How long an `endpoint` event may be, in bytes; a longer one passes as it is. */
const MAX_EVENT_BYTES = 8_192;

const BEGINNINGS: readonly string[] = ["event:endpoint", "event: endpoint"];

/**
 * A stream of events, whose first event has `from` replaced by `to` if it is an `endpoint`. Only the
 * beginning of such an event waits, until it is whole; anything else passes at once.
 */
export function rewriteEndpoint(
  from: string,
  to: string,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let held: string | undefined = "";
  return new TransformStream(
    {
      transform(piece, controller) {
        if (held === undefined) return controller.enqueue(piece);
        held += toBinary(piece);
        if (mayBecomeEndpoint(held)) return;
        controller.enqueue(fromBinary(replaced(held, from, to)));
        held = undefined;
      },
      flush(controller) {
        if (held !== undefined && held !== "") controller.enqueue(fromBinary(held));
      },
    },
    { highWaterMark: 1 },
    { highWaterMark: 0 },
  );
}

/** Whether more has to come before it is known what the first event is. */
function mayBecomeEndpoint(text: string): boolean {
  if (text.length > MAX_EVENT_BYTES || /\r\n\r\n|\n\n|\r\r/.test(text)) return false;
  return BEGINNINGS.some((beginning) => beginning.startsWith(text) || text.startsWith(beginning));
}

function replaced(text: string, from: string, to: string): string {
  const end = /\r\n\r\n|\n\n|\r\r/.exec(text)?.index ?? 0;
  const first = text.slice(0, end);
  if (!/^event: ?endpoint$/m.test(first.replaceAll("\r", "\n"))) return text;
  const data = first.indexOf(from);
  const follows = first[data + from.length];
  // `http://a:1` is no part of `http://a:10`.
  if (data === -1 || (follows !== undefined && !/[/?#\s]/.test(follows))) return text;
  return first.slice(0, data) + to + text.slice(data + from.length);
}
