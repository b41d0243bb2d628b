/** The server of the smaller session-era fixtures: a few tools, no state. */
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  Server,
  type Tool,
} from "./sdk_v1.ts";
import { text } from "./samples.ts";
import { SessionPeers, SessionState } from "./session_state.ts";
import { callSessionTool, listSessionTools } from "./session_tools.ts";

/** The tools that need neither an event store nor resources. */
const SHARED_TOOLS: readonly string[] = [
  "test_simple_text",
  "test_tool_with_logging",
  "test_tool_with_progress",
  "test_error_handling",
  "test_sampling",
  "test_elicitation",
  "test_echo",
  "test_wait",
];

interface OwnTool {
  readonly description: string;
  readonly run: (server: Server) => CallToolResult | Promise<CallToolResult>;
}

/** The tools that only these servers have; none takes arguments. */
const OWN_TOOLS: Readonly<Record<string, OwnTool>> = {
  test_change_tools: {
    description: "Says that the tools changed",
    run: async (server) => {
      await server.sendToolListChanged();
      return { content: [text("The tools changed.")] };
    },
  },
  test_large_text: {
    description: "Answers with a text of 30 KiB",
    run: () => ({ content: [text(largeText())] }),
  },
};

const LARGE_TEXT_BYTES = 30 * 1024;
const LINE_BYTES = 64;

/** 30 KiB in numbered lines, so that a gap or a repetition shows. */
function largeText(): string {
  return Array.from({ length: LARGE_TEXT_BYTES / LINE_BYTES }, (_, index) => {
    const start = `Line ${String(index + 1).padStart(3, "0")} `;
    return `${start.padEnd(LINE_BYTES - 1, "weft and warp, ")}\n`;
  }).join("");
}

function listTools(): Tool[] {
  const inputSchema = { type: "object" as const, properties: {} };
  return [
    ...listSessionTools().filter(({ name }) => SHARED_TOOLS.includes(name)),
    ...Object.entries(OWN_TOOLS).map(([name, { description }]) => ({
      name,
      description,
      inputSchema,
    })),
  ];
}

/** An MCP server with a few tools, not yet connected. */
export function createPlainServer(name: string): Server {
  const server = new Server({ name, version: "1.0.0" }, {
    capabilities: { tools: { listChanged: true }, logging: {} },
  });
  const session = new SessionState({
    notify: (notification) => server.notification(notification),
  }, new SessionPeers());
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: listTools() }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const own = Object.hasOwn(OWN_TOOLS, params.name) ? OWN_TOOLS[params.name] : undefined;
    if (own !== undefined) return own.run(server);
    return callSessionTool(params.name, { args: params.arguments ?? {}, extra, session });
  });
  return server;
}
