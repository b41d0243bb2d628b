/**
 * R60, R64, R65: calls that are made again, elsewhere or at the same target, without sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import * as balance from "../testing/balance.ts";

const {
  asks,
  balancedCall,
  balanceUnderTest,
  closed,
  failing,
  failureOf,
  refused,
  seen,
  statusOf,
} = balance;
const CALL = "tools/call";
const LIST = "tools/list";

Deno.test("R65 what was not sent goes to each other target once, as often as may be", async () => {
  const one = balanceUnderTest(["a", "b", "c", "d"]);
  for (const name of ["a", "b", "c"]) failing(one, name, refused);
  const failure = await failureOf(one.balancer.exchange(...asks(CALL)));
  assertEquals([failure.kind, failure.retrySafe], ["upstream_unreachable", true]);
  assertEquals(seen(one), { a: 1, b: 1, c: 1, d: 0 });
  // The turn is d's.
  assertEquals(await statusOf(one.balancer.exchange(...asks(CALL))), 200);
  assertEquals(one.balancer.retries(), { made: 2, refused: 0 });
});

Deno.test("each target is tried once, and where all refuse that is told", async () => {
  const one = balanceUnderTest(["a", "b"], { retries: 10 });
  for (const name of ["a", "b"]) failing(one, name, refused);
  await failureOf(one.balancer.exchange(...asks(LIST)));
  assertEquals(seen(one), { a: 1, b: 1 });
});

Deno.test("no retries where the config wants none, also of what a kept connection lost", async () => {
  const one = balanceUnderTest(["a", "b"], { retries: 0 });
  failing(one, "a", refused);
  await failureOf(one.balancer.exchange(...asks(LIST)));
  failing(one, "a", closed);
  await failureOf(one.balancer.exchange(...asks(LIST, { sessionId: "a\nx" })));
  assertEquals(seen(one), { a: 2, b: 0 });
});

/** Method, error, how often it is sent where there are three targets. */
const AGAIN: readonly [string, () => ProxyError, number][] = [
  [CALL, closed, 1],
  ["completion/complete", closed, 1],
  ["resources/subscribe", closed, 1],
  ["subscriptions/listen", closed, 1],
  [LIST, closed, 3],
  ["initialize", closed, 3],
  ["server/discover", closed, 3],
  [LIST, () => closed(true), 1],
  [
    LIST,
    () =>
      new ProxyError("upstream_timeout", "slow", {
        progress: { requestSent: true, answerBegun: false },
      }),
    3,
  ],
  [
    CALL,
    () =>
      new ProxyError("upstream_connect_timeout", "slow", {
        progress: { requestSent: false, answerBegun: false },
      }),
    3,
  ],
  [CALL, () => new ProxyError("upstream_saturated", "full"), 3],
  [LIST, () => new ProxyError("upstream_status", "no stream"), 1],
  [LIST, () => new ProxyError("internal", "defect"), 1],
  [
    LIST,
    () =>
      new ProxyError("client_closed", "gone", {
        progress: { requestSent: false, answerBegun: false },
      }),
    1,
  ],
];

for (const [method, error, times] of AGAIN) {
  const { kind, progress } = error();
  Deno.test(`R60 R64 ${method} is sent ${times} times after ${kind} ${JSON.stringify(progress)}`, async () => {
    const one = balanceUnderTest(["a", "b", "c"]);
    for (const name of ["a", "b", "c"]) failing(one, name, error);
    await failureOf(one.balancer.exchange(...asks(method)));
    assertEquals(Object.values(seen(one)).reduce((sum, count) => sum + count), times);
    for (const { health } of Object.values(one.at)) assertEquals(health.admitted, 0);
  });
}

Deno.test("a notification that was sent is not sent again, and one that was not is", async () => {
  const one = balanceUnderTest(["a", "b"]);
  failing(one, "a", closed);
  await failureOf(one.balancer.notify(balancedCall(), new Uint8Array()));
  failing(one, "b", refused);
  one.at.a!.server.script = () => undefined;
  assertEquals(await statusOf(one.balancer.notify(balancedCall(), new Uint8Array())), 202);
  assertEquals(seen(one), { a: 2, b: 1 });
});

