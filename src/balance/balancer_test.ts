/**
 * Calls among targets, without sockets: the servers are scripted and their health is what the test says.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import * as balance from "../testing/balance.ts";
import * as relay from "../testing/relay.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";

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

type UnderTest = ReturnType<typeof balanceUnderTest>;

/** Has a target answer each call with this status. */
function answering({ at }: UnderTest, name: string, status: number, fields: string[] = []): void {
  const { server } = at[name]!;
  server.script = () => {
    const answer = server.json({}, status);
    for (let field = 0; field < fields.length; field += 2) {
      answer.headers.set(fields[field]!, fields[field + 1]!);
    }
    return Promise.resolve(answer);
  };
}

Deno.test("a session has its target in front of its id, and its calls go there, with the server's id", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at } = one;
  at.b!.server.sessionId = "x.y";
  for (const [name, id] of [["a", "a\nup-1"], ["b", "b\nx.y"]] as const) {
    const answer = await balancer.exchange(...asks("initialize"));
    assertEquals(answer.sessionId, id);
    const call = balancedCall({ sessionId: id });
    for (let round = 0; round < 3; round++) {
      await balancer.exchange(...asks(CALL, { sessionId: id }));
      await balancer.notify(call, new Uint8Array());
      await balancer.listen(call);
    }
    await balancer.terminate(call);
    const { calls } = at[name]!.server;
    assertEquals(calls.length, 11);
    const inner = id.slice(2);
    assert(calls.slice(1).every(({ call: { sessionId } }) => sessionId === inner));
  }
});

Deno.test("the one target without a name has ids, calls and answers pass as they are", async () => {
  const { balancer, at } = balanceUnderTest([""]);
  const [call, body] = asks(CALL, { sessionId: "a.b" });
  const { server } = at[""]!;
  const answer = server.json({});
  server.script = () => Promise.resolve(answer);
  assert(await balancer.exchange(call, body) === answer);
  assert(server.calls[0]!.call === call);
});

Deno.test("who is told a whole answer sees the same of it as who waits for it", async () => {
  for (
    const [names, id, seenId] of [[["a", "b"], "a\nup-1", "a\nup-2"], [
      [""],
      "up-1",
      "up-2",
    ]] as const
  ) {
    const { balancer, at } = balanceUnderTest([...names]);
    const { server } = at[names[0]]!;
    server.script = () => Promise.resolve({ ...server.json({}), sessionId: "up-2" });
    const told: UpstreamAnswer[] = [];
    for (const method of [CALL, LIST]) {
      const answer = await balancer.exchange(
        ...asks(method, { sessionId: id }),
        (whole) => told.push(whole),
      );
      assertEquals(told.at(-1), answer);
    }
    assertEquals(told.map(({ sessionId }) => sessionId), [seenId, seenId]);
  }
});

Deno.test("the one target without a name never sees an id with a name in front", async () => {
  const one = balanceUnderTest([""]);
  for (const method of [CALL, LIST]) {
    assertEquals(
      await statusOf(one.balancer.exchange(...asks(method, { sessionId: "a\nx" }))),
      404,
    );
  }
  assertEquals(seen(one), { "": 0 });
});

Deno.test("an id that names no target, or one that is gone, is of a lost session", async () => {
  const one = balanceUnderTest(["a", "b"]);
  for (const sessionId of ["c\nx", "x", ".x", ""]) {
    const call = balancedCall({ sessionId });
    for (
      const answer of [
        one.balancer.exchange(...asks(LIST, { sessionId })),
        one.balancer.listen(call),
        one.balancer.terminate(call),
      ]
    ) {
      const { status, kind, body } = await answer;
      assertEquals([status, kind, body.wholeNow(0)?.length], [404, "other", 0]);
    }
  }
  assertEquals(seen(one), { a: 0, b: 0 });
});

