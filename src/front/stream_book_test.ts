/**
 * Where servers speak first, and when they are not listened to any more.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Session } from "../session/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import { SessionStreamBook } from "./stream_book.ts";

/** Counts how often it is broken off. */
function openBody() {
  const told = { broken: 0 };
  const body = { whenOver: () => {}, breakOff: () => void told.broken++ } as unknown;
  return { body: body as UpstreamBody, told };
}

Deno.test("R66 a stream that was opened in a session that has been made anew meanwhile is given up at once", () => {
  const book = new SessionStreamBook();
  const session = { record: { generation: 2 } } as unknown as Session;
  const [stale, fresh] = [openBody(), openBody()];
  book.listening(session, stale.body, 1);
  book.listening(session, fresh.body, 2);
  assertEquals([stale.told.broken, fresh.told.broken], [1, 0]);
  book.renewed(session);
  assertEquals([stale.told.broken, fresh.told.broken], [1, 0]);
});

Deno.test("R66 what was opened in a session that is made anew is broken off, at the same server too", () => {
  const book = new SessionStreamBook();
  const record = { generation: 1 };
  const session = { record } as unknown as Session;
  const [old, another] = [openBody(), openBody()];
  book.listening(session, old.body, 1);
  book.listening({ record } as unknown as Session, another.body, 1);
  record.generation = 2;
  book.renewed(session);
  assertEquals([old.told.broken, another.told.broken], [1, 0]);
});
