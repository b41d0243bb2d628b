/**
 * A 2026-07-28 MCP server on the official v2 SDK: no sessions, a fresh server per request, input
 * asked for with input_required, and everything the official suite asks a server of that era for.
 */
import { createMcpHandler } from "@modelcontextprotocol/server";
import {
  type FixtureApp,
  type FixtureOptions,
  type FixtureServer,
  runFixture,
  serveLoopback,
} from "./loopback.ts";
import { createStateCodec } from "./modern_input_tools.ts";
import { createModernServer, type ModernServerOptions } from "./modern_server.ts";

export type { FixtureOptions, FixtureServer } from "./loopback.ts";

/** Starts a 2026-07-28 MCP server on 127.0.0.1. */
export function startModernServer(options: FixtureOptions = {}): FixtureServer {
  return serveLoopback(modernApp(options, { name: "switchyard-modern-fixture" }), options);
}

/** Serves 2026-07-28, and nothing older. */
export function modernApp(
  { observe }: Pick<FixtureOptions, "observe">,
  server: Pick<ModernServerOptions, "name" | "tools">,
): FixtureApp {
  const codec = createStateCodec();
  const handler = createMcpHandler(
    () =>
      createModernServer({ ...server, ...(observe && { observe }), codec, notify: handler.notify }),
    { legacy: "reject" },
  );
  return {
    handle: async (request) => {
      const response = await handler.fetch(request);
      const listens = request.headers.get("mcp-method") === "subscriptions/listen";
      if (listens && response.ok) observe?.("listening");
      return response;
    },
    close: () => handler.close(),
  };
}

if (import.meta.main) runFixture(startModernServer);
