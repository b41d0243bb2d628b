import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";
import { PassingStream } from "./passing_stream.ts";
import { StreamTally } from "./traffic.ts";

const KEEP_ALIVE = ": keep-alive\n\n";
const broken = () => new ProxyError("upstream_closed", "The upstream server broke off.");
const { event, progress, result } = streams;

const decoder = new TextDecoder();
const text = (pieces: readonly Bytes[] | null) =>
  pieces === null ? null : pieces.map((piece) => decoder.decode(piece)).join("");

function setUp(idText: string | undefined = "7", keepAliveMs = 1_000) {
  const clock = new ManualClock();
  const source = relay.filledBody(clock);
  const stream = new PassingStream(source.body, { clock, keepAliveMs, idText, resumable: true });
  return { clock, source, stream, next: async () => text(await stream.next()) };
}

/** What a client is told in place of an answer. */
function failure(sentence: string): string {
  return `event: message\ndata: {"jsonrpc":"2.0","id":7,"error":{"code":-31502,"message":"${sentence}"}}\n\n`;
}

const NO_ANSWER = "The upstream server ended its stream without an answer to this request.";

Deno.test("the bytes pass as they came, those that are there at once", async () => {
  const { source, stream, next, clock } = setUp();
  source.send(": c\r\n\r\n");
  source.send("id: 1\ndata: x\xe9");
  const there = stream.next();
  assertEquals(there instanceof Promise, false);
  assertEquals(text(await there), ": c\r\n\r\nid: 1\ndata: x\xe9");
  const coming = next();
  source.send(`\n\n${event(null, result(7))}`);
  assertEquals(await coming, `\n\n${event(null, result(7))}`);
  source.body.finish();
  assertEquals([await next(), stream.ended, stream.next(), clock.timers], [null, true, null, 0]);
});

Deno.test("R52 a client that waits between two events gets comments, and then what comes", async () => {
  const { clock, source, next } = setUp();
  for (let times = 0; times < 3; times++) {
    const coming = next();
    clock.advance(1_000);
    assertEquals(await coming, KEEP_ALIVE);
  }
  const coming = next();
  source.send(event(null, progress(1)));
  assertEquals(await coming, event(null, progress(1)));
  source.send(event(null, progress(2)));
  assertEquals(await next(), event(null, progress(2)));
});

Deno.test("R52 there is one comment in each interval of silence", async () => {
  const { clock, next } = setUp();
  let comments = 0;
  let coming = next().then(() => void comments++);
  for (let times = 0; times < 40; times++) {
    clock.advance(250);
    await relay.settled();
    if (comments === 0) continue;
    const before = comments;
    coming = coming.then(() => next()).then(() => void comments++);
    await relay.settled();
    assertEquals(comments, before);
  }
  assertEquals(comments <= 10 && comments >= 9, true, `${comments} comments in ten intervals`);
});

Deno.test("R52 what comes while a comment is on its way is not lost", async () => {
  const { clock, source, next } = setUp();
  const coming = next();
  clock.advance(1_000);
  source.send("data: 1\n\n");
  source.send("data: 2\n\n");
  assertEquals(await coming, KEEP_ALIVE);
  assertEquals(await next() + (await next())!, "data: 1\n\ndata: 2\n\n");
});

Deno.test("R52 no comment goes into an event, nor to a client that does not wait", async () => {
  const { clock, source, next, stream } = setUp();
  source.send("data: ha");
  assertEquals(await next(), "data: ha");
  clock.advance(5_000);
  const coming = next();
  clock.advance(5_000);
  source.send("lf\n");
  assertEquals(await coming, "lf\n");
  const end = next();
  clock.advance(5_000);
  source.send("\n");
  assertEquals(await end, "\n");
  clock.advance(5_000);
  source.send("data: x\n\n");
  assertEquals(await next(), "data: x\n\n");
  stream.discard();
});

for (const wait of [false, true]) {
  const when = wait ? "while the client waits" : "before the client asks";
  Deno.test(`R58 an error event stands in for an answer that never came, ${when}`, async () => {
    for (const end of ["finish", "fail"] as const) {
      for (const before of ["", event(null, progress(1)), ": c\n\n", '{"id":7,"result":{}}\n\n']) {
        const { clock, source, next, stream } = setUp();
        if (before !== "") source.send(before);
        if (before !== "") await next();
        const finish = () => end === "finish" ? source.body.finish() : source.body.fail(broken());
        if (!wait) finish();
        const coming = next();
        if (wait) finish();
        const sentence = end === "finish" ? NO_ANSWER : broken().message;
        assertEquals(await coming, failure(sentence));
        assertEquals([stream.ended, await next(), clock.timers], [true, null, 0]);
      }
    }
  });
}

Deno.test("R59 a stream that ends inside of an event is cut, cleanly ended or not", async () => {
  for (const end of ["finish", "fail"] as const) {
    for (const half of ["data: ha", "data: ha\n", `data: ${result(7)}`, "\n:"]) {
      const { clock, source, next, stream } = setUp();
      source.send(half);
      await next();
      if (end === "finish") source.body.finish();
      else source.body.fail(broken());
      assertThrows(() => stream.next(), ProxyError);
      assertEquals(clock.timers, 0);
    }
  }
});