Deno.test("the end of a session is not told twice", async () => {
  const one = balanceUnderTest(["a", "b"]);
  failing(one, "a", closed);
  await failureOf(one.balancer.terminate(balancedCall()));
  await failureOf(one.balancer.terminate(balancedCall({ sessionId: "a\nx" })));
  assertEquals(seen(one), { a: 2, b: 0 });
});

Deno.test("what nobody knows the method of, or has several, is not sent twice", async () => {
  const one = balanceUnderTest([""]);
  failing(one, "", closed);
  await failureOf(one.balancer.exchange(balancedCall(), new Uint8Array()));
  assertEquals(seen(one), { "": 1 });
});

for (const names of [[""], ["a", "b"]]) {
  Deno.test(`R60 a safe call in a session goes to its own target once more, on a new connection: ${names}`, async () => {
    const one = balanceUnderTest(names);
    const [name] = names as [string];
    const sessionId = name === "" ? "x" : "a\nx";
    const { server, health } = one.at[name]!;
    failing(one, name, closed);
    await failureOf(one.balancer.exchange(...asks(LIST, { sessionId })));
    await failureOf(one.balancer.exchange(...asks(CALL, { sessionId })));
    const fresh = server.calls.map(({ call }) => call.fresh === true);
    assertEquals(fresh, [false, true, false]);
    assertEquals([health.admitted, health.outcomes.length], [0, 3]);
    assertEquals(one.balancer.retries().made, 1);
    // A GET is sent again by the client beneath, as far as it may be.
    await failureOf(one.balancer.listen(balancedCall({ sessionId })));
    assertEquals(server.calls.length, 4);
  });
}

Deno.test("a safe call goes to the same target once more where no other may be tried", async () => {
  const one = balanceUnderTest(["a", "b"]);
  one.balancer.drain("b");
  failing(one, "a", closed);
  await failureOf(one.balancer.exchange(...asks(LIST)));
  assertEquals(seen(one), { a: 2, b: 0 });
});

Deno.test("a session that is refused on the second try is lost, too", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const errors = [closed(), refused()];
  one.at.a!.server.script = () => Promise.reject(errors.shift());
  assertEquals(await statusOf(one.balancer.exchange(...asks(LIST, { sessionId: "a\nx" }))), 404);
});

Deno.test("beyond the budget the first failure is told, and counted", async () => {
  const one = balanceUnderTest(["a", "b"], { retryBudgetPercent: 0, retryMinPerSecond: 3 });
  failing(one, "a", refused);
  failing(one, "b", refused);
  for (let call = 0; call < 5; call++) await failureOf(one.balancer.exchange(...asks(CALL)));
  assertEquals(one.balancer.retries(), { made: 3, refused: 2 });
  assertEquals(Object.values(seen(one)).reduce((sum, count) => sum + count), 8);
  one.clock.advance(1_000);
  failing(one, "a", closed);
  failing(one, "b", closed);
  for (let call = 0; call < 5; call++) {
    await failureOf(one.balancer.exchange(...asks(LIST, { sessionId: "a\nx" })));
  }
  assertEquals(one.balancer.retries(), { made: 6, refused: 4 });
});

Deno.test("R69 a call that finds no connection free goes to others that are well, and not to one that is down", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  const full = () =>
    new ProxyError("upstream_saturated", "full", { headers: { "retry-after": "1" } });
  for (const name of ["a", "b"]) failing(one, name, full);
  failing(one, "c", refused);
  one.at.c!.health.goDown();
  const failure = await failureOf(one.balancer.exchange(...asks(CALL)));
  assertEquals([failure.kind, failure.headers], ["upstream_saturated", { "retry-after": "1" }]);
  assertEquals(seen(one), { a: 1, b: 1, c: 0 });
});
