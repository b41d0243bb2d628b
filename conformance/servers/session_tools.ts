/** The tools of the session-era fixture server, as one table. */
import { type CallToolResult, ErrorCode, McpError, type Tool } from "./sdk_v1.ts";
import { delay } from "./loopback.ts";
import { audio, embedded, image, mixedContent, RICH_SCHEMA, text } from "./samples.ts";
import { SESSION_INPUT_TOOLS } from "./session_input_tools.ts";
import { action, fixed, type SessionCall, type SessionTool, textResult } from "./session_tool.ts";

const STEP_MS = 20;
const RECONNECT_MS = 100;
const MAX_WAIT_MS = 60_000;

/** The errors of a tool that are errors of the call; all others are a tool's result. */
const PROTOCOL_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.InvalidParams,
  ErrorCode.UrlElicitationRequired,
]);

/** Logs a line on the stream of the call, if the session's level lets it through. */
async function log({ extra, session }: SessionCall, data: string): Promise<void> {
  if (!session.logs("info")) return;
  const params = { level: "info" as const, logger: "session-fixture", data };
  await extra.sendNotification({ method: "notifications/message", params });
}

async function logOneLine(call: SessionCall): Promise<CallToolResult> {
  await log(call, "one line");
  return textResult("One line was logged, if the session asked for lines.");
}

async function logThreeLines(call: SessionCall): Promise<CallToolResult> {
  for (const data of ["first line", "second line", "third line"]) {
    await log(call, data);
    await delay(STEP_MS, call.extra.signal);
  }
  return textResult("Three lines were logged.");
}

/** Reports 0, 50 and 100 of 100, if the caller asked for progress. */
async function reportProgress({ extra }: SessionCall): Promise<CallToolResult> {
  const progressToken = extra._meta?.progressToken;
  for (const progress of [0, 50, 100]) {
    if (progressToken !== undefined) {
      await extra.sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100, message: `${progress} of 100` },
      });
    }
    await delay(STEP_MS, extra.signal);
  }
  return textResult("All steps are done.");
}

/** Ends the stream of its own call, so that the client must come back for the result. */
async function dropStream({ extra }: SessionCall): Promise<CallToolResult> {
  extra.closeSSEStream?.();
  await delay(RECONNECT_MS, extra.signal);
  return textResult("The client came back for this result.");
}

/** Says with its first progress that it has begun. */
async function wait({ args, extra, session }: SessionCall): Promise<CallToolResult> {
  const ms = Math.min(Number(args["ms"] ?? 0), MAX_WAIT_MS);
  const progressToken = extra._meta?.progressToken;
  if (progressToken !== undefined) {
    const params = { progressToken, progress: 0, total: 1 };
    await extra.sendNotification({ method: "notifications/progress", params });
  }
  try {
    await delay(ms, extra.signal);
  } catch (error) {
    session.cancelled();
    throw error;
  }
  return textResult(`Waited ${ms} ms.`);
}

async function touchWatched({ session }: SessionCall): Promise<CallToolResult> {
  const uri = "test://watched-resource";
  await session.peers.each((peer) => peer.resourceChanged(uri));
  return textResult(`${uri} changed.`);
}

async function changeLists({ session }: SessionCall): Promise<CallToolResult> {
  await session.peers.each((peer) => peer.listsChanged());
  return textResult("Every list changed.");
}

/** The tools, by name, in the order they are listed. */
export const SESSION_TOOLS: Readonly<Record<string, SessionTool>> = {
  test_simple_text: fixed("Answers with a text", [text("A simple text.")]),
  test_image_content: fixed("Answers with an image", [image()]),
  test_audio_content: fixed("Answers with a sound", [audio()]),
  test_embedded_resource: fixed("Answers with a resource", [
    embedded("test://embedded-resource", "The content of the embedded resource."),
  ]),
  test_multiple_content_types: fixed("Answers with several kinds of content", mixedContent()),
  test_tool_with_logging: action("Logs while it runs", logThreeLines),
  test_tool_with_progress: action("Reports progress while it runs", reportProgress),
  test_error_handling: action("Always fails", () => ({
    content: [text("This tool fails on purpose.")],
    isError: true,
  })),
  test_reconnection: action("Ends its stream before it answers", dropStream),
  ...SESSION_INPUT_TOOLS,
  json_schema_2020_12_tool: {
    description: "Has an input schema with everything JSON Schema 2020-12 offers",
    inputSchema: RICH_SCHEMA,
    run: ({ args }) => textResult(JSON.stringify(args)),
  },
  test_logging_tool: action("Logs while it runs", logOneLine),
  test_x_mcp_header: {
    description: "Has arguments that a client of 2026-07-28 repeats in Mcp-Param headers",
    inputSchema: {
      type: "object",
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        level: { type: "integer" },
      },
    },
    run: ({ args }) => textResult(`Region ${args["region"] ?? "none"}.`),
  },
  test_echo: {
    description: "Answers with its arguments, as text and as structured content",
    inputSchema: { type: "object" },
    run: ({ args }) => ({ ...textResult(JSON.stringify(args)), structuredContent: args }),
  },
  test_wait: {
    description: "Answers after `ms` milliseconds, or stops when it is cancelled",
    inputSchema: { type: "object", properties: { ms: { type: "integer", minimum: 0 } } },
    run: wait,
  },
  test_touch_watched_resource: action("Changes test://watched-resource", touchWatched),
  test_change_lists: action("Says that the lists changed", changeLists),
  test_trigger_tool_change: action("Says that the tools changed", async ({ session }) => {
    await session.peers.each((peer) => peer.listsChanged("tools"));
    return textResult("The change was published.");
  }),
  test_trigger_prompt_change: action("Says that the prompts changed", async ({ session }) => {
    await session.peers.each((peer) => peer.listsChanged("prompts"));
    return textResult("The change was published.");
  }),
};

/** The tools as tools/list shows them. */
export function listSessionTools(): Tool[] {
  return Object.entries(SESSION_TOOLS).map(([name, { description, inputSchema }]) => ({
    name,
    description,
    inputSchema,
  }));
}

/** Runs one tool; a tool that throws answers with an error result, an unknown one with -32602. */
export async function callSessionTool(name: string, call: SessionCall): Promise<CallToolResult> {
  const tool = Object.hasOwn(SESSION_TOOLS, name) ? SESSION_TOOLS[name] : undefined;
  if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, `Unknown tool ${name}`);
  try {
    return await tool.run(call);
  } catch (error) {
    if (error instanceof McpError && PROTOCOL_ERRORS.has(error.code)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { ...textResult(`${name} failed: ${reason}`), isError: true };
  }
}
