import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import { cluster, relay, streams } from "../testing/mod.ts";
import type { RelayLimits } from "./limits.ts";

const { Cluster, steps } = cluster;
const { event, progress, result } = streams;

type Members = Record<"a" | "b" | "c", cluster.Member>;

/** Registers a test with three instances of which nothing may be left. */
function clusterTest(
  name: string,
  run: (members: Members, all: cluster.Cluster) => Promise<void>,
  { limits, log }: { limits?: Partial<RelayLimits>; log?: (log: EventLog) => EventLog } = {},
): void {
  Deno.test(name, async () => {
    const all = new Cluster(limits, log);
    await run({ a: all.join("a"), b: all.join("b"), c: all.join("c") }, all);
    await all.close();
  });
}

/** Events with these numbers. */
function sent(...numbers: number[]): string {
  return numbers.map((number) => event(`u${number}`, progress(number))).join("");
}

clusterTest("a stream is followed from the middle, and to its end", async ({ a, b }, all) => {
  const { upstream, reader, name } = await a.open();
  upstream.send(sent(1, 2, 3));
  await reader.readAll();
  const rest = await b.read(name, 1);
  assertEquals(steps(rest), [2, 3]);
  assertEquals(reader.ending, null, "one client reads at a time");
  upstream.send(sent(4) + event("u5", result(7)));
  upstream.body.finish();
  await all.deliver();
  await rest.readAll();
  assertEquals(steps(rest), [2, 3, 4]);
  assertEquals([rest.events.at(-1)!.data, rest.ending], [result(7), null]);
  assertEquals(rest.events.map(({ id }) => id), [2, 3, 4, 5].map((seq) => `${name}.${seq}`));
  // What is finished is followed too, also where nothing is left of it.
  assertEquals(steps(await b.read(name, 3)), [4]);
  const nothing = await b.read(name, 5);
  assertEquals([nothing.events.length, nothing.ending], [0, null]);
  assertEquals(b.live.size, 0);
});

clusterTest("a stream is followed from its end", async ({ a, b }, all) => {
  const { upstream, reader, name } = await a.open();
  upstream.send(sent(1));
  await reader.readAll();
  const rest = await b.read(name, 1);
  assertEquals(steps(rest), []);
  upstream.send(sent(2));
  await all.deliver();
  await rest.readAll();
  assertEquals(steps(rest), [2]);
});

clusterTest(
  "R49 a client that does not read holds the upstream of the holder back",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    const coming = b.come(name, 0);
    await all.deliver();
    const attachment = (await coming)!;
    for (let number = 1; number <= 200 && !upstream.paused; number++) {
      upstream.send(event(`u${number}`, `${number} ${"x".repeat(2_000)}`));
      await all.deliver();
    }
    assert(upstream.paused, "the holder takes everything");
    const reader = relay.sourceReader(attachment);
    for (let rounds = 0; rounds < 20; rounds++) {
      await reader.readAll();
      await all.deliver();
    }
    assert(!upstream.paused);
    upstream.send(sent(1_000));
    await all.deliver();
    await reader.readAll();
    assertEquals(steps(reader), [1_000]);
    const numbers = reader.events.map(({ id }) => Number(id!.split(".")[1]));
    assertEquals(numbers, numbers.map((_, at) => at + 1));
  },
  { limits: { maxAheadBytes: 40_000 } },
);

clusterTest(
  "a stream that breaks off at its holder breaks off at the follower",
  async ({ a, b }, all) => {
    const { upstream, reader, name } = await a.open([]);
    upstream.send(sent(1));
    await reader.readAll();
    const rest = await b.read(name, 1);
    a.live.close(new ProxyError("upstream_closed", "The proxy stops."));
    await all.deliver();
    await rest.readAll();
    assertInstanceOf(rest.ending, ProxyError);
    assertEquals(all.streams.get(name)!.owner, "");
    // Whoever comes next takes it over.
    const again = await b.read(name, 1);
    assertEquals(b.regained.map(({ lastEventId }) => lastEventId), ["u1"]);
    b.regained[0]!.upstream.send(sent(2));
    await all.deliver();
    await again.readAll();
    assertEquals([steps(again), all.streams.get(name)!.owner], [[2], "b"]);
  },
);

