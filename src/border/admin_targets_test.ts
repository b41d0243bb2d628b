/**
 * The targets of a route by the admin address: how they are, taking one out of service, and readiness.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as admin from "../testing/admin.ts";
import * as eventClient from "../testing/event_client.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import type { ScriptedUpstream } from "../testing/scripted_upstream.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const { adminRequest } = admin;

async function page(proxy: TestProxy, method: string, path: string) {
  const { status, text } = await adminRequest(proxy.adminOrigin, method, path);
  return { status, text, value: JSON.parse(text) };
}

/** A proxy before two servers with sessions, `a` and `b`. */
async function withTargets(
  test: (
    proxy: TestProxy,
    a: ScriptedUpstream,
    b: ScriptedUpstream,
    close: (upstream: ScriptedUpstream) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const [a, b] = [sessionUpstream(), sessionUpstream()];
  const closed = new Set<ScriptedUpstream>();
  const close = async (upstream: ScriptedUpstream) => {
    if (closed.has(upstream)) return;
    closed.add(upstream);
    await upstream.close();
  };
  const options = {
    upstreamConfig: {
      era: "session",
      targets: [{ name: "a", url: a.url }, { name: "b", url: b.url }],
      balance: { policy: "round-robin" },
      health: { probe: "ping", intervalMs: 20, unhealthyAfter: 1, healthyAfter: 1 },
    },
    config: { admin: "127.0.0.1:0" },
  };
  try {
    await withProxy(options, (proxy) => test(proxy, a, b, close));
  } finally {
    await close(a);
    await close(b);
  }
}

/** Which server, by the sessions that it has begun. */
function begun(upstream: ScriptedUpstream): number {
  return upstream.requests.filter(({ body }) =>
    new TextDecoder().decode(body).includes('"initialize"')
  ).length;
}

Deno.test("a drained target gets no new session, its own stay, and it is taken back", async () => {
  await withTargets(async (proxy, a, b) => {
    const sessions = [
      await eventClient.openSession(proxy.origin),
      await eventClient.openSession(proxy.origin),
    ];
    assertEquals([begun(a), begun(b)], [1, 1]);
    const drained = await page(proxy, "POST", "/targets/%2Fmcp/a/drain");
    const states = drained.value.targets.map((
      one: { name: string; draining: boolean },
    ) => [one.name, one.draining]);
    assertEquals([drained.status, states], [200, [["a", true], ["b", false]]]);
    for (let times = 0; times < 4; times++) await eventClient.openSession(proxy.origin);
    assertEquals([begun(a), begun(b)], [1, 5]);
    for (const session of sessions) {
      const fields = { "mcp-session-id": session };
      assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    }
    assertEquals([begun(a), begun(b)], [1, 5]);
    const moved = await page(proxy, "POST", "/targets/%2Fmcp/a/drain?moveAfterMs=0");
    assertEquals(moved.status, 200);
    for (const session of sessions) {
      const fields = { "mcp-session-id": session };
      assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    }
    assertEquals([begun(a), begun(b)], [1, 6], "the session of a goes on at b");
    assertEquals((await page(proxy, "POST", "/targets/%2Fmcp/a/resume")).status, 200);
    await eventClient.openSession(proxy.origin);
    await eventClient.openSession(proxy.origin);
    assertEquals([begun(a), begun(b)], [2, 7]);
    const { text } = await page(proxy, "GET", "/targets");
    assert(![a, b].some(({ url }) => text.includes(new URL(url).host)));
  });
});

Deno.test("readiness stays while one target is there, is lost with the last one, and no page says where", async () => {
  await withTargets(async (proxy, a, b, close) => {
    const until = async (path: string, down: number, status: number) => {
      for (let tries = 0; tries < 200; tries++) {
        const found = await page(proxy, "GET", path);
        const route = found.value.route ?? found.value.routes[0];
        if (route.targets.down === down) {
          assertEquals(found.status, status);
          return found;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`there were never ${down} targets down`);
    };
    await until("/readyz", 0, 200);
    await close(a);
    await until("/readyz", 1, 200);
    await until("/readyz/%2Fmcp", 1, 200);
    await close(b);
    const { value, text } = await until("/readyz", 2, 503);
    assertEquals(value.reasons, ["All targets of every route are down."]);
    await until("/readyz/%2Fmcp", 2, 503);
    assertEquals((await page(proxy, "GET", "/healthz")).status, 200);
    const told = text + (await page(proxy, "GET", "/targets")).text +
      (await page(proxy, "GET", "/status")).text;
    assert(![a, b].some(({ url }) => told.includes(new URL(url).host)), told);
  });
});

/** How many sessions /targets tells: of the route, and of each target. */
async function sessionsTold(proxy: TestProxy): Promise<unknown> {
  const { value: { routes: [route] } } = await page(proxy, "GET", "/targets");
  const targets = route.targets.map((
    one: { name: string; sessions: number },
  ) => [one.name, one.sessions]);
  return [route.sessions, Object.fromEntries(targets)];
}

Deno.test("/targets tells the sessions of each target: as they come, of either transport, move and end", async () => {
  await withTargets(async (proxy) => {
    assertEquals(await sessionsTold(proxy), [0, { a: 0, b: 0 }]);
    const sessions: string[] = [];
    for (let times = 0; times < 3; times++) {
      sessions.push(await eventClient.openSession(proxy.origin));
    }
    assertEquals(await sessionsTold(proxy), [3, { a: 2, b: 1 }]);
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    assertEquals(await sessionsTold(proxy), [4, { a: 2, b: 2 }]);
    const drained = await page(proxy, "POST", "/targets/%2Fmcp/a/drain?moveAfterMs=0");
    assertEquals(drained.value.targets.map((one: { sessions: number }) => one.sessions), [2, 2]);
    for (const session of [sessions[0], sessions[2]]) {
      const fields = { "mcp-session-id": session! };
      assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    }
    assertEquals(await sessionsTold(proxy), [4, { a: 0, b: 4 }]);
    const end = `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${sessions[1]}\r\n\r\n`;
    assertEquals((await exchange(proxy.origin, end)).status, 202);
    assertEquals(await sessionsTold(proxy), [3, { a: 0, b: 3 }]);
  });
});

Deno.test("/targets tells the sessions of a server without targets under its one target", async () => {
  await using upstream = sessionUpstream();
  const options = { upstream: upstream.url, config: { admin: "127.0.0.1:0" } };
  await withProxy(options, async (proxy) => {
    await eventClient.openSession(proxy.origin);
    assertEquals(await sessionsTold(proxy), [1, { "": 1 }]);
  });
});
