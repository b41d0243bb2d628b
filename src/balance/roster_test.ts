/**
 * Targets that come, stay and go, without sockets.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as balance from "../testing/balance.ts";
import * as balanceHealth from "../testing/balance_health.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { Balancer } from "./balancer.ts";
import { fleetHealth } from "./fleet.ts";
import type { TargetSpec } from "./target_spec.ts";

const { asks, balanceUnderTest, closed, failureOf, statusOf } = balance;
const CALL = "tools/call";

Deno.test("targets that stay keep what they have, the others are opened and closed", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  const { balancer, at, spec } = one;
  const [a, b, c] = [at.a!, at.b!, at.c!];
  balancer.drain("a");
  balancer.update([spec("a", 7), spec("b", 1, "elsewhere"), spec("d")], { ...balance.BALANCE });
  assert(at.a === a && at.b !== b && at.d !== undefined);
  assertEquals([b.health.removed, c.health.removed, a.health.removed], [true, true, false]);
  assertEquals([b.server.closed, c.server.closed, a.server.closed], [true, true, false]);
  const told = balancer.targets().map(({ name, weight, draining }) => [name, weight, draining]);
  assertEquals(told, [["a", 7, true], ["b", 1, false], ["d", 1, false]]);
  assertEquals(await statusOf(balancer.exchange(...asks(CALL, { sessionId: "c\nx" }))), 404);
  assertEquals(await statusOf(balancer.exchange(...asks(CALL, { sessionId: "b\nx" }))), 200);
  assertEquals(at.b!.server.calls.length, 1);
  await balancer.close();
  assert([at.a!, at.b!, at.d!].every(({ server }) => server.closed));
});

Deno.test("a removed target is closed when its answers are over, at the latest after its time", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  const { balancer, at, clock, spec } = one;
  const bodies: Record<string, relay.FilledBody> = {};
  for (const name of ["a", "b"]) {
    const { server } = at[name]!;
    server.script = () => {
      const { answer, filled } = server.events();
      bodies[name] = filled;
      return Promise.resolve(answer);
    };
    await balancer.exchange(...asks(CALL));
  }
  balancer.update([spec("c")], balance.BALANCE);
  let idle = false;
  void balancer.whenIdle().then(() => idle = true);
  assertEquals([at.a!.server.closed, at.b!.server.closed, clock.timers], [false, false, 2]);
  bodies.a!.body.fail(closed(true));
  assertEquals([at.a!.server.closed, clock.timers], [true, 1]);
  // Nobody judges it any more.
  assertEquals(at.a!.health.outcomes.length, 1);
  clock.advance(59_999);
  await relay.settled();
  assertEquals([at.b!.server.closed, idle], [false, false]);
  clock.advance(1);
  assertEquals([at.b!.server.closed, clock.timers], [true, 0]);
  bodies.b!.body.finish();
  await relay.settled();
  assert(idle);
  await balancer.close();
});

Deno.test("closing closes what was removed as well, and leaves no timer", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at, clock, spec } = one;
  at.a!.server.script = () => Promise.resolve(at.a!.server.events().answer);
  await balancer.exchange(...asks(CALL));
  const [a] = [at.a!];
  balancer.update([spec("b")], balance.BALANCE);
  await balancer.close();
  assertEquals([a.server.closed, at.b!.server.closed, clock.timers], [true, true, 0]);
});

Deno.test("where a target cannot be opened nothing has changed, and nothing stays open", () => {
  const one = balanceUnderTest(["a"]);
  const opened: string[] = [];
  const noting = (name: string) => ({
    ...one.spec(name),
    open: () => {
      const server = one.spec(name).open();
      return { ...server, close: () => Promise.resolve(void opened.push(name)) } as typeof server;
    },
  });
  const broken = {
    ...one.spec("z"),
    open: () => {
      throw new Error("no certificate");
    },
  };
  assertThrows(
    () => one.balancer.update([one.spec("a"), noting("b"), broken], balance.BALANCE),
    Error,
    "no certificate",
  );
  assertEquals(opened, ["b"]);
  assertEquals(one.balancer.targets().map(({ name }) => name), ["a"]);
  assertEquals(one.at.a!.health.removed, false);
});

Deno.test("probes begin with a target, go on where nothing of them differs, and end with it", async () => {
  const one = balanceUnderTest(["a"]);
  const log: string[] = [];
  const probed = (name: string, key: string | undefined) => ({
    ...one.spec(name),
    watching: key === undefined ? undefined : {
      key,
      begin: () => {
        log.push(`+${name}${key}`);
        return {
          hurry: () => void log.push(`!${name}${key}`),
          stop: () => Promise.resolve(void log.push(`-${name}${key}`)),
        };
      },
    },
  });
  const update = (...specs: ReturnType<typeof probed>[]) =>
    one.balancer.update(specs, balance.BALANCE);
  update(probed("a", "1"), probed("b", "1"));
  update(probed("a", "1"), probed("b", "2"));
  update(probed("a", undefined), probed("b", "2"));
  assertEquals(log, ["+a1", "+b1", "-b1", "+b2", "-a1"]);
  one.at.b!.health.doubt();
  one.at.a!.health.doubt();
  assertEquals(log.splice(5), ["!b2"]);
  const { server } = one.at.b!;
  const { answer, filled } = server.events();
  server.script = () => Promise.resolve(answer);
  const call = balance.balancedCall({ sessionId: "b\nx" });
  await one.balancer.listen(call);
  filled.body.fail(closed(true));
  assertEquals(log.splice(5), ["!b2"]);
  // Nobody looks after a target that is none any more, whatever goes on there.
  server.script = () => Promise.resolve(server.events().answer);
  await one.balancer.listen(call);
  update(probed("a", "3"));
  assertEquals(log.slice(5), ["+a3", "-b2"]);
  await one.balancer.close();
  assertEquals(log.slice(5), ["+a3", "-b2", "-a3"]);
});

Deno.test("whenIdle() resolves when the last answer is over, however calls end", async () => {
  const one = balanceUnderTest(["a", "b"]);
  await one.balancer.whenIdle();
  const { server } = one.at.a!;
  const { answer, filled } = server.events();
  server.script = () => Promise.resolve(answer);
  await one.balancer.exchange(...asks(CALL));
  const rejecting = Promise.withResolvers<never>();
  one.at.b!.server.script = () => rejecting.promise;
  const failing = one.balancer.exchange(...asks(CALL));
  let idle = 0;
  for (let waiter = 0; waiter < 2; waiter++) void one.balancer.whenIdle().then(() => idle++);
  rejecting.reject(closed());
  await failureOf(failing);
  assertEquals(idle, 0);
  filled.body.discard();
  await relay.settled();
  assertEquals(idle, 2);
});

Deno.test("other settings hold from the next call on: policy, retries, budget", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at, spec } = one;
  const specs = [spec("a"), spec("b")];
  const calls = () => Object.values(at).map(({ server }) => server.calls.length);
  balancer.update(specs, { ...balance.BALANCE, policy: "hash-principal" });
  for (let call = 0; call < 6; call++) await balancer.exchange(...asks(CALL));
  assertEquals(calls().sort(), [0, 6]);
  for (const { server } of Object.values(at)) {
    server.script = () => Promise.reject(balance.refused());
  }
  balancer.update(specs, { ...balance.BALANCE, retries: 0 });
  await failureOf(balancer.exchange(...asks(CALL)));
  assertEquals(balancer.retries(), { made: 0, refused: 0 });
  const none = { retryBudgetPercent: 0, retryMinPerSecond: 0 };
  balancer.update(specs, { ...balance.BALANCE, ...none });
  await failureOf(balancer.exchange(...asks(CALL)));
  assertEquals(balancer.retries(), { made: 0, refused: 1 });
});

Deno.test("a target that takes the place of another is there before that one goes: none comes back for it", async () => {
  const clock = new ManualClock(1);
  const fleet = fleetHealth({ ...balanceHealth.HEALTH, maxFailures: 1 }, clock);
  const { spec } = balanceUnderTest(["a", "b"]);
  const options = { route: "r", fleet, clock, closeAfterMs: 60_000 };
  const settings = { ...balance.BALANCE, retries: 0 };
  const failing = (): TargetSpec => ({
    ...spec("b"),
    open() {
      const server = new share.FakeServer(clock);
      server.script = () => Promise.reject(closed());
      return server;
    },
  });
  const balancer = new Balancer(options, settings, [spec("a"), failing()]);
  for (let call = 0; call < 2; call++) await balancer.exchange(...asks(CALL)).catch(() => {});
  const states = () => balancer.targets().map(({ name, state }) => `${name} ${state}`);
  assertEquals(states(), ["a up", "b ejected"]);
  balancer.update([spec("a", 1, "elsewhere"), failing()], settings);
  assertEquals(states(), ["a up", "b ejected"]);
  await balancer.close();
});
