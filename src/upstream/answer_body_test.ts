import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { streamOf } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { AnswerBody, HIGH_WATER_BYTES } from "./answer_body.ts";

function setUp() {
  const calls: string[] = [];
  const clock = new ManualClock();
  const body = new AnswerBody({
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    abort: () => calls.push("abort"),
  }, { clock, idleMs: 1_000, untilMs: 100_000 });
  return { body, calls, clock };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const broken = () => new ProxyError("upstream_closed", "broken");

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

Deno.test("bytesWithin() gives a small body whole, whenever its pieces come", async () => {
  const { body, clock } = setUp();
  body.push(bytes("ab"));
  const reading = body.bytesWithin(10);
  body.push(bytes("cd"));
  body.finish();
  assertEquals(await reading, bytes("abcd"));
  assertEquals(clock.timers, 0);
});

Deno.test("bytesWithin() gives null for a larger body, and next() then everything", async () => {
  const { body } = setUp();
  body.push(bytes("abc"));
  assertEquals(await body.bytesWithin(2), null);
  body.push(bytes("def"));
  const reading = readAll(streamOf(body));
  body.push(bytes("ghi"));
  body.finish();
  assertEquals(await reading, "abcdefghi");
});

Deno.test("bytesWithin() and next() pass a failure on, after what came before it", async () => {
  const whole = setUp().body;
  const reading = whole.bytesWithin(10);
  whole.push(bytes("a"));
  whole.fail(broken());
  await assertRejects(() => reading, ProxyError, "broken");

  const { body } = setUp();
  const reader = streamOf(body).getReader();
  body.push(bytes("a"));
  assertEquals((await reader.read()).value, bytes("a"));
  body.fail(broken());
  await assertRejects(() => reader.read(), ProxyError, "broken");
});

Deno.test("R59 a stream gives all that came before a failure, and then the failure", async () => {
  for (const late of [false, true]) {
    const { body } = setUp();
    const early = late ? undefined : streamOf(body);
    body.push(bytes("a"));
    body.push(bytes("b"));
    body.fail(broken());
    const reader = (early ?? streamOf(body)).getReader();
    assertEquals((await reader.read()).value, bytes("a"));
    assertEquals((await reader.read()).value, bytes("b"));
    await assertRejects(() => reader.read(), ProxyError, "broken");
  }
});

Deno.test("streamOf() a body that is over gives its end or its failure", async () => {
  const ended = setUp().body;
  ended.push(bytes("a"));
  ended.finish();
  assertEquals(await readAll(streamOf(ended)), "a");
  const failed = setUp().body;
  failed.fail(broken());
  await assertRejects(() => readAll(streamOf(failed)), ProxyError);
});

Deno.test("R49 the connection is paused while nobody reads, and goes on when somebody does", async () => {
  const { body, calls } = setUp();
  body.push(new Uint8Array(HIGH_WATER_BYTES));
  assertEquals(calls, ["pause"]);
  const reader = streamOf(body).getReader();
  await reader.read();
  assertEquals(calls, ["pause", "resume"]);
  body.push(new Uint8Array(HIGH_WATER_BYTES));
  assertEquals(calls, ["pause", "resume", "pause"]);
  await reader.cancel();
  assertEquals(calls.at(-1), "abort");
});

Deno.test("end() is a clean end for the reader and drops the connection", async () => {
  const { body, calls, clock } = setUp();
  const reading = readAll(streamOf(body));
  body.push(bytes("a"));
  body.end();
  body.end();
  body.push(bytes("late"));
  assertEquals([await reading, calls, clock.timers], ["a", ["abort"], 0]);
});

Deno.test("breakOff() gives the reader what has come, then the failure, and drops the connection", async () => {
  const { body, calls, clock } = setUp();
  const failure = broken();
  const told: unknown[] = [];
  body.whenOver((failure) => told.push(failure));
  body.push(bytes("a"));
  body.breakOff(failure);
  body.breakOff(broken());
  assertEquals(await body.next(), [bytes("a")]);
  const error = await assertRejects(async () => await body.next());
  assertEquals([error === failure, told[0] === failure, calls], [true, true, ["abort"]]);
  assertEquals([told.length, clock.timers], [1, 0]);
  const ended = setUp();
  ended.body.finish();
  ended.body.breakOff(broken());
  assertEquals([ended.body.next(), ended.calls], [null, []]);
});

Deno.test("discard() drops the connection, once", () => {
  const { body, calls } = setUp();
  body.push(bytes("a"));
  body.discard();
  body.discard();
  assertEquals(calls, ["abort"]);
});

Deno.test("whenOver() calls back once, however the body ends and whenever it is asked", () => {
  const endings: ((body: AnswerBody) => void)[] = [
    (body) => body.finish(),
    (body) => body.fail(broken()),
    (body) => body.end(),
    (body) => body.discard(),
    (body) => body.breakOff(broken()),
  ];
  for (const ending of endings) {
    const { body } = setUp();
    const told: string[] = [];
    body.whenOver(() => told.push("before"));
    ending(body);
    ending(body);
    body.whenOver(() => told.push("after"));
    assertEquals(told, ["before", "after"]);
  }
});

Deno.test("wholeNow() gives what is there already and whole, and nothing else", () => {
  const { body } = setUp();
  body.push(bytes("abc"));
  assertEquals(body.wholeNow(10), undefined);
  body.finish();
  assertEquals(body.wholeNow(2), undefined);
  assertEquals(body.wholeNow(3), bytes("abc"));
  const broke = setUp().body;
  broke.fail(broken());
  assertEquals(broke.wholeNow(10), undefined);
});

Deno.test("tap() sees what came before and what comes after it", async () => {
  const { body } = setUp();
  body.push(bytes("a"));
  let seen = "";
  body.tap((piece) => seen += new TextDecoder().decode(piece));
  body.push(bytes("b"));
  body.finish();
  await body.bytesWithin(10);
  assertEquals(seen, "ab");
});

Deno.test("tap() takes no earlier observer's place", async () => {
  const { body } = setUp();
  let seen = "";
  const observe = (who: string) => (piece: Uint8Array) => {
    seen += who + new TextDecoder().decode(piece);
  };
  body.push(bytes("a"));
  body.tap(observe("1"));
  body.tap(observe("2"));
  body.push(bytes("b"));
  body.finish();
  await body.bytesWithin(10);
  assertEquals(seen, "1a2a1b2b");
});

Deno.test("R62 silence past its limit is an error; each byte starts the wait anew", async () => {
  const { body, calls, clock } = setUp();
  const reading = body.bytesWithin(10);
  clock.advance(999);
  body.push(bytes("a"));
  clock.advance(999);
  assertEquals(calls, []);
  clock.advance(1);
  const error = await assertRejects(() => reading, ProxyError);
  assertEquals([error.kind, calls, clock.timers], ["upstream_timeout", ["abort"], 0]);
});

Deno.test("R62 the silence of a paused connection is not the upstream's", async () => {
  const { body, clock } = setUp();
  body.push(new Uint8Array(HIGH_WATER_BYTES));
  clock.advance(5_000);
  const reader = streamOf(body).getReader();
  assertEquals((await reader.read()).value?.length, HIGH_WATER_BYTES);
  clock.advance(999);
  body.push(bytes("a"));
  assertEquals((await reader.read()).value, bytes("a"));
  clock.advance(1_000);
  await assertRejects(() => reader.read(), ProxyError);
});

Deno.test("an answer that goes on past its total time is an error, however lively it is", async () => {
  const { body, calls, clock } = setUp();
  const reading = body.bytesWithin(100_000);
  for (let second = 0; second < 200; second++) {
    clock.advance(500);
    body.push(bytes("a"));
  }
  const error = await assertRejects(() => reading, ProxyError, "took too long");
  assertEquals([error.kind, calls], ["upstream_timeout", ["abort"]]);
});

Deno.test("an answer that may be silent for ever sets no timer while its reader waits", async () => {
  const clock = new ManualClock();
  const control = { pause: () => {}, resume: () => {}, abort: () => {} };
  const body = new AnswerBody(control, { clock, idleMs: Infinity, untilMs: Infinity });
  const reading = body.next();
  assertEquals(clock.timers, 0);
  body.push(bytes("a"));
  await reading;
  body.finish();
});
