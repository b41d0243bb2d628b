import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { type LiveStream, LiveStreams } from "./live_streams.ts";

function setUp(maxUnattended?: number) {
  const live = new LiveStreams(maxUnattended);
  const ended: string[] = [];
  const stream = (name: string): LiveStream => {
    const one: LiveStream = {
      end() {
        live.remove(one);
        ended.push(name);
      },
      release(failure) {
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
  live.remove({ end: () => {}, release: () => {} });
  assertEquals([live.size, live.unattended], [0, 0]);
});
