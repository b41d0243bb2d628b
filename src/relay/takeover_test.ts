import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import * as cluster from "../testing/cluster.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";

const { clusterTest, heldUpLog, sent, steps } = cluster;
const { event, result } = streams;

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

clusterTest(
  "two clients come at once for a stream that is said to be here: it is taken over once",
  async ({ a, b }, all) => {
    const { upstream, reader, name } = await a.open();
    upstream.send(sent(1));
    await reader.readAll();
    a.runs = false;
    // It was given to this instance, which failed behind that.
    all.streams.get(name)!.owner = "b";
    const both = [b.come(name, 0), b.come(name, 0)];
    await all.deliver();
    for (const one of await Promise.all(both)) assert(one !== undefined);
    assertEquals(b.regained.length, 1);
  },
);

{
  const gate = { rewound: Promise.resolve() };
  const gated = (log: EventLog): EventLog => ({
    ...heldUpLog(log),
    append: log.append,
    appendRun: log.appendRun,
    async rewind(stream, seq) {
      await gate.rewound;
      await log.rewind!(stream, seq);
    },
  });
  clusterTest(
    "who asks an instance for a stream that it is taking over waits until it has it",
    async ({ a, b, c }, all) => {
      const { upstream, reader, name } = await a.open();
      upstream.send(sent(1));
      await reader.readAll();
      a.runs = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      gate.rewound = promise;
      const first = b.come(name, 0);
      await all.deliver();
      const second = c.come(name, 0);
      await all.deliver();
      resolve();
      await all.deliver();
      assertEquals([b.regained.length, c.regained.length], [1, 0]);
      const rest = relay.sourceReader((await second)!);
      await rest.readAll();
      assertEquals([(await first)!.ended, steps(rest)], [false, [1]]);
    },
    { log: gated },
  );
}

clusterTest("streams that cannot be looked up: 503, and nothing is lost", async ({ a, b }, all) => {
  const { upstream, reader, name, attachment } = await a.open([]);
  upstream.send(sent(1));
  await reader.readAll();
  attachment.discard();
  const failing = () => Promise.reject(new Error("Redis is not there."));
  for (const method of ["find", "subscriptions", "isAlive"] as const) {
    const works = b.directory[method];
    Object.assign(b.directory, { [method]: failing });
    for (const seq of method === "subscriptions" ? [null] : [0, null]) {
      const error = await assertRejects(() => b.come(name, seq), ProxyError);
      assertEquals([error.kind, error.headers["retry-after"]], ["store_unavailable", "1"]);
    }
    Object.assign(b.directory, { [method]: works });
  }
  assertEquals(steps(await b.read(name, 0)), [1]);
  assertEquals(all.streams.get(name)!.owner, "a");
});
