import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import * as cluster from "../testing/cluster.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";

const { clusterTest, heldUpLog, sent, steps } = cluster;
const { event, progress, result } = streams;

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

clusterTest(
  "R58 a follower has all there was of a stream that the upstream does not take up again",
  async ({ a, b }, all) => {
    const { upstream, name } = await a.open([]);
    a.status = 405;
    const coming = b.come(name, 0);
    await all.deliver();
    upstream.send(sent(1, 2));
    upstream.body.fail(new ProxyError("upstream_closed", "It broke."));
    await relay.settled();
    await all.pass(1);
    const reader = relay.sourceReader((await coming)!);
    await reader.readAll();
    await all.deliver();
    await reader.readAll();
    assertEquals(steps(reader), [1, 2]);
    assertInstanceOf(reader.ending, ProxyError);
    assertEquals([a.live.size, b.live.size, all.streams.size], [0, 0, 0]);
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
  "a refusal that comes too late is not taken for that to a later question",
  async ({ a, b }, all) => {
    const { attachment, name } = await a.open([]);
    const coming = b.come(name, null);
    await all.deliver(({ to }) => to === "a");
    all.clock.advance(1_000);
    const late = all.underway.splice(0);
    assertEquals(late.map(({ message }) => message.say), ["refused"]);
    attachment.discard();
    await all.deliver(({ to }) => to === "a");
    all.underway.unshift(...late);
    await all.deliver();
    assert(await coming !== undefined);
  },
);

clusterTest("the end of a displaced follower is not its successor's", async ({ a, b }, all) => {
  const { upstream, name } = await a.open();
  const first = await b.read(name, 0);
  const coming = b.come(name, 0);
  await all.deliver(({ message }) => message.say !== "close");
  const second = relay.sourceReader((await coming)!);
  await all.deliver();
  upstream.send(sent(1));
  await all.deliver();
  for (const reader of [first, second]) await reader.readAll();
  assertEquals([first.ending, second.ending, steps(second)], [null, undefined, [1]]);
});

clusterTest(
  "a follower whose end was lost with the stream is told when it next says something",
  async ({ a, b }, all) => {
    const { name } = await a.open([]);
    const rest = await b.read(name, 0);
    a.session.close();
    await all.lose();
    assertEquals(b.live.size, 1);
    await all.pass(5_000);
    await rest.readAll();
    assertInstanceOf(rest.ending, ProxyError);
    assertEquals(b.live.size, 0);
  },
);

{
  const gates = new Map<number, PromiseWithResolvers<void>>();
  const gated = (log: EventLog): EventLog => ({
    ...heldUpLog(log),
    append: (stream, events) => log.append(stream, events),
    async appendRun(stream, seq, bytes, ends) {
      await gates.get(seq)!.promise;
      await log.appendRun(stream, seq, bytes, ends);
    },
  });
  clusterTest(
    "an event does not count as taken that is being kept behind another one",
    async ({ a }, all) => {
      for (const seq of [1, 2]) gates.set(seq, Promise.withResolvers());
      const data = new TextEncoder().encode(progress(1));
      const { upstream, attachment, reader, name } = await a.open([], [{ data }]);
      upstream.send(sent(2));
      await relay.settled();
      gates.get(1)!.resolve();
      await reader.readAll();
      assertEquals(steps(reader), [1]);
      attachment.discard();
      gates.get(2)!.resolve();
      await all.deliver();
      assertEquals(steps(await a.read(name, null)), [2]);
    },
    { log: gated },
  );
}