Deno.test("R58 behind an answer, and where there is none to wait for, an end is an end and a break a break", async () => {
  const cases: [string | undefined, string][] = [
    ["7", event(null, result(7))],
    ["7", `${event(null, result(7))}: bye\n\n`],
    ["7", `data: {"jsonrpc":"2.0","id":7,"error":{"code":1,"message":""}}\r\n\r\n`],
    ["7", event("up-1", progress(1))],
    // What comes behind the answer, or behind the event with the id, takes neither back.
    ["7", event(null, result(7)) + event(null, progress(1))],
    ["7", event("up-1", progress(1)) + event(null, progress(2))],
    [undefined, event(null, progress(1))],
  ];
  for (const [idText, sent] of cases) {
    // An id that is undefined is a default otherwise.
    const make = () => {
      const clock = new ManualClock();
      const source = relay.filledBody(clock);
      return {
        source,
        stream: new PassingStream(source.body, { clock, keepAliveMs: 0, idText, resumable: true }),
      };
    };
    const clean = make();
    clean.source.send(sent);
    assertEquals(text(await clean.stream.next()), sent);
    clean.source.body.finish();
    assertEquals(await clean.stream.next(), null);
    const cut = make();
    cut.source.send(sent);
    assertEquals(text(await cut.stream.next()), sent);
    const coming = Promise.resolve(cut.stream.next());
    cut.source.body.fail(broken());
    await assertRejects(() => coming, ProxyError, "broke off");
  }
});

Deno.test("R54 discard() drops the upstream's connection and leaves nothing behind", async () => {
  const { clock, source, stream, next } = setUp();
  const coming = next();
  stream.discard();
  stream.discard();
  assertEquals([await coming, stream.ended, source.aborted, clock.timers], [null, true, true, 0]);
  await relay.settled();
  assertEquals(await next(), null);
});

Deno.test("R49 a client that does not read pauses the upstream", async () => {
  const { source, next } = setUp();
  for (let times = 0; times < 3; times++) source.send("x".repeat(30_000));
  assertEquals(source.calls, ["pause"]);
  await next();
  assertEquals(source.calls, ["pause", "resume"]);
});

Deno.test("what the client takes is counted in bytes, comments and errors included", async () => {
  const clock = new ManualClock();
  const source = relay.filledBody(clock);
  const sum = { bytesOut: 0, events: 0, streams: 0 };
  const traffic = new StreamTally(sum, clock).begin("answer", false);
  const options = { clock, keepAliveMs: 1_000, idText: "7", resumable: true, traffic };
  const stream = new PassingStream(source.body, options);
  let bytes = 0;
  const take = async () => {
    for (const piece of await stream.next() ?? []) bytes += piece.length;
  };
  source.send(event(null, progress(1)));
  await take();
  const waiting = take();
  clock.advance(1_000);
  await waiting;
  source.body.finish();
  await take();
  assertEquals(bytes > event(null, progress(1)).length + KEEP_ALIVE.length, true);
  assertEquals([sum, traffic.bytes], [{ bytesOut: bytes, events: 0, streams: 0 }, bytes]);
  stream.discard();
  assertEquals(sum.streams, 0);
});

/** The stream of a `subscriptions/listen` of 2026-07-28. */
function subscribed() {
  const subscription = '"s\\u0031"';
  const clock = new ManualClock();
  const source = relay.filledBody(clock);
  const { body } = source;
  const options = { clock, keepAliveMs: 1_000, idText: undefined, subscription, resumable: false };
  const stream = new PassingStream(body, options);
  return { clock, source, body, stream, next: async () => text(await stream.next()) };
}

const OVER =
  'event: message\ndata: {"jsonrpc":"2.0","id":"s\\u0031","result":{"resultType":"complete",' +
  '"_meta":{"io.modelcontextprotocol/subscriptionId":"s\\u0031"}}}\n\n';

for (const waits of [false, true]) {
  const when = waits ? "while the client waits" : "before the client asks";
  Deno.test(`R68 a subscription that the proxy ends is completed, ${when}`, async () => {
    const { clock, source, body, stream, next } = subscribed();
    source.send("data: {}\n\n");
    assertEquals(await next(), "data: {}\n\n");
    if (!waits) source.send("data: last\n\n");
    const coming = waits ? next() : undefined;
    stream.end(body);
    if (!waits) assertEquals(await next(), "data: last\n\n");
    assertEquals(await (coming ?? next()), OVER);
    assertEquals([await next(), stream.ended, clock.timers], [null, true, 0]);
  });
}

Deno.test("R68 a subscription is completed by nobody else, nor twice, nor in an event, nor ahead of its first", async () => {
  const ends = async (
    sent: string | null,
    end: (of: ReturnType<typeof subscribed>) => void,
  ) => {
    const under = subscribed();
    if (sent !== null) {
      under.source.send(sent);
      assertEquals(await under.next(), sent);
    }
    end(under);
    return await under.next();
  };
  const byProxy = ({ stream, body }: ReturnType<typeof subscribed>) => stream.end(body);
  assertEquals(await ends("data: {}\n\n", ({ body }) => body.finish()), null);
  assertEquals(await ends(event(null, result(7)), byProxy), null);
  assertEquals(await ends("data: {}\n\ndata: hal", byProxy), null);
  assertEquals(await ends(null, byProxy), null);
  assertEquals(await ends(": only a comment\n\n", byProxy), null);
  assertEquals(await ends("data: {}\n\n", byProxy), OVER);
});

Deno.test("a stream that is no subscription of 2026-07-28 ends without a word", async () => {
  const clock = new ManualClock();
  const source = relay.filledBody(clock);
  const options = { clock, keepAliveMs: 0, idText: undefined, resumable: true };
  const stream = new PassingStream(source.body, options);
  source.send("data: {}\n\n");
  await stream.next();
  stream.end(source.body);
  assertEquals(await stream.next(), null);
});
