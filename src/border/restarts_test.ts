/**
 * R66, R67, R68 for clients of each kind before servers of each transport and era, dedicated and shared: the server
 * restarts, the proxy is killed, the proxy is stopped.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as askers from "../testing/askers.ts";
import * as eventClient from "../testing/event_client.ts";
import * as faulty from "../testing/faulty_server.ts";
import * as peerClients from "../testing/peer_clients.ts";
import { startProgram } from "../testing/program.ts";
import { type TestProxy, testProxy, withProxy } from "../testing/proxy.ts";

const { ASKERS } = askers;
const { FAULTY_SERVERS } = faulty;

type ClientKind = askers.AskerKind;

const SERVERS: readonly (readonly [faulty.FaultyServerKind, "dedicated" | "shared"])[] = [
  ["session", "dedicated"],
  ["session", "shared"],
  ["modern", "dedicated"],
  ["HTTP+SSE", "dedicated"],
  ["HTTP+SSE", "shared"],
];
const CLIENTS = Object.keys(ASKERS) as ClientKind[];
const CALL = { name: "t", arguments: {} };
const AT_ONCE = { attempts: 3, initialDelayMs: 1, maxDelayMs: 1 };
const COUNT = 20;
const NO_GET = "HTTP/1.1 405 No\r\nallow: POST\r\ncontent-length: 0\r\n\r\n";

interface Cell {
  readonly proxy: TestProxy;
  readonly server: faulty.FaultyServer;
  readonly client: askers.Asker;
}

async function withCell(
  clientKind: ClientKind,
  [kind, sessions]: (typeof SERVERS)[number],
  test: (cell: Cell) => Promise<void>,
): Promise<void> {
  await using server = FAULTY_SERVERS[kind]();
  const upstreamConfig = { ...server.upstream, sessions, reconnect: AT_ONCE };
  await withProxy({ upstreamConfig }, async (proxy) => {
    using client = await ASKERS[clientKind](proxy.origin);
    await test({ proxy, server, client });
  });
}

/** Asks for the tool so often at once; all are answered with its result. */
async function assertAll(client: askers.Asker, count: number): Promise<void> {
  const asking = Array.from({ length: count }, () => client.ask("tools/call", CALL));
  for (const { response, text } of await Promise.all(asking)) {
    assert(response.result !== undefined, text);
  }
}

for (const clientKind of CLIENTS) {
  for (const serverCase of SERVERS) {
    const [serverKind, sessions] = serverCase;
    const cell = `${clientKind} client, ${sessions} ${serverKind} server`;
    /** A modern client that nobody knows has a session of its own for each request. */
    const isOne = clientKind !== "modern" || sessions === "shared";

    Deno.test(`R66 ${cell}: behind a restart the session is made anew once, and each call runs once`, () =>
      withCell(clientKind, serverCase, async ({ server, client }) => {
        for (let restarts = 1; restarts <= 3; restarts++) {
          await assertAll(client, 2);
          const begun = server.count("initialize");
          const ran = server.ran("tools/call");
          server.restart();
          await assertAll(client, COUNT);
          assertEquals(server.ran("tools/call") - ran, COUNT);
          const expected = serverKind === "modern" ? 0 : 1;
          if (isOne) assertEquals(server.count("initialize") - begun, expected);
        }
      }));

    Deno.test(`R66 ${cell}: calls in flight when the server restarts fail and are not sent again, and the next ones succeed`, () =>
      withCell(clientKind, serverCase, async ({ server, client }) => {
        await assertAll(client, 1);
        server.faults.set("tools/call", () => {});
        const before = server.count("tools/call");
        const asking = Array.from({ length: COUNT }, () => client.ask("tools/call", CALL));
        while (server.count("tools/call") < before + COUNT) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        server.restart();
        for (const { status, response, text } of await Promise.all(asking)) {
          assert(response.error !== undefined, text);
          if (clientKind !== "HTTP+SSE") assertEquals(status, 502);
        }
        assertEquals(server.count("tools/call"), before + COUNT);
        server.faults.clear();
        await assertAll(client, COUNT);
      }));
  }
}

const KEY = "sy_alice-0123456789012345678901234567";
const AUTH = { keys: [{ name: "alice", sha256: hashOfKey(KEY) }] };
const BEARER = { authorization: `Bearer ${KEY}` };

for (const kind of ["session", "HTTP+SSE"] as const) {
  Deno.test(`R66 R89 modern client with a key, ${kind} server: its one session is made anew once, and GET refused once in each`, async () => {
    await using server = FAULTY_SERVERS[kind]();
    if (kind === "session") server.faults.set("GET", NO_GET);
    const upstreamConfig = { ...server.upstream, reconnect: AT_ONCE };
    await withProxy({ upstreamConfig, config: { auth: AUTH } }, async ({ origin }) => {
      using client = await ASKERS["modern"](origin, undefined, BEARER);
      for (let restarts = 0; restarts < 3; restarts++) {
        await assertAll(client, 2);
        for (let times = 0; times < 3; times++) {
          const params = { notifications: { toolsListChanged: true } };
          using _ = await eventClient.begin(
            origin,
            peerClients.modernPost("subscriptions/listen", params, BEARER),
          );
        }
        assertEquals(server.count("initialize"), restarts + 1);
        assertEquals(server.count("GET"), restarts + 1);
        const ran = server.ran("tools/call");
        server.restart();
        await assertAll(client, COUNT);
        assertEquals(server.ran("tools/call") - ran, COUNT);
      }
    });
  });
}

