import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { BackOff } from "./back_off.ts";
import { Reconnect } from "./reconnect.ts";

/** An answer of the upstream: a status, an answer that is no stream, or none at all. */
type Answer = number | "json" | "unreachable";

class FixedRandomClock extends ManualClock {
  byte = 0;

  override randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(length).fill(this.byte);
  }
}

function setUp(answers: Answer[], backOff: Partial<BackOff> = {}, standing = false) {
  const clock = new FixedRandomClock();
  const asked: (string | undefined)[] = [];
  const askedMs: number[] = [];
  const bodies: relay.FilledBody[] = [];
  let gone = 0;
  let isOver = false;
  const reconnect = new Reconnect({
    clock,
    backOff: {
      attempts: 3,
      initialDelayMs: 100,
      maxDelayMs: 1_000,
      maxSilentMs: 60_000,
      ...backOff,
    },
    listen: (lastEventId): Promise<UpstreamAnswer> => {
      asked.push(lastEventId);
      askedMs.push(clock.monotonicMs());
      const answer = answers.shift() ?? 200;
      if (answer === "unreachable") {
        return Promise.reject(new ProxyError("upstream_unreachable", "refused"));
      }
      const filled = relay.filledBody(clock);
      bodies.push(filled);
      const kind = answer === 200 ? "sse" : "json";
      return Promise.resolve(relay.answerWith(filled.body, answer === "json" ? 200 : answer, kind));
    },
    onSessionGone: () => gone++,
    standing,
  });
  return {
    clock,
    asked,
    askedMs,
    bodies,
    reconnect,
    after: (retryMs?: number) => reconnect.after("up-1", retryMs, () => isOver),
    poll: (retryMs?: number) => reconnect.after("up-1", retryMs, () => isOver, true),
    again: () => reconnect.again("up-1", undefined, () => isOver),
    over: () => isOver = true,
    gone: () => gone,
    async pass(ms: number) {
      await relay.settled();
      clock.advance(ms);
      await relay.settled();
    },
  };
}

Deno.test("R57 after() waits, asks with the last event id, and gives the body that goes on", async () => {
  const { clock, after, asked, bodies, pass } = setUp([200]);
  clock.byte = 128;
  const opening = after();
  await pass(49);
  assertEquals(asked, []);
  await pass(1);
  assertEquals(await opening, bodies[0]!.body);
  assertEquals([asked, clock.timers, bodies[0]!.aborted], [["up-1"], 0, false]);
});

Deno.test("R69 each wait in a row may be twice as long as the one before, and its length is random", async () => {
  const { clock, after, askedMs, pass } = setUp([503, 503, 503]);
  clock.byte = 255;
  const failing = assertRejects(() => after(), ProxyError, "503");
  for (const waitMs of [99, 199, 398]) await pass(waitMs);
  await failing;
  assertEquals(askedMs, [99, 99 + 199, 99 + 199 + 398]);
});

// 2025-11-25 basic/transports: "The client MUST respect the retry field".
Deno.test("R57 the retry of the server is waited for, up to five minutes", async () => {
  for (const [retryMs, waitedMs] of [[700, 700], [60_000, 60_000], [1e12, 300_000]] as const) {
    const { after, asked, pass } = setUp([200]);
    const opening = after(retryMs);
    await pass(waitedMs - 1);
    assertEquals(asked, []);
    await pass(1);
    await opening;
    assertEquals(asked.length, 1);
  }
});

Deno.test("R58 R69 so many attempts in a row and no more; what comes in between begins anew", async () => {
  const answers = (): Answer[] => ["unreachable", 429, 500, 200];
  const { after, asked, pass, clock, gone } = setUp(answers());
  const failing = assertRejects(() => after(), ProxyError, "500");
  for (let times = 0; times < 5; times++) await pass(1_000);
  await failing;
  assertEquals([asked.length, clock.timers, gone()], [3, 0, 0]);
  // Nothing came: no attempt is left.
  await assertRejects(() => after(), ProxyError, "was not asked");
  const other = setUp(answers(), { attempts: 2 });
  const first = assertRejects(() => other.after(), ProxyError);
  for (let times = 0; times < 3; times++) await other.pass(1_000);
  await first;
  other.reconnect.delivered();
  const second = other.after();
  for (let times = 0; times < 3; times++) await other.pass(1_000);
  assertEquals(await second, other.bodies.at(-1)!.body);
});

Deno.test("R57 a connection that breaks before anything came counts as an attempt", async () => {
  const { after, asked, pass } = setUp([200, 200, 200]);
  for (let times = 0; times < 3; times++) {
    const opening = after();
    await pass(1_000);
    await opening;
  }
  await assertRejects(() => after(), ProxyError);
  assertEquals(asked.length, 3);
});

for (const answer of [404, 405, 400, 401, 204, "json"] as const) {
  Deno.test(`R58 R89 after ${answer} the upstream is not asked again`, async () => {
    const { after, again, asked, bodies, pass, reconnect, gone, clock } = setUp([answer, answer]);
    const failing = assertRejects(() => after(), ProxyError, "broke its stream off");
    await pass(1_000);
    await failing;
    await assertRejects(() => again(), ProxyError, "broke its stream off");
    assertEquals([asked.length, clock.timers], [2, 0]);
    assertEquals(bodies.map(({ aborted }) => aborted), [true, true]);
    assertEquals(gone(), 0);
    reconnect.failed();
    assertEquals(gone(), answer === 404 ? 1 : 0);
  });
}