Deno.test("R66 a session whose target is down is lost where another is not, ejected or well, and only there", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at } = one;
  const inA = asks(CALL, { sessionId: "a\nup-1" });
  at.a!.health.goDown();
  assertEquals(await statusOf(balancer.exchange(...inA)), 404);
  at.b!.health.eject();
  assertEquals(await statusOf(balancer.exchange(...inA)), 404);
  at.b!.health.goDown();
  assertEquals(await statusOf(balancer.exchange(...inA)), 200);
  assertEquals(seen(one), { a: 1, b: 0 });
});

Deno.test("where none is well a call goes to one that is ejected rather than to one that is down", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  one.at.a!.health.goDown();
  one.at.b!.health.eject();
  one.at.c!.health.goDown();
  for (let call = 0; call < 20; call++) {
    assertEquals(await statusOf(one.balancer.exchange(...asks(CALL))), 200);
  }
  assertEquals(seen(one), { a: 0, b: 20, c: 0 });
});

Deno.test("a session stays with a target that is ejected", async () => {
  const one = balanceUnderTest(["a", "b"]);
  one.at.a!.health.eject();
  assertEquals(await statusOf(one.balancer.exchange(...asks(CALL, { sessionId: "a\nx" }))), 200);
  assertEquals(seen(one), { a: 1, b: 0 });
});

Deno.test("R65 R66 a session whose target refuses is lost where another is well; the failure is told where none is", async () => {
  const one = balanceUnderTest(["a", "b"]);
  failing(one, "a", refused);
  const inA = balancedCall({ sessionId: "a\nx" });
  assertEquals(await statusOf(one.balancer.terminate(inA)), 404);
  assertEquals(await statusOf(one.balancer.notify(inA, new Uint8Array())), 404);
  assertEquals(await statusOf(one.balancer.exchange(...asks(CALL, { sessionId: "a\nx" }))), 404);
  assertEquals(one.at.a!.health.outcomes.map(({ kind }) => kind), Array(3).fill("unreachable"));
  one.balancer.drain("b");
  const failure = await failureOf(one.balancer.exchange(...asks(CALL, { sessionId: "a\nx" })));
  assertEquals(failure.kind, "upstream_unreachable");
  assertEquals(seen(one), { a: 4, b: 0 });
});

Deno.test("R64 in a session nothing that was sent is taken for lost, nor what ran into a deadline", async () => {
  const sent = { requestSent: true, answerBegun: false };
  const errors = [
    closed(),
    new ProxyError("upstream_unreachable", "HTTP/2 broke off", { progress: sent }),
    new ProxyError("upstream_timeout", "slow", { progress: sent }),
    new ProxyError("upstream_connect_timeout", "slow", {
      progress: { requestSent: false, answerBegun: false },
    }),
  ];
  for (const error of errors) {
    const one = balanceUnderTest(["a", "b"]);
    failing(one, "a", () => error);
    assertEquals(
      await failureOf(one.balancer.exchange(...asks(CALL, { sessionId: "a\nx" }))),
      error,
    );
    assertEquals(seen(one), { a: 1, b: 0 });
  }
});

Deno.test("the client's cancel is not counted and nothing is sent again", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const client = new AbortController();
  failing(one, "a", () => {
    client.abort();
    return refused();
  });
  await failureOf(one.balancer.exchange(...asks(LIST, { signal: client.signal })));
  await failureOf(
    one.balancer.exchange(...asks(LIST, { signal: client.signal, sessionId: "a\nx" })),
  );
  assertEquals(seen(one), { a: 2, b: 0 });
  failing(one, "b", () => new ProxyError("client_closed", "gone"));
  await failureOf(one.balancer.exchange(...asks(LIST)));
  const { outcomes, forgotten, admitted } = one.at.b!.health;
  assertEquals([outcomes, forgotten, admitted], [[], 1, 0]);
});