const CHANGED = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };

for (const [kind, sessions] of SERVERS.filter(([kind]) => kind !== "modern")) {
  // Of a channel's own session what breaks is told by the end of the stream: the client comes back (2025-11-25).
  const goesOn = kind === "session" || sessions === "shared";
  const what = goesOn ? "goes on" : "ends, and may be opened again";
  Deno.test(`R66 ${sessions} ${kind} server: a GET stream ${what} behind a restart, in one session made anew`, () =>
    withCell("session", [kind, sessions], async ({ proxy: { origin }, server, client }) => {
      using stream = await eventClient.listen(origin, client.session!);
      const opened = server.count("initialize");
      const gets = server.count("GET");
      server.restart();
      await assertAll(client, COUNT);
      let current = stream;
      if (!goesOn) {
        for (let next = await stream.next(); next !== null; next = await stream.next()) {
          assert(next !== "cut");
        }
        current = await eventClient.listen(origin, client.session!);
        assertEquals(current.status, 200);
      }
      using _ = current;
      while (server.streams === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      await server.say(CHANGED);
      for (;;) {
        const next = await current.next();
        assert(next !== null && next !== "cut");
        if (next.data === JSON.stringify(CHANGED)) break;
      }
      assertEquals(server.count("initialize") - opened, 1);
      assert(server.count("GET") - gets <= 3, `GET came ${server.count("GET") - gets} times`);
    }));
}

Deno.test("R67 behind SIGKILL with a durable store sessions go on, whatever is behind the proxy; calls in flight are not repeated", async () => {
  await using stack = new AsyncDisposableStack();
  const servers = SERVERS.map(([kind, sessions]) => ({
    server: stack.use(FAULTY_SERVERS[kind]()),
    sessions,
  }));
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const file = `${folder}/switchyard.json`;
  const routes = servers.map(({ server, sessions }, at) => ({
    path: `/${at}`,
    upstream: { ...server.upstream, sessions },
  }));
  const stores = {
    sessions: { store: "sqlite" },
    eventLog: { store: "sqlite", path: `${folder}/e` },
  };
  const config = { listen: "127.0.0.1:0", drainTimeoutMs: 0, dataDir: `${folder}/d`, ...stores };
  await Deno.writeTextFile(file, JSON.stringify({ ...config, routes }));
  const start = async () => {
    const program = startProgram(["serve", "--config", file], ["-P", `--allow-write=${folder}`]);
    stack.defer(async () => {
      try {
        program.child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await program.end();
    });
    const line = await program.first;
    return { origin: new URL(line.slice("listening ".length)).origin, program };
  };
  const first = await start();
  const clients = await Promise.all(
    servers.map((_, at) => ASKERS["session"](first.origin, `/${at}`)),
  );
  const inFlight = clients.map((client, at) => {
    servers[at]!.server.faults.set("tools/call", () => {});
    return client.ask("tools/call", CALL).then(() => "answered", () => "broken off");
  });
  for (const { server } of servers) {
    while (server.count("tools/call") === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  first.program.child.kill("SIGKILL");
  assertEquals(await Promise.all(inFlight), clients.map(() => "broken off"));
  for (const { server } of servers) server.faults.clear();
  const second = await start();
  for (const [at, client] of clients.entries()) {
    client.move(second.origin);
    const { server } = servers[at]!;
    await assertAll(client, COUNT);
    assertEquals([server.count("tools/call") >= COUNT + 1, server.ran("tools/call")], [
      true,
      COUNT,
    ]);
  }
});

for (const clientKind of CLIENTS) {
  for (const serverCase of SERVERS) {
    const [kind, sessions] = serverCase;
    Deno.test(`R68 ${clientKind} client, ${sessions} ${kind} server: a call in flight finishes when the proxy is stopped`, async () => {
      await using server = FAULTY_SERVERS[kind]();
      const goOn = Promise.withResolvers<void>();
      const upstreamConfig = { ...server.upstream, sessions };
      const proxy = await testProxy({ upstreamConfig, config: { drainTimeoutMs: 60_000 } });
      using client = await ASKERS[clientKind](proxy.origin);
      server.faults.set("tools/call", async (): Promise<"usual"> => {
        await goOn.promise;
        return "usual";
      });
      const asked = client.ask("tools/call", CALL);
      while (server.count("tools/call") === 0) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const stopping = proxy.stop();
      goOn.resolve();
      const { response, text } = await asked;
      assert(response.result !== undefined, text);
      await stopping;
      assertEquals(server.ran("tools/call"), 1);
    });
  }
}