clusterTest(
  "a follower's client leaves: the stream is nobody's to read, for a while",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open([]);
    const rest = await b.read(name, 0);
    upstream.send(sent(1));
    await all.deliver();
    await rest.readAll();
    rest.attachment.discard();
    await all.deliver();
    assertEquals([a.live.unattended, b.live.size], [1, 0]);
    upstream.send(sent(2));
    // Behind what was taken, and at yet another instance.
    assertEquals(steps(await all.members.get("c")!.read(name, null)), [2]);
    assertEquals(a.live.unattended, 0);
  },
);

clusterTest(
  "a follower that is silent for 15 s is gone, and is told when it is not",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open([]);
    const rest = await b.read(name, 0);
    for (let passed = 0; passed < 15_000; passed += 2_500) {
      all.clock.advance(2_500);
      await all.lose(({ to }) => to === "a");
    }
    await all.lose();
    assertEquals(a.live.unattended, 1);
    // A minute of its own life: it must not wait for ever for what nobody tells it.
    await all.pass(5_000);
    await rest.readAll();
    assertInstanceOf(rest.ending, ProxyError);
    upstream.send(sent(1));
    assertEquals(steps(await b.read(name, null)), [1]);
  },
);

clusterTest("a follower that says something every 5 s is not gone", async ({ a, b }, all) => {
  const { name } = await a.open([]);
  await b.read(name, 0);
  for (let rounds = 0; rounds < 12; rounds++) await all.pass(5_000);
  assertEquals([a.live.unattended, b.live.size], [0, 1]);
});

clusterTest(
  "messages that are lost are made up for by the follower's next sign",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    const rest = await b.read(name, 0);
    upstream.send(sent(1, 2));
    await all.lose();
    await rest.readAll();
    assertEquals(steps(rest), []);
    await all.pass(5_000);
    await rest.readAll();
    assertEquals(steps(rest), [1, 2]);
    // The end too.
    upstream.send(event("u3", result(7)));
    upstream.body.finish();
    await all.lose();
    await rest.readAll();
    assertEquals(rest.ending, undefined);
    await all.pass(5_000);
    await rest.readAll();
    assertEquals([rest.events.at(-1)!.data, rest.ending], [result(7), null]);
  },
);

clusterTest(
  "a second follower displaces the first, at the same instance or another",
  async ({ a, b, c }, all) => {
    const { upstream, name } = await a.open();
    let reader = await b.read(name, 0);
    for (const [number, next] of [b, c, b].entries()) {
      const second = await next.read(name, number);
      await reader.readAll();
      assertEquals(reader.ending, null);
      upstream.send(sent(number + 1));
      await all.deliver();
      await second.readAll();
      assertEquals(steps(second), [number + 1]);
      reader = second;
    }
    assertEquals([b.live.size, c.live.size], [1, 0]);
  },
);

clusterTest(
  "what is late of a displaced follower is not taken for its successor's",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    const first = await b.read(name, 0);
    // The first one's words are held up on the way, and come last.
    const coming = b.come(name, 0);
    await relay.settled();
    first.attachment.discard();
    await all.deliver(({ message }) => message.say !== "left");
    const second = relay.sourceReader((await coming)!);
    await second.readAll();
    await all.deliver();
    assertEquals([a.live.unattended, second.ending], [0, undefined]);
    upstream.send(sent(1));
    await all.deliver();
    await second.readAll();
    assertEquals(steps(second), [1]);
  },
);

clusterTest("a client here displaces a follower, and the reverse", async ({ a, b }, all) => {
  const { upstream, name } = await a.open();
  const there = await b.read(name, 0);
  const here = await a.read(name, 0);
  await all.deliver();
  await there.readAll();
  assertEquals([there.ending, here.ending], [null, undefined]);
  upstream.send(sent(1));
  await here.readAll();
  assertEquals(steps(here), [1]);
  const back = await b.read(name, 1);
  await here.readAll();
  assertEquals(here.ending, null);
  upstream.send(sent(2));
  await all.deliver();
  await back.readAll();
  assertEquals(steps(back), [2]);
});

