/**
 * Servers that are more than an address, across reloads: programs, shared sessions, bridges between eras.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import * as peerClients from "../testing/peer_clients.ts";
import * as peers from "../testing/peer_servers.ts";
import * as processes from "../testing/processes.ts";
import * as reloading from "../testing/reload.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";

const { routeTo, withReloadable } = reloading;

/** A route before a program. */
function programRoute(more: Record<string, unknown> = {}, args: string[] = []) {
  const stdio = { ...processes.stdioServer(...args), closeMs: 100 };
  return { name: "mcp", path: "/mcp", upstream: { stdio, ...more } };
}

async function pidOf(caller: SessionCaller): Promise<number> {
  const { status, text } = await caller.ask("about");
  assertEquals(status, 200, text);
  return JSON.parse(text).result.pid;
}

for (const sessions of ["dedicated", "shared"]) {
  Deno.test(`a ${sessions} program stays over a reload that is not about it, and is replaced by one that is`, async () => {
    await using other = sessionUpstream();
    const settings = (more: Record<string, unknown> = {}, rest = {}) => ({
      ...rest,
      routes: [programRoute({ sessions, ...more }), routeTo("other", other.url)],
    });
    await withReloadable(settings(), async (proxy) => {
      const callers = [
        await new SessionCaller({ ...proxy, logs: [] }).ready(),
        await new SessionCaller({ ...proxy, logs: [] }).ready(),
      ];
      const listening = await eventClient.listen(proxy.origin, callers[0]!.id);
      const first = await Promise.all(callers.map(pidOf));
      assertEquals(new Set(first).size, sessions === "shared" ? 1 : 2);
      const kept = await proxy.put(settings({}, { limits: { maxJsonDepth: 99 } }));
      assert(kept.ok);
      assertEquals(await Promise.all(callers.map(pidOf)), first);
      // One that cannot run starts nothing and ends nothing.
      const bad = [
        programRoute({ sessions, maxStreams: 9 }),
        routeTo("x", other.url, { tls: { caFile: "/no/such" } }),
      ];
      assertEquals((await proxy.put({ routes: bad })).ok, false);
      assertEquals(await Promise.all(callers.map(pidOf)), first);
      assertEquals((await proxy.put(settings({ maxStreams: 9 }))).ok, true);
      const second = await Promise.all(callers.map(pidOf));
      for (const pid of second) assert(!first.includes(pid) && processes.runs(pid));
      // Also the one whose session has a stream of the server's own open.
      await processes.noneLeft(() => first.filter(processes.runs));
      assertEquals((await proxy.put({ routes: [routeTo("other", other.url)] })).ok, true);
      await processes.noneLeft(() => second.filter(processes.runs));
      listening[Symbol.dispose]();
    });
  });
}

Deno.test("R82 a shared session ends at its server when a reload has replaced what held it", async () => {
  await using upstream = sessionUpstream();
  const settings = (maxQueued: number) => ({
    routes: [routeTo("mcp", upstream.url, { sessions: "shared", maxQueued })],
  });
  await withReloadable(settings(8), async (proxy) => {
    const caller = await new SessionCaller({ ...proxy, logs: [] }).ready();
    assertEquals((await proxy.put(settings(9))).ok, true);
    await upstream.received(2);
    assertEquals(upstream.told(2), ["DELETE@inner-1"]);
    assertEquals((await caller.ask("ping")).status, 200);
    assertEquals(upstream.told(3).slice(0, 2), ["initialize", "notifications/initialized@inner-2"]);
  });
});

const { PEER_CLIENTS } = peerClients;
const { PEER_SERVERS } = peers;

for (const clientKind of Object.keys(PEER_CLIENTS) as peerClients.PeerClientKind[]) {
  for (const serverKind of Object.keys(PEER_SERVERS) as peers.PeerServerKind[]) {
    for (const sessions of ["dedicated", "shared"]) {
      Deno.test(`${clientKind} client, ${serverKind} server, ${sessions}: calls in flight are answered where they are, the next ones at the server of now`, async () => {
        await using server = PEER_SERVERS[serverKind]();
        const settings = (maxQueued: number) => {
          const { reconnect } = reloading.AT_ONCE;
          const upstream = { ...server.upstream, sessions, reconnect, maxQueued };
          return { routes: [{ name: "mcp", path: "/mcp", upstream }] };
        };
        await withReloadable(settings(8), async (proxy) => {
          const client = await PEER_CLIENTS[clientKind](proxy.origin);
          await client.call(7);
          const call = await server.call(0);
          await call.progress("on its way");
          await client.heard("on its way");
          assertEquals(await proxy.put(settings(9)), reloading.done({ changed: ["mcp"] }));
          await call.progress("said meanwhile");
          await client.heard("said meanwhile");
          await call.answer("at last");
          await client.heard("at last");
          for (const at of [1, 2]) {
            await client.call(7 + at);
            const next = await server.call(at);
            await next.answer(`answer ${at}`);
            await client.heard(`answer ${at}`);
          }
          client.leave();
        });
      });
    }
  }
}
