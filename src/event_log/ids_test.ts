import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { systemClock } from "../clock.ts";
import { eventId, newStreamId, parseEventId, STREAM_ID_BYTES } from "./mod.ts";

const STREAM = "abcdefghij_-ABCDEFGH09";

Deno.test("newStreamId() has at least 96 random bits, in an alphabet without the separator", () => {
  assert(STREAM_ID_BYTES * 8 >= 96);
  const ids = new Set(Array.from({ length: 10_000 }, () => newStreamId(systemClock)));
  assertEquals(ids.size, 10_000);
  for (const id of ids) assert(/^[A-Za-z0-9_-]{22}$/.test(id), id);
});

Deno.test("parseEventId() reads what eventId() writes", () => {
  const bytes = fc.uint8Array({ minLength: STREAM_ID_BYTES, maxLength: STREAM_ID_BYTES });
  const number = fc.oneof(
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 20 }),
    fc.constant(2 ** 53 - 1),
  );
  fc.assert(fc.property(bytes, number, (bytes, seq) => {
    const randomBytes = () => new Uint8Array(bytes);
    const stream = newStreamId({ ...systemClock, randomBytes });
    assertEquals(parseEventId(eventId(stream, seq)), { stream, seq });
  }));
});

Deno.test("a stream id with underscores is not split at them", () => {
  const stream = "_".repeat(22);
  assertEquals(parseEventId(eventId(stream, 7)), { stream, seq: 7 });
});

Deno.test("parseEventId() refuses every other spelling", () => {
  const spellings = [
    "",
    ".",
    STREAM,
    `${STREAM}.`,
    `.${STREAM}`,
    `${STREAM}_1`,
    `${STREAM}.01`,
    `${STREAM}.00`,
    `${STREAM}.+1`,
    `${STREAM}.-1`,
    `${STREAM}.1e3`,
    `${STREAM}.0x1`,
    `${STREAM}.1.0`,
    `${STREAM}.1 `,
    `${STREAM}.1\n`,
    ` ${STREAM}.1`,
    `${STREAM}.１`,
    `${STREAM}.9007199254740992`,
    `${STREAM}.99999999999999999`,
    `${STREAM}.${"9".repeat(100_000)}`,
    `${STREAM.slice(1)}.1`,
    `${STREAM}a.1`,
    `${STREAM.slice(1)}+.1`,
    `${STREAM.slice(1)}=.1`,
    `${STREAM.slice(1)}é.1`,
    `${"a".repeat(1_000_000)}.1`,
  ];
  for (const text of spellings) assertEquals(parseEventId(text), undefined, text.slice(0, 60));
  assertEquals(parseEventId(`${STREAM}.9007199254740991`)?.seq, Number.MAX_SAFE_INTEGER);
  assertEquals(parseEventId(`${STREAM}.0`), { stream: STREAM, seq: 0 });
});

Deno.test("parseEventId() of any text is undefined or has that text as its one spelling", () => {
  const valid = fc.nat().map((seq) => eventId(STREAM, seq));
  // Texts one change away from an id as well as any others.
  const changed = fc.tuple(valid, fc.nat(40), fc.string({ unit: "binary", maxLength: 2 }))
    .map(([id, at, by]) => id.slice(0, at) + by + id.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), valid, changed), (text) => {
      const id = parseEventId(text);
      if (id !== undefined) assertEquals(eventId(id.stream, id.seq), text);
    }),
    { numRuns: 2_000 },
  );
});