Deno.test("an answer of any status passes as it is, with what it says of its target", async () => {
  const one = balanceUnderTest(["a", "b"]);
  answering(one, "a", 503, ["retry-after", "3"]);
  const answer = await one.balancer.exchange(...asks(LIST));
  assertEquals([answer.status, answer.headers.get("retry-after")], [503, "3"]);
  assertEquals(one.at.a!.health.outcomes, [
    { kind: "answered", status: 503, headMs: 0, retryAfterMs: 3_000 },
  ]);
  assertEquals(seen(one), { a: 1, b: 0 });
});

Deno.test("calls that belong nowhere go to those that are well, then to those that are not down, then to any that is not drained", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  const { balancer, at } = one;
  const next = async () => {
    const before = seen(one);
    await balancer.exchange(...asks(CALL));
    const now = seen(one);
    return Object.keys(now).find((name) => now[name] !== before[name]);
  };
  const some = async () =>
    [...new Set([await next(), await next(), await next(), await next()])].sort();
  assertEquals(await some(), ["a", "b", "c"]);
  at.a!.health.goDown();
  assertEquals(await some(), ["b", "c"]);
  balancer.drain("b");
  assertEquals(await some(), ["c"]);
  at.c!.health.eject();
  assertEquals(await some(), ["c"]);
  at.c!.health.goDown();
  assertEquals(await some(), ["a", "c"]);
  balancer.drain("a");
  balancer.drain("c");
  assertEquals(await some(), ["b"]);
  at.b!.health.goDown();
  assertEquals(await some(), ["a", "b", "c"]);
  assert(balancer.resume("a") && !balancer.resume("z") && !balancer.drain("z"));
  assertEquals(await some(), ["a"]);
});

Deno.test("an open breaker is gone round; where there is no way round that is told, and for how long", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at } = one;
  at.a!.health.waitMs = 4_500;
  for (let call = 0; call < 3; call++) await balancer.exchange(...asks(CALL));
  assertEquals(seen(one), { a: 0, b: 3 });
  at.b!.health.waitMs = 2_001;
  for (const [sessionId, seconds] of [[undefined, "3"], ["a\nx", "5"]] as const) {
    const failure = await failureOf(balancer.exchange(...asks(CALL, { sessionId })));
    assertEquals([failure.kind, failure.status, failure.retrySafe], [
      "upstream_unavailable",
      503,
      true,
    ]);
    assertEquals(failure.headers, { "retry-after": seconds });
  }
  // One that is ejected is better than none; and the one whose breaker tries first says when to come back.
  at.b!.health.eject();
  const ejected = await failureOf(balancer.exchange(...asks(CALL)));
  assertEquals(ejected.headers, { "retry-after": "3" });
  at.b!.health.waitMs = 9_000;
  const first = await failureOf(balancer.exchange(...asks(CALL)));
  assertEquals(first.headers, { "retry-after": "5" });
  at.b!.health.waitMs = 0;
  assertEquals(await statusOf(balancer.exchange(...asks(CALL))), 200);
  const only = balanceUnderTest([""]);
  only.at[""]!.health.waitMs = 1;
  const failure = await failureOf(only.balancer.exchange(...asks(CALL)));
  assertEquals(failure.headers, { "retry-after": "1" });
  assertEquals(only.at[""]!.server.calls.length, 0);
});

Deno.test("a drained target keeps its sessions until its time is over, and while no other is well", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const inA = asks(CALL, { sessionId: "a\nx" });
  one.balancer.drain("a", 5_000);
  one.clock.advance(4_999);
  assertEquals(await statusOf(one.balancer.exchange(...inA)), 200);
  one.clock.advance(1);
  assertEquals(await statusOf(one.balancer.exchange(...inA)), 404);
  one.at.b!.health.eject();
  assertEquals(await statusOf(one.balancer.exchange(...inA)), 200);
  one.at.b!.health.isAvailable = true;
  one.balancer.resume("a");
  assertEquals(await statusOf(one.balancer.exchange(...inA)), 200);
  one.balancer.drain("a");
  one.clock.advance(1_000_000_000);
  assertEquals(await statusOf(one.balancer.exchange(...inA)), 200);
});

