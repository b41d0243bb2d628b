/**
 * R54: clients on stdio, which cannot come back, before servers of each kind, over real sockets and processes.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { configSchema } from "../config/schema.ts";
import { openApp } from "../server.ts";
import { StdioFront } from "../stdio/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import * as messages from "../testing/messages.ts";
import * as peers from "../testing/peer_servers.ts";

const { PEER_SERVERS } = peers;
type ServerKind = peers.PeerServerKind;

const SERVERS = Object.keys(PEER_SERVERS) as ServerKind[];
const META = { progressToken: "token" };
const CALL = { name: "t", arguments: {} };

/** What a client of each era says. */
const SAYS: Readonly<Record<string, readonly string[]>> = {
  session: [
    messages.initialize(),
    messages.initialized,
    JSON.stringify({
      jsonrpc: "2.0",
      id: 7,
      method: "tools/call",
      params: { ...CALL, _meta: META },
    }),
  ],
  modern: [messages.modern("tools/call", CALL)],
};

/** How a server hears that a client of sessions has gone. */
const HEARS: Readonly<
  Record<ServerKind, (server: peers.PeerServer, call: peers.PeerCall) => Promise<unknown>>
> = {
  "session": (server) => server.arrived("DELETE"),
  "HTTP+SSE": (_, call) => call.gone,
  "stdio": (_, call) => call.gone,
  "modern": (_, call) => call.gone,
  "modern stdio": (server) => server.arrived("notifications/cancelled"),
};

/** How it hears that a client of 2026-07-28 does not want the answer any more. */
const hearsModern = (kind: ServerKind) =>
  kind === "modern"
    ? HEARS.modern
    : (server: peers.PeerServer) => server.arrived("notifications/cancelled");

for (const era of ["session", "modern"]) {
  for (const serverKind of SERVERS) {
    Deno.test(`R54 stdio client, ${era}, ${serverKind} server: the end of stdin ends what is under way`, async () => {
      await using server = PEER_SERVERS[serverKind]();
      const config = configSchema.parse({ routes: [{ path: "/mcp", upstream: server.upstream }] });
      const app = await openApp({ config });
      const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
      const front = new StdioFront({
        handler: app.handler,
        path: "/mcp",
        maxLineBytes: 65_536,
        maxMessageBytes: 65_536,
        json: { maxDepth: 32, maxBatchMessages: 8 },
        backOff: { attempts: 1, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 },
        clock: systemClock,
        logger: nullLogger,
        limits: { graceMs: 10 },
      }, { write: ({ length }) => Promise.resolve(length) });
      const over = front.run(readable, new Promise(() => {}));
      const writer = writable.getWriter();
      for (const line of SAYS[era]!) await writer.write(new TextEncoder().encode(`${line}\n`));
      const call = await server.call(0);
      await writer.close();
      await (era === "modern" ? hearsModern(serverKind) : HEARS[serverKind])(server, call);
      await over;
      await app.close();
    });
  }
}
