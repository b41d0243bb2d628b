import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { type LiveStream, LiveStreams } from "./live_streams.ts";

function setUp(maxUnattended?: number) {
  const live = new LiveStreams(maxUnattended);
  const ended: string[] = [];
  const stream = (name: string): LiveStream & { finished: boolean } => {
    const one = {
      finished: false,
      end() {
        live.remove(one);
        ended.push(name);
      },
      release(failure: ProxyError) {
        live.remove(one);
        ended.push(`${name} ${failure.kind}`);
      },
    };
    live.add(one);
    return one;
  };
  return { live, ended, stream };
}

Deno.test("R86 of more unattended streams than there may be, the longest unattended gives way", () => {
  const { live, ended, stream } = setUp(2);
  const [a, b, c, d] = ["a", "b", "c", "d"].map(stream);
  for (const one of [a!, b!]) live.attended(one, false);
  // Somebody came back to it meanwhile.
  live.attended(a!, true);
  live.attended(a!, false);
  assertEquals([live.size, live.unattended, ended], [4, 2, []]);
  live.attended(c!, false);
  assertEquals([live.size, live.unattended, ended], [3, 2, ["b"]]);
  live.attended(d!, true);
  live.attended(d!, false);
  assertEquals([live.size, live.unattended, ended], [2, 2, ["b", "a"]]);
});

Deno.test("R86 the longest unattended of those with nothing more to come gives way before all others", () => {
  const { live, ended, stream } = setUp(3);
  const [a, b, c, d, e, f] = ["a", "b", "c", "d", "e", "f"].map(stream);
  live.attended(a!, false);
  live.attended(b!, false);
  c!.finished = true;
  live.attended(c!, false);
  live.attended(d!, false);
  assertEquals(ended, ["c"]);
  // It ends while nobody reads it.
  b!.finished = true;
  live.finished(b!);
  live.attended(e!, false);
  assertEquals([ended, live.unattended], [["c", "b"], 3]);
  // Who reads it may come back for its end: it is not among those that nobody reads.
  live.attended(d!, true);
  d!.finished = true;
  live.finished(d!);
  live.attended(f!, false);
  assertEquals([ended, live.unattended, live.size], [["c", "b"], 3, 4]);
  live.attended(d!, false);
  assertEquals(ended, ["c", "b", "d"]);
  live.attended(stream("g"), false);
  assertEquals(ended, ["c", "b", "d", "a"]);
});

Deno.test("R86 there are 10,000 unattended streams over all sessions and no more", () => {
  const { live, ended, stream } = setUp();
  for (let number = 0; number < 10_500; number++) live.attended(stream(String(number)), false);
  assertEquals([live.unattended, live.size, ended.length], [10_000, 10_000, 500]);
  assertEquals([ended[0], ended.at(-1)], ["0", "499"]);
});

Deno.test("R68 close() ends all of them as broken off, attended or not", () => {
  const { live, ended, stream } = setUp();
  live.attended(stream("a"), false);
  stream("b");
  live.close(new ProxyError("upstream_closed", "stopping"));
  assertEquals([live.size, live.unattended], [0, 0]);
  assertEquals(ended, ["a upstream_closed", "b upstream_closed"]);
});

Deno.test("remove() of a stream that is not there is harmless", () => {
  const { live } = setUp();
  live.remove({ finished: false, end: () => {}, release: () => {} });
  assertEquals([live.size, live.unattended], [0, 0]);
});

Deno.test("R68 one that comes behind close() is let go of too, once it has begun", async () => {
  const { live, ended, stream } = setUp();
  live.close(new ProxyError("stopping", "stopping"));
  stream("a");
  live.remove(stream("over by itself"));
  assertEquals(ended, []);
  await Promise.resolve();
  assertEquals([ended, live.size], [["a stopping"], 0]);
});
