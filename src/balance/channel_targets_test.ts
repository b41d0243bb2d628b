/**
 * Targets on channels, without sockets: the proxy makes answers there in the server's place, and what the server
 * has not said is not the server's.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { OpenChannel } from "../channel/mod.ts";
import * as balance from "../testing/balance.ts";
import * as channels from "../testing/channel.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import type { UpstreamCall } from "../upstream/mod.ts";
import { Balancer } from "./balancer.ts";

const { asks, balancedCall, FakeHealth, statusOf } = balance;
const { settled } = relay;
const CALL = "tools/call";

/** Two targets on channels. */
function setup(open: { readonly a?: OpenChannel } = {}) {
  const clock = new ManualClock(1);
  const fakes = {
    a: new channels.FakeChannels(open.a === undefined ? {} : { open: open.a }),
    b: new channels.FakeChannels(),
  };
  const healths: Record<string, InstanceType<typeof FakeHealth>> = {};
  const fleet = {
    add: (name: string, listener: ConstructorParameters<typeof FakeHealth>[0]) =>
      healths[name] = new FakeHealth(listener),
  };
  const specs = (["a", "b"] as const).map((name) => ({
    name,
    weight: 1,
    place: name,
    open: () => fakes[name].upstream,
  }));
  const options = { route: "r", fleet, clock, closeAfterMs: 60_000 };
  const balancer = new Balancer(options, balance.BALANCE, specs);
  return { balancer, fakes, healths };
}

/** With a session at `a`. */
async function underTest() {
  const { balancer, fakes, healths } = setup();
  const opening = balancer.exchange(...asks("initialize"));
  await settled();
  const [server] = fakes.a.channels;
  server!.answer("initialize");
  const { sessionId } = await opening;
  const health = healths.a!;
  const { outcomes } = health;
  outcomes.length = 0;
  const ask = (more: Partial<UpstreamCall> = {}) =>
    balancer.exchange(...asks(CALL, { sessionId, ...more }));
  const call = balancedCall({ sessionId });
  return { balancer, fakes, server: server!, health, outcomes, sessionId, ask, call };
}

Deno.test("what the proxy answers in the server's place says nothing of the target", async () => {
  const { balancer, health, outcomes, call, ask } = await underTest();
  const forgotten = () => [outcomes, health.forgotten, health.admitted];
  // No request goes to the server: its stream is open already.
  assertEquals(await statusOf(balancer.listen(call)), 200);
  assertEquals(forgotten(), [[], 1, 0]);
  const inFlight = ask();
  // Its id is in flight.
  assertEquals(await statusOf(ask()), 200);
  assertEquals(forgotten(), [[], 2, 1]);
  assertEquals(await statusOf(balancer.terminate(call)), 200);
  // Its client has ended the session, and with it what it waited for.
  assertEquals(await statusOf(inFlight), 502);
  assertEquals(forgotten(), [[], 4, 0]);
  assertEquals(await statusOf(ask()), 404);
  assertEquals(await statusOf(balancer.terminate(call)), 404);
  assertEquals(forgotten(), [[], 6, 0]);
});

const FAILURES: readonly [ProxyError, number, unknown][] = [
  [new ProxyError("upstream_saturated", "all in use"), 503, undefined],
  [new ProxyError("upstream_status", "refused with 401"), 502, undefined],
  // Another target is there: its session goes on at that one.
  [balance.refused(), 404, { kind: "unreachable" }],
  [
    new ProxyError("upstream_unreachable", "broke", {
      progress: { requestSent: true, answerBegun: false },
    }),
    502,
    { kind: "broken" },
  ],
  [balance.closed(), 502, { kind: "broken" }],
  [
    new ProxyError("upstream_status", "refused with 503", {
      upstreamStatus: 503,
      headers: { "retry-after": "7" },
    }),
    503,
    { kind: "answered", status: 503, headMs: 0, retryAfterMs: 7_000 },
  ],
];

for (const [failure, status, wanted] of FAILURES) {
  Deno.test(`R65 a message that meets ${failure.kind} counts as ${JSON.stringify(wanted)}`, async () => {
    const { server, outcomes, ask } = await underTest();
    server.sendFailure = failure;
    assertEquals(await statusOf(ask()), status);
    const told: unknown[] = outcomes.map((outcome) =>
      outcome.kind === "answered" ? outcome : { kind: outcome.kind }
    );
    assertEquals(told, wanted === undefined ? [] : [wanted]);
  });
}

Deno.test("R65 where no other target is there, a message that finds no connection is told so", async () => {
  const { balancer, server, ask } = await underTest();
  balancer.drain("b");
  server.sendFailure = balance.refused();
  const { kind, retrySafe } = await balance.failureOf(ask());
  assertEquals([kind, retrySafe], ["upstream_unreachable", true]);
});

Deno.test("R61 silence on a channel is a deadline that was run into, and a stream that breaks a failure", async () => {
  const { fakes, server, outcomes, ask } = await underTest();
  const silent = ask();
  fakes.a.clock.advance(10_000);
  assertEquals(await statusOf(silent), 504);
  const broken = ask();
  server.breakOff();
  assertEquals(await statusOf(broken), 502);
  assertEquals(outcomes.map(({ kind }) => kind), ["timeout", "broken"]);
});

Deno.test("an answer on a channel counts as one, an error of JSON-RPC as well", async () => {
  const { server, outcomes, ask } = await underTest();
  const answering = ask();
  server.say({ jsonrpc: "2.0", id: 7, error: { code: -32603, message: "no" } });
  assertEquals(await statusOf(answering), 200);
  assertEquals(outcomes, [{ kind: "answered", status: 200, headMs: 0 }]);
});

Deno.test("R66 an initialize that waits for a channel to open goes elsewhere when its target goes down", async () => {
  const opening = Promise.withResolvers<never>();
  const { balancer, fakes, healths } = setup({ a: () => opening.promise });
  const begun = balancer.exchange(...asks("initialize"));
  await settled();
  healths.a!.goDown();
  await settled();
  const [server] = fakes.b.channels;
  server!.answer("initialize");
  assertEquals((await begun).sessionId?.startsWith("b\n"), true);
  assertEquals(fakes.a.upstream.stats().sessions, 0);
  opening.reject(balance.refused());
  await balancer.close();
});
