/**
 * R54, R71, R94, R97 on every transport: clients of each kind before servers of each kind, over real sockets
 * and processes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { exchange, peerClients, peers, type TestProxy, withProxy } from "./testing/mod.ts";

const { PEER_CLIENTS } = peerClients;
const { PEER_SERVERS, PEER_SESSION } = peers;

type ClientKind = peerClients.PeerClientKind;
type ServerKind = peers.PeerServerKind;

const CLIENTS = Object.keys(PEER_CLIENTS) as ClientKind[];
const SERVERS = Object.keys(PEER_SERVERS) as ServerKind[];
const CANCELLED = "notifications/cancelled";
const ADMIN = { admin: "127.0.0.1:0" };

interface Cell {
  readonly proxy: TestProxy;
  readonly server: peers.PeerServer;
  readonly client: peerClients.PeerClient;
}

/** Runs `test` with one client before one server. */
async function withCell(
  clientKind: ClientKind,
  serverKind: ServerKind,
  test: (cell: Cell) => Promise<void>,
): Promise<void> {
  await using server = PEER_SERVERS[serverKind]();
  await withProxy({ upstreamConfig: server.upstream, config: ADMIN }, async (proxy) => {
    const client = await PEER_CLIENTS[clientKind](proxy.origin);
    try {
      await test({ proxy, server, client });
    } finally {
      client.leave();
    }
  });
}

function page({ adminOrigin }: TestProxy, path: string) {
  return exchange(adminOrigin!, `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
}

/** Resolves when the proxy knows that nobody reads a stream. */
async function unattended(proxy: TestProxy): Promise<void> {
  while (JSON.parse((await page(proxy, "/status")).text).streams.unattended === 0);
}

/** Asserts that the server is told that a call is not wanted any more. */
async function assertCancelled(
  kind: ServerKind,
  server: peers.PeerServer,
  call: peers.PeerCall,
): Promise<void> {
  if (kind === "modern") return await call.gone;
  const { params } = await server.arrived(CANCELLED);
  assertEquals(params?.requestId, call.id);
}

for (const clientKind of CLIENTS.filter((kind) => kind !== "session")) {
  for (const serverKind of SERVERS) {
    for (const when of ["ahead of the answer", "in mid-stream"]) {
      Deno.test(`R54 ${clientKind} client, ${serverKind} server: who leaves ${when} has cancelled`, () =>
        withCell(clientKind, serverKind, async ({ server, client }) => {
          await client.call(7);
          const call = await server.call(0);
          if (when === "in mid-stream") {
            await call.progress("on its way");
            await client.heard("on its way");
          }
          client.leave();
          await assertCancelled(serverKind, server, call);
        }));
    }
  }
}

for (const serverKind of SERVERS) {
  Deno.test(`R54 session client, ${serverKind} server: who leaves in mid-stream has cancelled nothing, and comes back for the rest`, () =>
    withCell("session", serverKind, async ({ proxy, server, client }) => {
      await client.call(7);
      const call = await server.call(0);
      await call.progress("on its way");
      await client.heard("on its way");
      client.leave();
      await unattended(proxy);
      await call.progress("said meanwhile");
      await client.resume!();
      await client.heard("said meanwhile");
      await call.answer("at last");
      await client.heard("at last");
      assertEquals(server.messages.filter(({ method }) => method === CANCELLED), []);
      client.leave();
    }));
}
