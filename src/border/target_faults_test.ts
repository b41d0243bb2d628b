/**
 * R57, R65, R66, R69 with several targets, over real sockets: one that cannot be reached is left alone and taken
 * back, one that dies costs what was in flight there and nothing else.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as admin from "../testing/admin.ts";
import * as askers from "../testing/askers.ts";
import * as eventClient from "../testing/event_client.ts";
import { type EventServer, eventServer } from "../testing/event_server.ts";
import * as faulty from "../testing/faulty_server.ts";
import * as herd from "../testing/herd.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import { jsonAnswer } from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

const { adminRequest } = admin;
const { event, progress, result } = streams;
const MAX_CONNECTIONS = 16;
const ADMIN = { admin: "127.0.0.1:0" };
const PATIENT = { attempts: 100, initialDelayMs: 50, maxDelayMs: 200 };
const BRIEF = { attempts: 5, initialDelayMs: 20, maxDelayMs: 100 };

/** Runs `test` before these targets. */
function before(
  servers: Readonly<Record<string, { readonly url: string }>>,
  test: (proxy: TestProxy) => Promise<void>,
  { health, ...more }: Record<string, unknown> = {},
): Promise<void> {
  const upstreamConfig = {
    targets: Object.entries(servers).map(([name, { url }]) => ({ name, url })),
    balance: { policy: "round-robin" },
    health: { probe: "off", slowStartMs: 0, ...health as object },
    reconnect: BRIEF,
    ...more,
  };
  return withProxy({ upstreamConfig, config: ADMIN }, test);
}

