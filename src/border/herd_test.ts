/**
 * R69: 5,000 clients whose server breaks off or restarts, and who all come back at once, before the program as
 * a user starts it: so many sockets are more than one process may have on some machines.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as herd from "../testing/herd.ts";
import * as messages from "../testing/messages.ts";
import { startProgram } from "../testing/program.ts";

const CLIENTS = 5_000;
/** So many of them ask for something at once: more than may wait for a connection. */
const CALLERS = 1_500;
const LIMITS = { maxConnections: 64, maxQueued: 1_000 };
/** Long enough that requests which are let through together are there together. */
const THINK_MS = 5;
const SPREAD_MS = 1_000;
/** However busy the machine is: it is not about giving up. */
const PATIENCE_MS = 600_000;

interface Herd {
  readonly clients: readonly herd.HerdClient[];
  readonly server: herd.HerdServer;
}

/** Runs `test` with clients that have neither a connection nor a session. */
async function withHerd(test: (herd: Herd) => Promise<void>): Promise<void> {
  await using server = herd.herdServer(THINK_MS);
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const reconnect = { attempts: 100, initialDelayMs: SPREAD_MS, maxDelayMs: 2 * SPREAD_MS };
  const upstream = { url: server.url, ...LIMITS, reconnect };
  const routes = [{ path: "/mcp", upstream }];
  const limits = {
    requestHeadTimeoutMs: PATIENCE_MS,
    connectionIdleTimeoutMs: PATIENCE_MS,
    // A proxy that the machine leaves a tenth of a core writes late, and takes that for the client's doing.
    clientWriteTimeoutMs: PATIENCE_MS,
  };
  const config = { listen: "127.0.0.1:0", logLevel: "error", drainTimeoutMs: 0, limits, routes };
  await Deno.writeTextFile(file, JSON.stringify(config));
  const program = startProgram(["serve", "--config", file]);
  const clients: herd.HerdClient[] = [];
  try {
    const { origin } = new URL((await program.first).slice("listening ".length));
    for (let count = 0; count < CLIENTS; count++) clients.push(new herd.HerdClient(origin));
    await test({ clients, server });
  } finally {
    for (const client of clients) client.close();
    program.child.kill("SIGTERM");
    const { err } = await program.end();
    await Deno.remove(file);
    assert(!err.includes('"level"'), err);
  }
}

/** How far things stand from where they stood, on average. */
function displacement(before: readonly string[], after: readonly string[]): number {
  const places = new Map(before.map((name, at) => [name, at]));
  return after.reduce((sum, name, at) => sum + Math.abs(places.get(name)! - at), 0) / after.length;
}

/** All have a session and listen. */
async function listening({ clients, server }: Herd): Promise<void> {
  await herd.forAll(clients, async (client) => {
    await client.connect();
    assertEquals((await client.open()).status, 200);
    assertEquals(await client.listen(), 200);
    assert(await client.event() !== undefined);
  });
  assertEquals([server.streams, server.gets.length], [CLIENTS, CLIENTS]);
}

/** The server breaks all streams: the proxy opens them again, without a word to the clients. */
async function streamsBreak({ clients, server }: Herd): Promise<void> {
  const before = [...server.gets];
  server.breakAll();
  server.reset();
  const events = await herd.forAll(clients, (client) => client.event(), CLIENTS);
  assert(events.every((data) => data !== undefined));
  assertEquals([server.streams, server.gets.length], [CLIENTS, CLIENTS]);
  // Each waits for a time of its own. In an order by chance things stand a third of all away from where they were.
  const spread = displacement(before, server.gets);
  assert(spread > CLIENTS / 6, `the streams are opened again in the order of before: ${spread}`);
}

/** All clients lose their connections, and come back at once: the server is asked for nothing. */
async function clientsComeBack({ clients, server }: Herd): Promise<void> {
  server.reset();
  await herd.forAll(clients, (client) => client.connect());
  const statuses = await herd.forAll(clients, (client) => client.listen(), CLIENTS);
  assert(statuses.every((status) => status === 200));
  assertEquals([server.streams, server.counts.size], [CLIENTS, 0]);
}

/** The server has forgotten all sessions, and many clients ask for something at once. */
async function serverForgets({ clients, server }: Herd): Promise<void> {
  let left = clients.slice(0, CALLERS);
  await herd.forAll(left, (client) => client.connect());
  server.forget();
  server.reset();
  let rounds = 0;
  for (; left.length > 0; rounds++) {
    const refused: herd.HerdClient[] = [];
    await herd.forAll(left, async (client) => {
      const { status, head, body } = await client.post(messages.ping("7"));
      if (status === 200) return;
      assertEquals([status, JSON.parse(body).id], [503, 7]);
      assertMatch(head, /\nretry-after: \d+\r/i);
      refused.push(client);
    }, CALLERS);
    assert(refused.length < left.length, "nobody got through");
    left = refused;
  }
  assert(rounds > 1, "nobody had to wait");
  // Each session is made anew once, and nothing is asked more often than in the old one and in the new one.
  assertEquals(server.counts.get("initialize"), CALLERS);
  assertEquals(server.counts.get("ping"), 2 * CALLERS);
}

Deno.test("R69 5,000 clients come back at once: connects upstream are bounded and spread, and nobody hangs", () =>
  withHerd(async (all) => {
    for (const phase of [listening, streamsBreak, clientsComeBack, serverForgets]) {
      await phase(all);
      assert(all.server.mostCalls <= LIMITS.maxConnections, `${all.server.mostCalls} at a time`);
    }
    // The streams of the sessions that were made anew are opened there, each once.
    assert((all.server.counts.get("GET") ?? 0) <= CALLERS);
  }));
