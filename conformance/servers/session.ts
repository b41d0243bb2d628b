/**
 * A session-era MCP server (2025-03-26 to 2025-11-25) on the official v1 SDK: sessions, an event
 * store for resumption, and everything the official suite asks a server of that era for.
 */
import { type Server, WebStandardStreamableHTTPServerTransport } from "./sdk_v1.ts";
import { MemoryEventStore } from "./event_store.ts";
import { type FixtureOptions, type FixtureServer, runFixture, serveLoopback } from "./loopback.ts";
import { type OpenFixtureSession, sessionApp } from "./session_app.ts";
import { createSessionServer } from "./session_server.ts";

export type { FixtureOptions, FixtureServer } from "./loopback.ts";

/** How long a client should wait before it comes back for a stream that was ended on purpose. */
const RETRY_MS = 500;

/** Starts a session-era MCP server on 127.0.0.1. */
export function startSessionServer(options: FixtureOptions = {}): FixtureServer {
  const servers = new Set<Server>();
  const open: OpenFixtureSession = async (hooks, ended) => {
    const server = createSessionServer(options, servers);
    servers.add(server);
    const transport = new WebStandardStreamableHTTPServerTransport({
      ...hooks,
      eventStore: new MemoryEventStore(),
      retryInterval: RETRY_MS,
    });
    server.onclose = () => {
      servers.delete(server);
      ended();
    };
    await server.connect(transport);
    return { transport, close: () => server.close() };
  };
  return serveLoopback(sessionApp(open, options), options);
}

if (import.meta.main) runFixture(startSessionServer);
