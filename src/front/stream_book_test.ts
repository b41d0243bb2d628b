/**
 * Where servers speak first, and when they are not listened to any more.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Session } from "../session/mod.ts";
import type { Upstream, UpstreamBody } from "../upstream/mod.ts";
import { SessionStreamBook } from "./stream_book.ts";

/** A server, of which nothing is asked. */
const AT = {} as Upstream;

/** Counts how often it is discarded. */
function openBody() {
  const told = { discarded: 0 };
  const body = { whenOver: () => {}, discard: () => void told.discarded++ } as unknown;
  return { body: body as UpstreamBody, told };
}

Deno.test("R66 a stream that was opened in a session that has been made anew meanwhile is given up at once", () => {
  const book = new SessionStreamBook();
  const session = { record: { generation: 2, upstreamId: "a.1" } } as unknown as Session;
  const [stale, fresh] = [openBody(), openBody()];
  book.listening(session, stale.body, { at: AT, generation: 1 });
  book.listening(session, fresh.body, { at: AT, generation: 2 });
  assertEquals([stale.told.discarded, fresh.told.discarded], [1, 0]);
  book.renewed(session, AT);
  assertEquals([stale.told.discarded, fresh.told.discarded], [1, 0]);
});
