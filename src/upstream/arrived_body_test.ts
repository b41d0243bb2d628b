import { assertEquals, assertStrictEquals } from "@std/assert";
import { systemClock } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";
import { AnswerBody } from "./answer_body.ts";
import { ArrivedBody } from "./arrived_body.ts";
import type { UpstreamBody } from "./upstream.ts";

const BYTES: Bytes = Uint8Array.of(1, 2, 3);

/** The same answer as its connection would have filled it bit by bit. */
function filled(): AnswerBody {
  const body = new AnswerBody({ pause() {}, resume() {}, abort() {} }, {
    clock: systemClock,
    idleMs: 60_000,
    untilMs: Infinity,
  });
  body.push(BYTES);
  body.finish();
  return body;
}

/** What readers may do with it, and what they see. */
const READERS: Record<string, (body: UpstreamBody) => unknown> = {
  "whole, where there is room": (
    body,
  ) => [body.ended, body.wholeNow(3), body.ended, body.wholeNow(3)],
  "whole, where there is none": (body) => [body.wholeNow(2), body.ended, body.wholeNow(3)],
  "within a bound": async (body) => [await body.bytesWithin(3), body.ended],
  "beyond a bound, then bit by bit": async (body) => [
    await body.bytesWithin(2),
    await body.next(),
    body.ended,
    await body.next(),
  ],
  "bit by bit": async (
    body,
  ) => [await body.next(), body.ended, await body.next(), body.wholeNow(9)],
  "told when it is over": (body) => {
    const told: unknown[] = [];
    body.whenOver((failure) => told.push(failure));
    body.wholeNow(3);
    body.whenOver((failure) => told.push(failure));
    return told;
  },
  "tapped, before and behind": (body) => {
    const seen: unknown[] = [];
    body.tap((bytes) => seen.push(...bytes));
    body.wholeNow(3);
    body.tap((bytes) => seen.push(...bytes));
    return seen;
  },
  "ended, then read": (body) => {
    body.end();
    return body.wholeNow(3);
  },
};

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`a body that came with its head reads as one that was filled: ${name}`, async () => {
    assertEquals(await read(new ArrivedBody(BYTES)), await read(filled()));
  });
}

Deno.test("a body that came with its head is handed out as it came, and not after it was discarded", () => {
  assertStrictEquals(new ArrivedBody(BYTES).wholeNow(3), BYTES);
  const body = new ArrivedBody(BYTES);
  body.breakOff();
  assertEquals(body.ended, false);
  body.discard();
  assertEquals([body.ended, body.next()], [true, null]);
});
