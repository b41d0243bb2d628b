/**
 * Failures that clients are told ahead of the head of an answer and behind it, by fronts, bridges and channels: each
 * has one line in the log and one count in `/metrics`, for clients of every kind before servers of every kind, over
 * real sockets and processes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as admin from "../testing/admin.ts";
import * as peerClients from "../testing/peer_clients.ts";
import * as peers from "../testing/peer_servers.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";

const { adminRequest } = admin;
const { PEER_CLIENTS } = peerClients;
const { PEER_SERVERS } = peers;

const CLIENTS = Object.keys(PEER_CLIENTS) as peerClients.PeerClientKind[];
const SERVERS = Object.keys(PEER_SERVERS) as peers.PeerServerKind[];
const config = { admin: "127.0.0.1:0" };
const reconnect = { attempts: 1, initialDelayMs: 1, maxDelayMs: 1 };

/** The failures of calls that the log tells. A client's stream on which the server speaks first may fail beside them. */
function logged({ logs }: TestProxy): unknown[] {
  return logs.map((line) => JSON.parse(line))
    .filter(({ message }) => message === "request failed" || message === "request refused")
    .filter(({ rpc }) => rpc === "tools/call")
    .map(({ route, kind, source, target }) => [route, kind, source, target]);
}

/** Whether a failure of this kind is counted; the log and the count are told in one place. */
async function isCounted({ adminOrigin }: TestProxy, kind: string): Promise<boolean> {
  const { text } = await adminRequest(adminOrigin, "GET", "/metrics");
  return new RegExp(`^switchyard_errors_total\\{.*kind="${kind}".*\\} [1-9]`, "m").test(text);
}

for (const clientKind of CLIENTS) {
  for (const serverKind of SERVERS) {
    for (const when of ["ahead of the answer", "in mid-stream"]) {
      Deno.test(`R58 ${clientKind} client, ${serverKind} server: one that goes ${when} is told in the log and counted`, async () => {
        await using server = PEER_SERVERS[serverKind]();
        const upstreamConfig = { ...server.upstream, reconnect };
        await withProxy({ upstreamConfig, config }, async (proxy) => {
          const client = await PEER_CLIENTS[clientKind](proxy.origin);
          try {
            await client.call(7);
            const call = await server.call(0);
            if (when === "in mid-stream") {
              await call.progress("on its way");
              await client.heard("on its way");
            }
            await server[Symbol.asyncDispose]();
            await client.heard('"code":-31502');
            assertEquals(logged(proxy), [["/mcp", "upstream_closed", "upstream", undefined]]);
            assert(await isCounted(proxy, "upstream_closed"));
          } finally {
            client.leave();
          }
        });
      });
    }
  }
}

Deno.test("R58 a failure that a channel tells in mid-stream names the target that was asked", async () => {
  await using server = PEER_SERVERS["HTTP+SSE"]();
  const { url, ...rest } = server.upstream;
  const upstreamConfig = { ...rest, targets: [{ name: "one", url }], reconnect };
  await withProxy({ upstreamConfig, config }, async (proxy) => {
    const client = await PEER_CLIENTS.session(proxy.origin);
    try {
      await client.call(7);
      await (await server.call(0)).progress("on its way");
      await client.heard("on its way");
      await server[Symbol.asyncDispose]();
      await client.heard('"code":-31502');
      assertEquals(logged(proxy), [["/mcp", "upstream_closed", "upstream", "one"]]);
    } finally {
      client.leave();
    }
  });
});
