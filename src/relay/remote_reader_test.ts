import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { FOLLOWER_SILENCE_MS, RemoteReader } from "./remote_reader.ts";
import type { PeerWord } from "./stream_directory.ts";

function setUp(seq = 0) {
  const clock = new ManualClock();
  const said: PeerWord[] = [];
  const told: string[] = [];
  const limits = {
    clock,
    maxEventBytes: 1_000,
    keepAliveMs: 0,
    resumeWindowMs: 1_000,
    maxAheadBytes: 100,
    maxAheadEvents: 5,
  };
  const events = { left: () => told.push("left"), drained: () => told.push("drained") };
  const reader = new RemoteReader({ events, limits, seq, say: (word) => said.push(word) });
  const push = (to: number, bytes = 1) => reader.push(new Uint8Array(bytes), to);
  return { clock, said, told, reader, push };
}

Deno.test("push() tells how far the log has come, and comments tell nothing", () => {
  const { reader, push, said } = setUp(3);
  push(5);
  reader.push(new Uint8Array(9));
  push(5);
  assertEquals(said, [{ say: "more", upTo: 5 }]);
  reader.finish();
});

Deno.test("R49 it is full by bytes and by events, until the follower has taken some", () => {
  const { reader, push } = setUp();
  push(1, 99);
  assertEquals(reader.full, false);
  push(2, 1);
  assertEquals(reader.full, true);
  reader.took(1);
  assertEquals([reader.full, reader.taken], [false, 1]);
  for (let seq = 3; seq <= 6; seq++) push(seq);
  assertEquals(reader.full, true);
  reader.took(2);
  assertEquals(reader.full, false);
  reader.finish();
});

Deno.test("R49 what the log had before it asked is ahead of it too", () => {
  const { reader } = setUp();
  reader.announce(5);
  assertEquals(reader.full, true);
  reader.took(1);
  assertEquals(reader.full, false);
  reader.finish();
});

Deno.test("took() believes nothing that was not there, and never goes back", () => {
  const { reader, push, told } = setUp();
  push(2);
  reader.took(9);
  assertEquals(reader.taken, 2);
  reader.took(1);
  assertEquals([reader.taken, told], [2, ["drained", "drained"]]);
  reader.finish();
});

Deno.test("took() says again what may have been lost: more, or the end", () => {
  const { reader, push, said } = setUp();
  push(2);
  reader.took(1);
  reader.finish(new ProxyError("upstream_closed", "It broke."));
  reader.took(2);
  const close: PeerWord = { say: "close", upTo: 2, broken: "It broke." };
  const more: PeerWord = { say: "more", upTo: 2 };
  assertEquals(said, [more, more, close, close]);
});

Deno.test("a follower that is silent for 15 s is gone, and told so", () => {
  const { reader, clock, told, said } = setUp();
  assertEquals(FOLLOWER_SILENCE_MS, 15_000);
  clock.advance(14_999);
  reader.took(0);
  clock.advance(14_999);
  assertEquals(told, ["drained"]);
  clock.advance(1);
  assertEquals([told, said.map(({ say }) => say), clock.timers], [
    ["drained", "left"],
    ["close"],
    0,
  ]);
  reader.finish();
  assertEquals(said.length, 1);
});

Deno.test("leave() notes what was taken, and ends it once and without a word", () => {
  const { reader, push, clock, told, said } = setUp();
  push(3);
  reader.leave(2);
  assertEquals([reader.taken, told, clock.timers], [2, ["drained", "left"], 0]);
  push(4);
  reader.finish();
  assertEquals(said, [{ say: "more", upTo: 3 }]);
});

Deno.test("behind the end it is noted what the follower's client takes of the rest", () => {
  const { reader, push, told, clock } = setUp();
  push(3);
  reader.finish();
  assertEquals(clock.timers, 0);
  reader.leave(3);
  assertEquals([reader.taken, told], [3, ["drained"]]);
});