Deno.test("streams on which a drained target speaks first end when its time is over, while another is well", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { server } = one.at.a!;
  server.script = () => Promise.resolve(server.events().answer);
  const open = async () => {
    const { body } = await one.balancer.listen(balancedCall({ sessionId: "a\nx" }));
    const over: (string | undefined)[] = [];
    body.whenOver((failure) => over.push(failure?.message));
    return over;
  };
  const over = await open();
  one.balancer.drain("a", 5_000);
  one.balancer.resume("a");
  one.clock.advance(5_000);
  one.balancer.drain("a", 5_000);
  one.balancer.drain("a", 9_000);
  one.clock.advance(8_999);
  assertEquals(over, []);
  one.clock.advance(1);
  assertEquals(over, ["The upstream server is drained."]);
  one.balancer.resume("a");
  const again = await open();
  one.at.b!.health.eject();
  one.balancer.drain("a", 1);
  one.clock.advance(1);
  assertEquals([again, one.clock.timers], [[], 0]);
  one.balancer.drain("a", 9_000);
  await one.balancer.close();
  assertEquals(one.clock.timers, 0);
});

/** Answers nothing until its signal is aborted, as the client of HTTP does. */
function waiting({ at }: UnderTest, name: string): void {
  at[name]!.server.script = ({ call: { signal } }) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new ProxyError("client_closed", "aborted")))
    );
}

Deno.test("what only reads does not wait for a target that went down; what may run does", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { balancer, at } = one;
  waiting(one, "a");
  const client = new AbortController();
  const list = balancer.exchange(...asks(LIST));
  await balancer.exchange(...asks(LIST));
  const call = balancer.exchange(...asks(CALL, { signal: client.signal }));
  const inSession = balancer.exchange(...asks(LIST, { sessionId: "a\nx" }));
  const listening = balancer.listen(balancedCall({ sessionId: "a\nx" }));
  const callInSession = balancer.exchange(
    ...asks(CALL, { sessionId: "a\nx", signal: client.signal }),
  );
  assertEquals(seen(one), { a: 5, b: 1 });
  at.a!.health.goDown();
  assertEquals(await statusOf(list), 200);
  assertEquals(await statusOf(inSession), 404);
  assertEquals(await statusOf(listening), 404);
  assertEquals(seen(one), { a: 5, b: 2 });
  const { underWay } = balancer.targets()[0]!;
  assertEquals(underWay, 2);
  client.abort();
  assertEquals((await failureOf(call)).kind, "client_closed");
  assertEquals((await failureOf(callInSession)).kind, "client_closed");
  const { outcomes, forgotten, admitted } = at.a!.health;
  assertEquals([outcomes, forgotten, admitted], [[], 5, 0]);
});

Deno.test("what was taken back from one target is taken back from the next as well", async () => {
  const one = balanceUnderTest(["a", "b", "c"]);
  waiting(one, "a");
  waiting(one, "b");
  const list = one.balancer.exchange(...asks(LIST));
  one.at.a!.health.goDown();
  await relay.settled();
  assertEquals(seen(one), { a: 1, b: 1, c: 0 });
  one.at.b!.health.goDown();
  assertEquals(await statusOf(list), 200);
  assertEquals(seen(one), { a: 1, b: 1, c: 1 });
});

Deno.test("an answer that has begun is not taken back when its target goes down", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const signals: boolean[] = [];
  one.at.a!.server.script = ({ call: { signal } }) => {
    signal.addEventListener("abort", () => signals.push(true));
    return Promise.resolve(one.at.a!.server.events().answer);
  };
  await one.balancer.exchange(...asks(LIST));
  one.at.a!.health.goDown();
  assertEquals(signals, []);
});