clusterTest(
  "without an event id a stream that is being read is not given away",
  async ({ a, b }) => {
    const { attachment, reader, upstream, name } = await a.open([]);
    upstream.send(sent(1, 2));
    await reader.readAll();
    const cluster = a.cluster;
    const coming = b.come(name, null);
    await cluster.deliver();
    assertEquals(await coming, undefined);
    attachment.discard();
    upstream.send(sent(3));
    assertEquals(steps(await b.read(name, null)), [3]);
  },
);

clusterTest(
  "nothing comes twice that was taken behind the end of a followed connection",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open([]);
    const coming = b.come(name, 0);
    await all.deliver();
    const attachment = (await coming)!;
    upstream.send(sent(1));
    await all.deliver();
    // The server closes the connection and not the stream: the client reads what waits, and comes back.
    upstream.body.finish();
    await all.deliver();
    const reader = relay.sourceReader(attachment);
    await reader.readAll();
    await all.deliver();
    assertEquals([steps(reader), reader.ending], [[1], null]);
    assertEquals(steps(await b.read(name, null)), []);
  },
);

clusterTest(
  "a holder dies: whoever follows takes the stream over, behind the mark",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    const rest = await b.read(name, 0);
    upstream.send(sent(1));
    await all.deliver();
    await rest.readAll();
    a.runs = false;
    await all.pass(5_000);
    assertEquals(b.regained.map(({ lastEventId }) => lastEventId), ["u1"]);
    b.regained[0]!.upstream.send(sent(2) + event("u3", result(7)));
    b.regained[0]!.upstream.body.finish();
    await all.deliver();
    await rest.readAll();
    assertEquals([steps(rest), rest.ending], [[1, 2], null]);
    assertEquals(rest.events.at(-1)!.data, result(7));
  },
);

clusterTest(
  "a holder dies whose stream another one takes over: it is followed there",
  async ({ a, b, c }, all) => {
    const { upstream, name } = await a.open([]);
    const rest = await b.read(name, 0);
    upstream.send(sent(1));
    await all.deliver();
    await rest.readAll();
    a.runs = false;
    // Before the follower looks, the stream is at the third.
    const other = await c.read(name, 1);
    assertEquals(all.streams.get(name)!.owner, "c");
    await all.pass(5_000);
    await other.readAll();
    assertEquals(other.ending, null, "it reads no more");
    c.regained[0]!.upstream.send(sent(2));
    await all.deliver();
    await rest.readAll();
    assertEquals([steps(rest), rest.ending], [[1, 2], undefined]);
  },
);

clusterTest(
  "two clients come at once for a stream whose holder died: it is taken over once",
  async ({ a, b, c }, all) => {
    const { upstream, reader, name } = await a.open();
    upstream.send(sent(1));
    await reader.readAll();
    a.runs = false;
    const both = [b.come(name, 0), b.come(name, 0), c.come(name, 0)];
    await all.deliver();
    const readers = (await Promise.all(both)).map((one) => relay.sourceReader(one!));
    for (const each of readers) await each.readAll();
    assertEquals([...b.regained, ...c.regained].length, 1);
    const [{ upstream: again }] = [...b.regained, ...c.regained] as [typeof b.regained[number]];
    again.send(sent(2));
    await all.deliver();
    for (const each of readers) await each.readAll();
    const going = readers.filter(({ ending }) => ending === undefined);
    assertEquals(going.map(steps), [[1, 2]]);
  },
);

clusterTest("events behind the mark were seen by nobody, and come again", async ({ a, b }, all) => {
  const { upstream, reader, name } = await a.open();
  upstream.send(sent(1));
  await reader.readAll();
  const { mark } = all.streams.get(name)!;
  upstream.send(sent(2, 3));
  await relay.settled();
  // It died between the log and the mark.
  all.streams.get(name)!.mark = mark;
  a.runs = false;
  const rest = await b.read(name, 0);
  b.regained[0]!.upstream.send(sent(2, 3, 4));
  await all.deliver();
  await rest.readAll();
  assertEquals(b.regained[0]!.lastEventId, "u1");
  assertEquals(steps(rest), [1, 2, 3, 4]);
});

