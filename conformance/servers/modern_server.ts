/** The 2026-07-28 fixture server itself, for whichever transport it is connected to. */
import { fromJsonSchema, McpServer, type ServerNotifier } from "@modelcontextprotocol/server";
import type { FixtureOptions } from "./loopback.ts";
import { registerPrompts, registerResources } from "./modern_catalog.ts";
import { inputTools, type StateCodec } from "./modern_input_tools.ts";
import { type JsonSchema, MODERN_TOOLS, type ModernTool } from "./modern_tools.ts";

const NO_ARGUMENTS: JsonSchema = { type: "object", properties: {} };
const LIST_HINT = { ttlMs: 30_000, cacheScope: "public" } as const;

/** What a server of this era is made with. */
export interface ModernServerOptions extends Pick<FixtureOptions, "observe"> {
  readonly name: string;
  readonly codec: StateCodec;
  /** Tells whoever listens about changes. */
  readonly notify: ServerNotifier;
  /** Tools beside those of every such server. */
  readonly tools?: Readonly<Record<string, ModernTool>>;
}

/** A server with everything it offers, not yet connected. */
export function createModernServer(options: ModernServerOptions): McpServer {
  const { name, codec, notify, observe } = options;
  const server = new McpServer({ name, version: "1.0.0" }, {
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
  const tools = { ...MODERN_TOOLS, ...inputTools(codec), ...options.tools };
  for (const [tool, { description, inputSchema = NO_ARGUMENTS, run }] of Object.entries(tools)) {
    server.registerTool(tool, {
      description,
      inputSchema: fromJsonSchema<Record<string, unknown>>(inputSchema),
    }, (args, ctx) => run({ args, ctx, notify, ...(observe && { observe }) }));
  }
  registerResources(server);
  registerPrompts(server);
  return server;
}