Deno.test("R66 streams on which a target speaks first end when it goes down and another is there", async () => {
  for (const hasOther of [true, false]) {
    const one = balanceUnderTest(["a", "b"]);
    const { server, health } = one.at.a!;
    const over: string[] = [];
    const open = async (name: string, opened: Promise<UpstreamAnswer>) =>
      (await opened).body.whenOver((failure) => over.push(`${name} ${failure?.kind ?? "ended"}`));
    server.script = () => Promise.resolve(server.events().answer);
    const inA = { sessionId: "a\nx" };
    await open("stream", one.balancer.listen(balancedCall(inA)));
    await open("subscription", one.balancer.exchange(...asks("subscriptions/listen", inA)));
    await open("answer", one.balancer.exchange(...asks(CALL, inA)));
    if (!hasOther) one.at.b!.health.goDown();
    health.goDown();
    assertEquals(over, hasOther ? ["stream upstream_closed", "subscription upstream_closed"] : []);
    assertEquals(one.balancer.targets()[0]!.underWay, hasOther ? 1 : 3);
    assertEquals(health.outcomes.map(({ kind }) => kind), Array(3).fill("answered"));
  }
});

Deno.test("nothing is taken back where there is nowhere to go", async () => {
  for (const also of ["goDown", "none"] as const) {
    const one = balanceUnderTest(["a", "b"], also === "none" ? { retries: 0 } : {});
    waiting(one, "a");
    const client = new AbortController();
    const list = one.balancer.exchange(...asks(LIST, { signal: client.signal }));
    if (also === "goDown") one.at.b!.health.goDown();
    one.at.a!.health.goDown();
    await relay.settled();
    assertEquals(one.balancer.targets()[0]!.underWay, 1);
    client.abort();
    assertEquals((await failureOf(list)).kind, "client_closed");
  }
});

Deno.test("an answer that breaks off counts against its target; one that its reader ends does not", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { server, health } = one.at.a!;
  const bodies: relay.FilledBody[] = [];
  server.script = () => {
    const { answer, filled } = server.events();
    bodies.push(filled);
    return Promise.resolve(answer);
  };
  for (let call = 0; call < 6; call++) await one.balancer.exchange(...asks(CALL));
  assertEquals(bodies.length, 3);
  one.clock.advance(50);
  bodies[0]!.body.fail(closed(true));
  bodies[1]!.body.discard();
  bodies[2]!.body.end();
  const kinds = health.outcomes.map(({ kind }) => kind);
  assertEquals(kinds, ["answered", "answered", "answered", "broken"]);
  assertEquals(health.outcomes.at(-1), { kind: "broken", agoMs: 50 });
  const { failures, calls, underWay } = one.balancer.targets()[0]!;
  assertEquals([failures, calls, underWay], [1, 3, 0]);
});

Deno.test("a call counts as one failure, however it went on; a stream without a call of its own as none", async () => {
  const one = balanceUnderTest(["a", "b"]);
  const { server, health } = one.at.a!;
  const opened: relay.FilledBody[] = [];
  let status = 500;
  server.script = () => {
    const { answer, filled } = server.events();
    opened.push(filled);
    return Promise.resolve({ ...answer, status });
  };
  const kinds = () => health.outcomes.splice(0).map(({ kind }) => kind);
  const inA = { sessionId: "a\nx" };
  await one.balancer.exchange(...asks(CALL, inA));
  opened.pop()!.body.fail(closed(true));
  assertEquals([kinds(), one.balancer.targets()[0]!.failures], [["answered"], 1]);
  status = 200;
  await one.balancer.exchange(...asks(CALL, inA));
  opened.pop()!.body.fail(closed(true));
  assertEquals([kinds(), one.balancer.targets()[0]!.failures], [["answered", "broken"], 2]);
  for (
    const listening of [
      () => one.balancer.listen(balancedCall(inA)),
      () => one.balancer.exchange(...asks("subscriptions/listen", inA)),
    ]
  ) {
    await listening();
    opened.pop()!.body.fail(closed(true));
    assertEquals([kinds(), one.balancer.targets()[0]!.failures], [["answered"], 2]);
  }
  assertEquals(one.balancer.targets()[0]!.underWay, 0);
});