/** How each target is, by its name. */
async function states({ adminOrigin }: TestProxy): Promise<Record<string, string>> {
  const head = "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
  const { targets } = JSON.parse((await exchange(adminOrigin!, head)).text).routes[0].upstream;
  return Object.fromEntries(
    targets.map(({ name, state }: { name: string; state: string }) => [name, state]),
  );
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Opens a session, and lets it go. */
async function newSession({ origin }: TestProxy): Promise<number> {
  return (await postText(origin, messages.initialize())).status;
}

Deno.test("R65 one target alone: refused and an unknown name are 502, and a server that is back is used at once", async () => {
  await using server = herd.herdServer();
  const nowhere = { url: "http://no-such-host.invalid/mcp" };
  await before({ nowhere }, async (proxy) => assertEquals(await newSession(proxy), 502));
  await before({ server }, async (proxy) => {
    assertEquals(await newSession(proxy), 200);
    await server.refuse();
    server.breakAll();
    for (let times = 0; times < 20; times++) assertEquals(await newSession(proxy), 502);
    server.open();
    assertEquals(await newSession(proxy), 200);
  });
});

const PROBED = { probe: "ping", intervalMs: 20, unhealthyAfter: 2, healthyAfter: 2 };
const WATCHED = { probe: "off", maxFailures: 2, ejectMs: 100, maxEjectMs: 200 };

for (const [name, health] of [["probed", PROBED], ["watched", WATCHED]] as const) {
  Deno.test(`R65 a target that refuses, ${name}: calls go elsewhere, it is down, and taken back on the same port`, async () => {
    await using a = herd.herdServer();
    await using b = herd.herdServer();
    await before({ a, b }, async (proxy) => {
      for (let times = 0; times < 4; times++) assertEquals(await newSession(proxy), 200);
      assertEquals([a.counts.get("initialize"), b.counts.get("initialize")], [2, 2]);
      await a.refuse();
      a.breakAll();
      await until(async () => {
        assertEquals(await newSession(proxy), 200);
        return (await states(proxy)).a === "down";
      });
      a.open();
      a.reset();
      await until(async () => {
        assertEquals(await newSession(proxy), 200);
        return (a.counts.get("initialize") ?? 0) > 2;
      });
      await until(async () => (await states(proxy)).a === "up");
      assertEquals((await states(proxy)).b, "up");
    }, { health });
  });
}

Deno.test("R64 R65 a target that answers 500 and 503 is ejected, its sessions stay, and it is taken back when it answers", async () => {
  await using a = faulty.FAULTY_SERVERS.session();
  await using b = faulty.FAULTY_SERVERS.session();
  const servers = { a: { url: `${a.upstream.url}` }, b: { url: `${b.upstream.url}` } };
  await before(servers, async (proxy) => {
    using client = await askers.ASKERS.session(proxy.origin);
    assertEquals([a.count("initialize"), b.count("initialize")], [1, 0]);
    for (const status of ["500 E", "503 S"]) {
      a.faults.set("tools/call", jsonAnswer("{}", {}, status));
      const { status: told } = await client.ask("tools/call");
      assertEquals(told, parseInt(status));
    }
    await until(async () => {
      await client.ask("tools/call");
      return (await states(proxy)).a === "ejected";
    });
    const count = a.count("tools/call");
    assertEquals([(await client.ask("tools/call")).status, a.count("tools/call")], [
      503,
      count + 1,
    ]);
    assertEquals([b.count("tools/call"), a.count("initialize")], [0, 1]);
    a.faults.clear();
    await until(async () => (await states(proxy)).a === "up");
    await until(async () => {
      assertEquals(await newSession(proxy), 200);
      return a.count("initialize") > 1;
    });
  }, { health: WATCHED });
});

Deno.test("R65 a target whose name is not known gets nothing, and costs no call", async () => {
  await using b = herd.herdServer();
  await before({ a: { url: "http://no-such-host.invalid/mcp" }, b }, async (proxy) => {
    for (let times = 0; times < 20; times++) assertEquals(await newSession(proxy), 200);
    assertEquals(b.counts.get("initialize"), 20);
    assertEquals((await states(proxy)).a, "down");
  }, { health: { maxFailures: 5, ejectMs: 60_000 } });
});

/** Two targets, of which the client's session is at the first. */
async function withSessionAtFirst(
  test: (proxy: TestProxy, session: string, a: EventServer, b: EventServer) => Promise<void>,
  more: Record<string, unknown> = {},
): Promise<void> {
  await using a = eventServer({ sessionId: "inner-of-a" });
  await using b = eventServer({ sessionId: "inner-of-b" });
  await before({ a, b }, async (proxy) => {
    await test(proxy, await eventClient.openSession(proxy.origin), a, b);
  }, more);
}

Deno.test("R57 a stream that a target breaks off 50 times is taken up there each time, nothing lost, nothing twice", () =>
  withSessionAtFirst(async ({ origin }, session, a, b) => {
    using stream = await eventClient.call(origin, session, 7);
    const all: string[] = [];
    for (let times = 0; times < 50; times++) {
      const server = await a.stream(times);
      const last = times === 0 ? undefined : `e${times - 1}`;
      assertEquals(server.request.field("last-event-id"), last);
      await server.send(event(`e${times}`, progress(times)));
      all.push(progress(times));
      while ((await stream.next() as { data?: string }).data !== progress(times));
      server.breakOff();
    }
    const server = await a.stream(50);
    await server.send(event("end", result(7)));
    await server.end();
    assertEquals((await stream.rest()).map(({ data }) => data), [result(7)]);
    assertEquals(b.requests.length, 0);
  }, { reconnect: { attempts: 3, initialDelayMs: 1, maxDelayMs: 1 } }));

Deno.test("R57 R58 a call whose target dies in mid-stream is an error, once, and sent nowhere else; the session goes on", () =>
  withSessionAtFirst(async ({ origin }, session, a, b) => {
    using stream = await eventClient.call(origin, session, 7);
    const server = await a.stream(0);
    await server.send(event("e1", progress(1)));
    await a.close();
    const events = (await stream.rest()).flatMap(({ data }) => data ? [JSON.parse(data)] : []);
    assertEquals(events.map(({ method, id }) => method ?? id), ["notifications/progress", 7]);
    assert(events[1].error !== undefined);
    const calls = b.requests.filter(({ body }) => new TextDecoder().decode(body).includes("tools"));
    assertEquals(calls.length, 0);
    using next = await eventClient.call(origin, session, 8);
    const other = await b.stream(0);
    assertEquals(other.request.field("mcp-session-id"), "inner-of-b");
    await other.send(event(null, result(8)));
    await other.end();
    assertEquals((await next.rest()).at(-1)!.data, result(8));
  }));

Deno.test("R57 R66 the stream on which a server speaks first goes on at another target, in a session begun there once", () =>
  withSessionAtFirst(async ({ origin }, session, a, b) => {
    using stream = await eventClient.listen(origin, session);
    await (await a.stream(0)).send(event("e1", progress(1)));
    while ((await stream.next() as { data?: string }).data !== progress(1));
    await a.close();
    const other = await b.stream(0);
    assertEquals(other.request.field("mcp-session-id"), "inner-of-b");
    assertEquals(other.request.field("last-event-id"), undefined);
    await other.send(event("e1", progress(2)));
    assertEquals((await stream.next() as { data?: string }).data, progress(2));
    const begun = b.requests.filter(({ body }) =>
      new TextDecoder().decode(body).includes('"initialize"')
    );
    assertEquals(begun.length, 1);
  }));

Deno.test("R66 the stream on which a server speaks first leaves a drained target that holds it open, with its session", () =>
  withSessionAtFirst(async ({ origin, adminOrigin }, session, a, b) => {
    using stream = await eventClient.listen(origin, session);
    const left = await a.stream(0);
    await left.send(event("e1", progress(1)));
    while ((await stream.next() as { data?: string }).data !== progress(1));
    const drain = "/targets/%2Fmcp/a/drain?moveAfterMs=0";
    assertEquals((await adminRequest(adminOrigin, "POST", drain)).status, 200);
    using asked = await eventClient.call(origin, session, 7);
    const answering = await b.stream(0);
    await answering.send(event("e0", result(7)));
    await answering.end();
    assertEquals((await asked.rest()).at(-1)!.data, result(7));
    const taken = await b.stream(1);
    assertEquals(taken.request.line.split(" ")[0], "GET");
    assertEquals(taken.request.field("mcp-session-id"), "inner-of-b");
    assertEquals(taken.request.field("last-event-id"), undefined);
    await taken.send(event("e1", progress(2)));
    assertEquals((await stream.next() as { data?: string }).data, progress(2));
    const targets = JSON.parse((await adminRequest(adminOrigin, "GET", "/targets/%2Fmcp")).text);
    assertEquals(targets.targets[0].underWay, 0);
  }));

const CLIENTS = 999;
/** Long enough that requests which are let through together are there together. */
const THINK_MS = 5;

Deno.test("R69 one of three targets dies under 999 sessions: they go on elsewhere, begun there once each, connects bounded, and it is taken back", async () => {
  await using a = herd.herdServer(THINK_MS);
  await using b = herd.herdServer(THINK_MS);
  await using c = herd.herdServer(THINK_MS);
  const health = { ...PROBED, intervalMs: 50 };
  const limits = { maxConnections: MAX_CONNECTIONS, maxQueued: 200, reconnect: PATIENT };
  await before({ a, b, c }, async (proxy) => {
    const clients = Array.from({ length: CLIENTS }, () => new herd.HerdClient(proxy.origin));
    await herd.forAll(clients, async (client) => {
      await client.connect();
      assertEquals((await client.open()).status, 200);
      assertEquals(await client.listen(), 200);
      assert(await client.event() !== undefined);
    }, 100);
    assertEquals([a.streams, b.streams, c.streams], Array(3).fill(CLIENTS / 3));
    for (const server of [a, b, c]) server.reset();
    await b.refuse();
    b.forget();
    b.breakAll();
    // Their streams go on elsewhere without their doing, and meanwhile all ask for something at once.
    const callers = clients.map((client) => client.again());
    await herd.forAll(callers, (caller) => caller.connect());
    let left = callers;
    while (left.length > 0) {
      const refused: herd.HerdClient[] = [];
      await herd.forAll(left, async (caller) => {
        const { status, head } = await caller.post(LIST);
        if (status === 200) return;
        assertMatch(head, /^HTTP\/1.1 503 [^]*\nretry-after: \d+\r/i);
        refused.push(caller);
      }, CLIENTS);
      assert(refused.length < left.length, "nobody got through");
      left = refused;
    }
    await until(() => a.streams + c.streams === CLIENTS);
    const sum = (method: string) => (a.counts.get(method) ?? 0) + (c.counts.get(method) ?? 0);
    assertEquals([sum("initialize"), sum("tools/list")], [CLIENTS / 3, CLIENTS]);
    // A probe has a connection of its own.
    for (const { mostCalls } of [a, c]) assert(mostCalls <= MAX_CONNECTIONS + 1, `${mostCalls}`);
    b.open();
    await until(async () => (await states(proxy)).b !== "down");
    b.reset();
    await until(async () => {
      assertEquals(await newSession(proxy), 200);
      return b.counts.has("initialize");
    });
    for (const client of [...clients, ...callers]) client.close();
  }, { health, ...limits });
});

const LIST = '{"jsonrpc":"2.0","id":7,"method":"tools/list"}';
