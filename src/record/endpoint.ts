/**
 * The `endpoint` event of HTTP+SSE, which may name the server's own address: clients would post past
 * whoever stands in between (2024-11-05 basic/transports, "HTTP with SSE").
 *
 * @module
 */

import type { AnswerSource, Bytes } from "../http/mod.ts";
import { fromBinary, toBinary } from "./bytes.ts";

/** How long an `endpoint` event may be, in bytes; a longer one passes as it is. */
const MAX_EVENT_BYTES = 8_192;

const BEGINNINGS: readonly string[] = ["event:endpoint", "event: endpoint"];

/**
 * A stream of events, whose first event has `from` replaced by `to` if it is an `endpoint`. Only the
 * beginning of such an event waits, until it is whole; anything else passes at once.
 */
export function rewriteEndpoint(source: AnswerSource, from: string, to: string): AnswerSource {
  let held: string | undefined = "";
  let over = false;
  const pass = (piece: Bytes): readonly Bytes[] => {
    if (held === undefined) return [piece];
    held += toBinary(piece);
    if (mayBecomeEndpoint(held)) return [];
    const text = replaced(held, from, to);
    held = undefined;
    return [fromBinary(text)];
  };
  const rest = (): readonly Bytes[] | null => {
    over = true;
    return held === undefined || held === "" ? null : [fromBinary(held)];
  };
  return {
    async next() {
      for (;;) {
        if (over) return null;
        const pieces = await source.next();
        if (pieces === null) return rest();
        const passed = pieces.flatMap(pass);
        if (passed.length > 0) return passed;
      }
    },
    get ended() {
      return over;
    },
    discard: () => source.discard(),
  };
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
