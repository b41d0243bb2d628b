/**
 * When probes are made, against real sockets, on a clock that stands still.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as probing from "../testing/probing.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

Deno.test("never two at a time: the next begins an interval after the last began, but not before its end", async () => {
  const answers: (() => Promise<void>)[] = [];
  await using upstream = scriptedUpstream((_, to) => {
    answers.push(() => to.write(jsonAnswer("{}")));
  });
  const { clock, next, stop } = probing.probing(upstream.url, {
    settings: { ...probing.SETTINGS, timeoutMs: 10_000 },
  });
  const tellNext = async () => {
    const told = next();
    await answers.at(-1)!();
    assertEquals(await told, [true, undefined]);
  };
  clock.advance(499);
  assertEquals(clock.timers, 1);
  clock.advance(1);
  await upstream.received(0);
  clock.advance(400);
  await tellNext();
  clock.advance(599);
  assertEquals(clock.timers, 1);
  clock.advance(1);
  await upstream.received(1);
  clock.advance(5_000);
  assertEquals(upstream.requests.length, 2);
  await tellNext();
  assertEquals(clock.latestDelayMs, 0);
  clock.advance(0);
  await upstream.received(2);
  await stop();
});

Deno.test("behind a failed probe the next one comes after a fifth of an interval, until one is good", async () => {
  let status = "500 Internal Server Error";
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}", {}, status)));
  const { clock, next, stop } = probing.probing(upstream.url);
  const afterMs = async (ms: number) => {
    const told = next();
    clock.advance(ms - 1);
    assertEquals(clock.timers, 1);
    clock.advance(1);
    return await told;
  };
  assertEquals(await afterMs(500), [false, "answered 500"]);
  assertEquals(await afterMs(200), [false, "answered 500"]);
  status = "200 OK";
  assertEquals(await afterMs(200), [true, undefined]);
  assertEquals(await afterMs(1_000), [true, undefined]);
  await stop();
});

Deno.test("hurry() makes the next probe now, but no two at a time and not before a fifth of an interval", async () => {
  const answers: (() => Promise<void>)[] = [];
  await using upstream = scriptedUpstream((_, to) => {
    answers.push(() => to.write(jsonAnswer("{}")));
  });
  const { clock, next, hurry, stop } = probing.probing(upstream.url, {
    settings: { ...probing.SETTINGS, timeoutMs: 10_000 },
  });
  const tellNext = async () => {
    const told = next();
    await answers.at(-1)!();
    await told;
  };
  hurry();
  hurry();
  await upstream.received(0);
  clock.advance(600);
  hurry();
  await tellNext();
  hurry();
  await upstream.received(1);
  await tellNext();
  clock.advance(199);
  hurry();
  assertEquals(clock.timers, 1);
  clock.advance(801);
  await upstream.received(2);
  await tellNext();
  assertEquals(upstream.requests.length, 3);
  await stop();
  hurry();
  assertEquals(clock.timers, 0);
});

Deno.test("R69 each interval is jittered anew", async () => {
  const clock = new ManualClock();
  const byte = { value: 0 };
  clock.randomBytes = (length) => new Uint8Array(length).fill(byte.value);
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  const { next, stop } = probing.probing(upstream.url, { clock });
  const first = next();
  clock.advance(0);
  await first;
  const second = next();
  clock.advance(899);
  assertEquals(clock.timers, 1);
  byte.value = 0xff;
  clock.advance(1);
  await second;
  assertEquals(upstream.requests.length, 2);
  const third = next();
  clock.advance(1_099);
  assertEquals(upstream.requests.length, 2);
  clock.advance(1);
  await third;
  await stop();
});

Deno.test("R69 many probers begin spread over the first interval", async () => {
  const clock = new ManualClock();
  const due: number[] = [];
  const spread = Object.assign(clock, {
    after: (delayMs: number) => {
      due.push(delayMs);
      return { cancel: () => {} };
    },
  });
  const probers = Array.from(
    { length: 200 },
    () => probing.probing("http://127.0.0.1:1/mcp", { clock: spread }),
  );
  assert(due.every((ms) => ms >= 0 && ms < 1_000));
  assert(due.some((ms) => ms < 200) && due.some((ms) => ms > 800));
  await Promise.all(probers.map(({ stop }) => stop()));
});
