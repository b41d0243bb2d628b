/**
 * A session-era MCP server (2025-03-26 to 2025-11-25) on the official v1 SDK: sessions, an event
 * store for resumption, and everything the official suite asks a server of that era for.
 */
import { WebStandardStreamableHTTPServerTransport } from "./sdk_v1.ts";
import { MemoryEventStore } from "./event_store.ts";
import { type FixtureOptions, type FixtureServer, runFixture, serveLoopback } from "./loopback.ts";
import { type OpenFixtureSession, sessionApp } from "./session_app.ts";
import { createSessionServer } from "./session_server.ts";
import { SessionPeers } from "./session_state.ts";

export type { FixtureOptions, FixtureServer } from "./loopback.ts";

/** How long a client should wait before it comes back for a stream that was ended on purpose. */
const RETRY_MS = 500;

/** Starts a session-era MCP server on 127.0.0.1. */
export function startSessionServer(options: FixtureOptions = {}): FixtureServer {
  const peers = new SessionPeers();
  const open: OpenFixtureSession = async (hooks, ended) => {
    const server = createSessionServer(options, peers);
    const transport = new WebStandardStreamableHTTPServerTransport({
      ...hooks,
      eventStore: new MemoryEventStore(),
      retryInterval: RETRY_MS,
    });
    const leave = server.onclose;
    server.onclose = () => {
      leave?.();
      ended();
    };
    await server.connect(transport);
    return { transport, close: () => server.close() };
  };
  return serveLoopback(sessionApp(open, options), options);
}

if (import.meta.main) runFixture(startSessionServer);
