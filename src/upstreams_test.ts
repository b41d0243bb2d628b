/**
 * Upstreams that take another config over in place, and tell when they may be closed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { systemClock } from "./clock.ts";
import { configSchema } from "./config/schema.ts";
import type { RouteConfig } from "./config/mod.ts";
import * as balance from "./testing/balance.ts";
import * as messages from "./testing/messages.ts";
import { jsonAnswer, scriptedUpstream } from "./testing/scripted_upstream.ts";
import { sessionUpstream } from "./testing/session_upstream.ts";
import { createLogger } from "./telemetry/mod.ts";
import { type OpenedUpstream, openUpstream } from "./upstreams.ts";

type Settings = Readonly<Record<string, unknown>>;

function routeOf(upstream: Settings, more: Settings = {}): RouteConfig {
  const config = configSchema.parse({ routes: [{ path: "/mcp", upstream, ...more }] });
  return config.routes[0]!;
}

async function withUpstream(
  upstream: Settings,
  test: (opened: OpenedUpstream) => Promise<void>,
): Promise<void> {
  const route = routeOf(upstream);
  const sink = { write: () => {}, flush: () => Promise.resolve() };
  const opened = openUpstream(route, {
    config: configSchema.parse({ routes: [{ path: "/mcp", upstream }] }),
    clock: systemClock,
    timers: systemClock,
    logger: createLogger({ level: "debug", format: "json", clock: systemClock, sink }),
    withheld: [],
    sealer: { seal: () => "", open: () => undefined },
    anonymous: "anonymous",
  });
  try {
    await test(opened);
  } finally {
    await opened.upstream.close();
  }
}

const OFF = { policy: "round-robin" };
const QUIET = { probe: "off" };
const target = (name: string, { url }: { url: string }, weight = 1) => ({ name, url, weight });
const encode = (text: string) => new TextEncoder().encode(text);

async function initialize({ upstream }: OpenedUpstream): Promise<string> {
  const call = balance.balancedCall({ method: "initialize" });
  const answer = await upstream.exchange(call, encode(messages.initialize()));
  await answer.body.bytesWithin(1_000);
  return answer.sessionId!;
}

async function ping({ upstream }: OpenedUpstream, sessionId: string): Promise<number> {
  const call = balance.balancedCall({ method: "ping", sessionId });
  const { status, body } = await upstream.exchange(call, encode(messages.ping()));
  await body.bytesWithin(1_000);
  return status;
}

Deno.test("other targets, weights, policy and health are taken over; sessions of those that stay go on", async () => {
  await using a = sessionUpstream();
  await using b = sessionUpstream();
  await using c = sessionUpstream();
  const settings = { era: "both", balance: OFF, health: QUIET };
  const upstream = { ...settings, targets: [target("a", a), target("b", b)] };
  await withUpstream(upstream, async (opened) => {
    const [inA, inB] = [await initialize(opened), await initialize(opened)];
    assertEquals([inA, inB], ["a\ninner-1", "b\ninner-1"]);
    const next = {
      ...settings,
      targets: [target("b", b, 3), target("c", c)],
      balance: { policy: "least-connections" },
      health: { probe: "off", maxFailures: 1 },
    };
    assert(opened.update(routeOf(next)));
    assertEquals([await ping(opened, inA), await ping(opened, inB)], [404, 200]);
    assertEquals(opened.targets!.targets().map(({ name, weight }) => [name, weight]), [
      ["b", 3],
      ["c", 1],
    ]);
    for (let count = 0; count < 4; count++) await initialize(opened);
    assertEquals([b.told().length, c.told().length], [5, 1]);
    // With one failure enough, a call is.
    await c.close();
    for (let count = 0; count < 3; count++) await initialize(opened);
    assertEquals(opened.targets!.targets()[1]!.state, "down");
    // And back again: the session at a is still known there.
    assert(opened.update(routeOf(upstream)));
    assertEquals([await ping(opened, inA), await ping(opened, inB)], [200, 200]);
  });
});

Deno.test("what else differs is not taken over, and changes nothing", async () => {
  await using a = sessionUpstream();
  const targets = [target("a", a)];
  await withUpstream({ targets, health: QUIET }, async (opened) => {
    const other: [Settings, Settings?][] = [
      [{ url: a.url }],
      [{ targets, headersTimeoutMs: 1 }],
      [{ targets, transport: "http+sse" }],
      [{ targets, sessions: "shared" }],
      [{ targets, headers: { a: "b" } }],
      [{ targets }, { path: "/other" }],
      [{ stdio: { command: "true" } }],
    ];
    for (const [upstream, more] of other) assert(!opened.update(routeOf(upstream, more)));
    assert(opened.update(routeOf({ targets, health: QUIET })));
    assertEquals(opened.targets!.targets().length, 1);
    await Promise.resolve();
  });
});

Deno.test("health and balance of an upstream with a url are taken over, another url is not", async () => {
  await using a = sessionUpstream();
  await withUpstream({ url: a.url }, async (opened) => {
    assert(opened.update(routeOf({ url: a.url, health: { breakerMs: 5 }, balance: OFF })));
    assert(!opened.update(routeOf({ url: `${a.url}/other` })));
    await Promise.resolve();
  });
});

Deno.test("other probes are made from when they are configured", async () => {
  const asked: Record<string, PromiseWithResolvers<void>> = {
    "/one": Promise.withResolvers(),
    "/two": Promise.withResolvers(),
  };
  await using a = scriptedUpstream(async ({ line }, to) => {
    asked[line.split(" ")[1]!]?.resolve();
    await to.write("HTTP/1.1 200 O\r\ncontent-length: 0\r\n\r\n");
  });
  const probing = (probe: string) => ({
    targets: [target("a", a)],
    health: { probe, intervalMs: 10 },
  });
  await withUpstream(probing("/one"), async (opened) => {
    await asked["/one"]!.promise;
    assert(opened.update(routeOf(probing("/two"))));
    await asked["/two"]!.promise;
  });
});

Deno.test("a drained target gets no new session and keeps those that it has", async () => {
  await using a = sessionUpstream();
  await using b = sessionUpstream();
  const targets = [target("a", a), target("b", b)];
  await withUpstream({ era: "both", targets, balance: OFF, health: QUIET }, async (opened) => {
    const inA = await initialize(opened);
    assert(opened.targets!.drain("a"));
    for (let count = 0; count < 3; count++) await initialize(opened);
    assertEquals([a.told(), b.told().length], [["initialize"], 3]);
    assertEquals(await ping(opened, inA), 200);
    opened.targets!.drain("a", 0);
    assertEquals(await ping(opened, inA), 404);
    opened.targets!.resume("a");
    assertEquals(await ping(opened, inA), 200);
  });
});

for (const era of ["both", "modern", "session"]) {
  Deno.test(`whenIdle() waits for the last answer of a server of era ${era}`, async () => {
    const goOn = Promise.withResolvers<void>();
    await using a = scriptedUpstream(async (_, to) => {
      const answer = jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}');
      await to.write(answer.slice(0, -3));
      await goOn.promise;
      await to.write(answer.slice(-3));
    });
    await withUpstream({ url: a.url, era }, async (opened) => {
      await opened.whenIdle();
      const modern = era === "modern" ? { era: "modern" } as const : {};
      const body = era === "modern" ? messages.modern("tools/list") : messages.ping();
      const call = balance.balancedCall({
        ...modern,
        sessionId: era === "modern" ? undefined : "x",
      });
      const answer = await opened.upstream.exchange(call, encode(body));
      let isIdle = false;
      const idle = opened.whenIdle().then(() => isIdle = true);
      const reading = answer.body.bytesWithin(1_000);
      await a.received(0);
      assertEquals(isIdle, false);
      goOn.resolve();
      await reading;
      await idle;
    });
  });
}
