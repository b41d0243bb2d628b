/**
 * A 2026-07-28 MCP server on the official v2 SDK: no sessions, a fresh server per request, input
 * asked for with input_required, and everything the official suite asks a server of that era for.
 */
import {
  createMcpHandler,
  fromJsonSchema,
  McpServer,
  type ServerNotifier,
} from "@modelcontextprotocol/server";
import {
  type FixtureApp,
  type FixtureOptions,
  type FixtureServer,
  runFixture,
  serveLoopback,
} from "./loopback.ts";
import { registerPrompts, registerResources } from "./modern_catalog.ts";
import { createStateCodec, inputTools, type StateCodec } from "./modern_input_tools.ts";
import { type JsonSchema, MODERN_TOOLS } from "./modern_tools.ts";

export type { FixtureOptions, FixtureServer } from "./loopback.ts";

const NO_ARGUMENTS: JsonSchema = { type: "object", properties: {} };
const LIST_HINT = { ttlMs: 30_000, cacheScope: "public" } as const;

/** Starts a 2026-07-28 MCP server on 127.0.0.1. */
export function startModernServer(options: FixtureOptions = {}): FixtureServer {
  return serveLoopback(modernApp(), options);
}

function modernApp(): FixtureApp {
  const codec = createStateCodec();
  const handler = createMcpHandler(() => createServer(codec, handler.notify), {
    legacy: "reject",
  });
  return { handle: (request) => handler.fetch(request), close: () => handler.close() };
}

/** A server of 2026-07-28 with all that there is to test; `notify` tells of changes. */
export function createServer(codec: StateCodec, notify: ServerNotifier): McpServer {
  const server = new McpServer({ name: "switchyard-modern-fixture", version: "1.0.0" }, {
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
      completions: {},
    },
    instructions: "A server to test proxies and clients with.",
    cacheHints: {
      "server/discover": LIST_HINT,
      "tools/list": LIST_HINT,
      "prompts/list": LIST_HINT,
      "resources/list": LIST_HINT,
      "resources/templates/list": LIST_HINT,
    },
    requestState: { verify: codec.verify },
  });
  const tools = { ...MODERN_TOOLS, ...inputTools(codec) };
  for (const [name, { description, inputSchema = NO_ARGUMENTS, run }] of Object.entries(tools)) {
    server.registerTool(name, {
      description,
      inputSchema: fromJsonSchema<Record<string, unknown>>(inputSchema),
    }, (args, ctx) => run({ args, ctx, notify }));
  }
  registerResources(server);
  registerPrompts(server);
  return server;
}

if (import.meta.main) runFixture(startModernServer);
