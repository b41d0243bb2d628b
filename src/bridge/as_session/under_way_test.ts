import { assertEquals } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { NEVER_ABORTED } from "../../http/mod.ts";
import { EventBody, Exchange, Flow } from "../../rpc/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import * as relay from "../../testing/relay.ts";
import { UnderWay } from "./under_way.ts";

/** A POST with the request 1. */
function post(): Exchange {
  const clock = new ManualClock();
  const flow = new Flow({
    clock,
    patienceMs: 1_000,
    othersWait: () => false,
    pause: () => {},
    resume: () => {},
  });
  return new Exchange({
    clock,
    batch: false,
    asked: new Map([["n1", "1"]]),
    ready: [],
    firstMessageMs: 1_000,
    signal: NEVER_ABORTED,
    openBody: () => new EventBody({ clock, streamIdleMs: 1_000, flow }, () => {}),
    onTimeout: () => {},
  });
}

Deno.test("UnderWay: a request is there until it is done or aborted", () => {
  const underWay = new UnderWay();
  const exchange = post();
  const first = underWay.begin("n1", exchange);
  assertEquals([underWay.size, underWay.has("n1")], [1, true]);
  underWay.abort("n1", exchange);
  assertEquals([underWay.size, first.signal.aborted], [0, true]);
  const second = underWay.begin("n1", exchange);
  underWay.done("n1", second);
  assertEquals([underWay.size, second.signal.aborted], [0, false]);
});

Deno.test("UnderWay: one that was aborted ends no later one under its id", () => {
  const underWay = new UnderWay();
  const [older, newer] = [post(), post()];
  const first = underWay.begin("n1", older);
  underWay.abort("n1", older);
  const second = underWay.begin("n1", newer);
  underWay.done("n1", first);
  underWay.abort("n1", older);
  assertEquals([underWay.has("n1"), second.signal.aborted], [true, false]);
});

Deno.test("UnderWay: who has cancelled a request gets no response, whose session ends is told why", async () => {
  const underWay = new UnderWay();
  const [cancelled, ended] = [post(), post()];
  const control = underWay.begin("n1", cancelled);
  underWay.cancel(undefined);
  underWay.cancel("n2");
  assertEquals(control.signal.aborted, false);
  underWay.cancel("n1");
  assertEquals([control.signal.aborted, underWay.size], [true, 0]);
  const reader = relay.sourceReader((await cancelled.answer).body);
  await reader.readAll();
  assertEquals([reader.events, reader.ending], [[], null]);
  underWay.begin("n1", ended);
  underWay.end(new ProxyError("upstream_closed", "It is over."));
  assertEquals((await ended.answer).failure?.message, "It is over.");
  assertEquals(underWay.size, 0);
});

Deno.test("UnderWay: a new id is of the type of the other, and no other request has it", () => {
  const underWay = new UnderWay();
  const taken = underWay.newId("1");
  underWay.begin(`n${Number(taken) + 1}`, post());
  assertEquals(underWay.newId("1"), `${Number(taken) + 2}`);
  assertEquals(underWay.newId('"a"').startsWith('"'), true);
});