clusterTest(
  "what is being kept is not told to a follower before it is",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    upstream.send(sent(1, 2));
    // The events are on their way to the log when the follower comes and looks there.
    const coming = b.come(name, 0);
    for (let turns = 0; turns < 60; turns++) {
      await Promise.resolve();
      for (const { to, message } of all.underway.splice(0)) all.members.get(to)!.listener!(message);
    }
    const rest = relay.sourceReader((await coming)!);
    await rest.readAll();
    await all.deliver();
    await rest.readAll();
    assertEquals(steps(rest), [1, 2]);
  },
  { log: heldUpLog },
);

clusterTest(
  "a holder that does not answer: 503, and the client may try again",
  async ({ a, b }, all) => {
    const { name } = await a.open();
    const coming = b.come(name, 0);
    for (let tries = 0; tries < 12; tries++) {
      await all.lose();
      all.clock.advance(1_000);
    }
    const error = await assertRejects(() => coming, ProxyError);
    assertEquals([error.kind, all.said.filter((say) => say === "follow").length], [
      "store_unavailable",
      12,
    ]);
  },
);

clusterTest(
  "an answer that comes too late is not taken for that to a later question",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open();
    const coming = b.come(name, 0);
    await all.deliver(({ to }) => to === "a");
    all.clock.advance(1_000);
    const late = all.underway.splice(0);
    await all.deliver(({ to }) => to === "a");
    all.underway.unshift(...late);
    await all.deliver();
    const rest = relay.sourceReader((await coming)!);
    upstream.send(sent(1));
    await all.deliver();
    await rest.readAll();
    assertEquals([steps(rest), rest.ending], [[1], undefined]);
  },
);

clusterTest(
  "a stream that its holder knows nothing of is taken over from it",
  async ({ a, b }, all) => {
    const { upstream, reader, name } = await a.open();
    upstream.send(sent(1));
    await reader.readAll();
    // It has lost the stream, and the directory says otherwise.
    all.streams.get(name)!.owner = "c";
    const rest = await b.read(name, 0);
    assertEquals([steps(rest), all.streams.get(name)!.owner], [[1], "b"]);
  },
);

clusterTest(
  "a holder whose stream was taken over gives no more of it, and forgets nothing",
  async ({ a, b }, all) => {
    const { upstream, reader, name } = await a.open();
    upstream.send(sent(1));
    await reader.readAll();
    // It was taken for dead, and was not.
    a.runs = false;
    const rest = await b.read(name, 1);
    a.runs = true;
    upstream.send(sent(2));
    await reader.readAll();
    assertInstanceOf(reader.ending, ProxyError);
    assertEquals([steps(reader), a.live.size], [[1], 0]);
    assert(upstream.aborted);
    rest.attachment.discard();
    // Whoever lost the race comes to the whole of it again.
    const whole = await a.read(name, 0);
    assertEquals([steps(whole).slice(0, 1), all.streams.has(name)], [[1], true]);
  },
);

clusterTest(
  "a session that ends while its stream is taken over leaves nothing",
  async ({ a, b }, all) => {
    const { upstream, reader, name } = await a.open();
    upstream.send(sent(1));
    await reader.readAll();
    a.runs = false;
    const coming = b.come(name, 1);
    b.session.close();
    await all.deliver();
    await (await coming)!.next();
    assertEquals([b.live.size, b.session.size], [0, 0]);
  },
);

clusterTest(
  "of another session there is nothing to follow, also where it is held here",
  async ({ a, b }, all) => {
    const { name } = await a.open();
    const restore = (): never => {
      throw new Error("nothing was to be restored");
    };
    const how = { restore, tally: undefined! };
    const kept = all.streams.get(name)!;
    assertEquals(await b.instances.resume("other", name, 0, how), undefined);
    assertEquals(await a.instances.resume("other", name, 0, how), undefined);
    assertEquals(kept.owner, "a");
  },
);

/** The log, whose appends take longer than a message; what is read overtakes them. */
function heldUpLog(log: EventLog): EventLog {
  const later = async (act: () => void | Promise<void>) => {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await act();
  };
  return {
    append: (stream, events) => later(() => log.append(stream, events)),
    appendRun: (stream, seq, bytes, ends) =>
      later(() => log.appendRun(stream, seq, bytes.slice(), ends)),
    after: log.after,
    rewind: log.rewind!,
    forget: log.forget,
    close: log.close,
    size: log.size,
  };
}