for (const answer of [409, 425, 429, 500, 502, 503, 504, "unreachable"] as const) {
  Deno.test(`R58 after ${answer} the upstream is asked again`, async () => {
    const { after, bodies, pass } = setUp([answer, 200]);
    const opening = after();
    for (let times = 0; times < 2; times++) await pass(1_000);
    assertEquals(await opening, bodies.at(-1)!.body);
  });
}

Deno.test("again() asks at once, and waits only where that fails", async () => {
  const { again, asked, askedMs, pass, clock } = setUp([200, 503, 200]);
  await again();
  assertEquals([asked, clock.timers], [["up-1"], 0]);
  clock.byte = 255;
  const opening = again();
  await pass(99);
  await opening;
  assertEquals(askedMs, [0, 0, 99]);
});

Deno.test("stop() ends a wait and leaves no timer, and the upstream is not asked", async () => {
  const { after, asked, pass, clock, over, reconnect } = setUp([200]);
  const opening = after(1_000);
  await pass(10);
  assertEquals(clock.timers, 1);
  over();
  reconnect.stop();
  assertEquals([await opening, clock.timers, asked], [undefined, 0, []]);
  reconnect.stop();
});

Deno.test("attempts of 0 never ask", async () => {
  const { after, asked } = setUp([200], { attempts: 0 });
  await assertRejects(() => after(), ProxyError, "was not asked for the rest");
  assertEquals(asked, []);
});

Deno.test("R57 a stream that was open for long before it broke begins its attempts anew", async () => {
  for (const [openMs, given] of [[1_000, true], [999, false]] as const) {
    const { after, bodies, pass } = setUp([200, 200], { attempts: 1, initialDelayMs: 1 });
    const first = after();
    await pass(1);
    assertEquals(await first, bodies[0]!.body);
    await pass(openMs);
    const second = after().then(() => true, () => false);
    await pass(1);
    assertEquals(await second, given);
  }
});

Deno.test("R69 a standing stream that is closed in silence is opened however often, after longer and longer waits", async () => {
  const silent: Answer[] = Array(8).fill(200);
  const { after, asked, askedMs, pass, clock } = setUp([...silent, 503, 503, 503], {}, true);
  clock.byte = 128;
  for (let times = 0; times < 8; times++) {
    const opening = after();
    await pass(500);
    await opening;
  }
  assertEquals([asked.length, askedMs.at(-1)! - askedMs.at(-2)!], [8, 500]);
  const failing = assertRejects(() => after(), ProxyError, "503");
  for (let times = 0; times < 3; times++) await pass(500);
  await failing;
  assertEquals([asked.length, clock.timers], [11, 0]);
});

// 2025-11-25 basic/transports, "Sending Messages to the Server" 6: the client polls such a stream.
Deno.test("R57 a stream that the server ended well is polled however often, and failures in between count anew", async () => {
  const refused: Answer[] = [503, 503, 200];
  const { poll, asked, pass, clock } = setUp([200, 200, 200, 200, ...refused, ...refused]);
  for (let times = 0; times < 6; times++) {
    const opening = poll(10);
    for (let waits = 0; waits < 3; waits++) await pass(1_000);
    await opening;
  }
  assertEquals([asked.length, clock.timers], [10, 0]);
});

Deno.test("R58 a poll that is refused for good, or too often, ends the stream", async () => {
  for (const [answers, sentence] of [[[404], "404"], [Array(9).fill(503), "503"]] as const) {
    const { poll, pass, clock, gone, reconnect } = setUp([200, ...answers]);
    const first = poll(10);
    await pass(1_000);
    await first;
    const failing = assertRejects(() => poll(10), ProxyError, sentence);
    for (let waits = 0; waits < 5; waits++) await pass(1_000);
    await failing;
    reconnect.failed();
    assertEquals([clock.timers, gone()], [0, sentence === "404" ? 1 : 0]);
  }
});

Deno.test("R58 a stream that says nothing is polled for its longest silence; events begin that anew", async () => {
  const { poll, pass, reconnect, clock } = setUp([], { maxSilentMs: 5_000 });
  for (let times = 0; times < 5; times++) {
    if (times === 3) reconnect.delivered();
    const opening = poll(2_000);
    await pass(2_100);
    await opening;
  }
  const opening = poll(2_000);
  await pass(2_100);
  await opening;
  const error = await assertRejects(() => poll(2_000), ProxyError, "polled for 5000 ms");
  assertEquals([error.kind, clock.timers], ["upstream_timeout", 0]);
});

Deno.test("stop() ends the wait for a poll, and attempts of 0 never poll", async () => {
  const { poll, asked, pass, clock, over, reconnect } = setUp([200]);
  const opening = poll(60_000);
  await pass(10);
  assertEquals(clock.timers, 1);
  over();
  reconnect.stop();
  assertEquals([await opening, clock.timers, asked], [undefined, 0, []]);
  const never = setUp([200], { attempts: 0 });
  await assertRejects(() => never.poll(), ProxyError, "was not asked for the rest");
});
