/** The tools of the session-era fixture server, as one table. */
import {
  type CallToolResult,
  CreateMessageResultSchema,
  type ElicitRequestFormParams,
  ElicitResultSchema,
  ErrorCode,
  McpError,
  type RequestHandlerExtra,
  type ServerNotification,
  type ServerRequest,
  type Tool,
} from "./sdk_v1.ts";
import { delay } from "./loopback.ts";
import {
  audio,
  DEFAULTS_FORM,
  embedded,
  ENUMS_FORM,
  image,
  mixedContent,
  RICH_SCHEMA,
  text,
  textForm,
} from "./samples.ts";
import type { SessionState } from "./session_state.ts";

/** What the SDK hands to a request handler. */
export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** A call of a tool: its arguments, its request and its session. */
interface ToolCall {
  readonly args: Record<string, unknown>;
  readonly extra: Extra;
  readonly session: SessionState;
}

interface SessionTool {
  readonly description: string;
  readonly inputSchema: Tool["inputSchema"];
  readonly run: (call: ToolCall) => CallToolResult | Promise<CallToolResult>;
}

const NO_ARGUMENTS = { type: "object" as const, properties: {} };
const STEP_MS = 20;
const RECONNECT_MS = 100;
const MAX_WAIT_MS = 60_000;

function textResult(value: string): CallToolResult {
  return { content: [text(value)] };
}

/** A tool without arguments that answers the same every time. */
function fixed(description: string, content: CallToolResult["content"]): SessionTool {
  return { description, inputSchema: NO_ARGUMENTS, run: () => ({ content }) };
}

/** A tool without arguments that does something. */
function action(description: string, run: SessionTool["run"]): SessionTool {
  return { description, inputSchema: NO_ARGUMENTS, run };
}

function stringArgument(args: Record<string, unknown>, name: string): string {
  const value = args[name];
  if (typeof value === "string") return value;
  throw new McpError(ErrorCode.InvalidParams, `Argument ${name} must be a string`);
}

/** Logs three lines on the stream of the call, as far as the session's level lets them through. */
async function logThreeLines({ extra, session }: ToolCall): Promise<CallToolResult> {
  for (const data of ["first line", "second line", "third line"]) {
    if (session.logs("info")) {
      await extra.sendNotification({
        method: "notifications/message",
        params: { level: "info", logger: "session-fixture", data },
      });
    }
    await delay(STEP_MS, extra.signal);
  }
  return textResult("Three lines were logged.");
}

/** Reports 0, 50 and 100 of 100, if the caller asked for progress. */
async function reportProgress({ extra }: ToolCall): Promise<CallToolResult> {
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
async function dropStream({ extra }: ToolCall): Promise<CallToolResult> {
  extra.closeSSEStream?.();
  await delay(RECONNECT_MS, extra.signal);
  return textResult("The client came back for this result.");
}

async function sample({ args, extra }: ToolCall): Promise<CallToolResult> {
  const result = await extra.sendRequest({
    method: "sampling/createMessage",
    params: {
      messages: [{ role: "user", content: text(stringArgument(args, "prompt")) }],
      maxTokens: 100,
    },
  }, CreateMessageResultSchema);
  const block = Array.isArray(result.content) ? result.content[0] : result.content;
  return textResult(`The model said: ${block?.type === "text" ? block.text : "(no text)"}`);
}

async function elicit(
  { extra }: ToolCall,
  message: string,
  requestedSchema: ElicitRequestFormParams["requestedSchema"],
): Promise<CallToolResult> {
  const answer = await extra.sendRequest(
    { method: "elicitation/create", params: { message, requestedSchema } },
    ElicitResultSchema,
  );
  return textResult(`The user chose ${answer.action}: ${JSON.stringify(answer.content ?? {})}`);
}

async function wait({ args, extra }: ToolCall): Promise<CallToolResult> {
  const ms = Math.min(Number(args["ms"] ?? 0), MAX_WAIT_MS);
  await delay(ms, extra.signal);
  return textResult(`Waited ${ms} ms.`);
}

async function touchWatched({ session }: ToolCall): Promise<CallToolResult> {
  const uri = "test://watched-resource";
  await session.resourceChanged(uri);
  return textResult(`${uri} changed.`);
}

async function changeLists({ session }: ToolCall): Promise<CallToolResult> {
  await session.listsChanged();
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
  test_sampling: {
    description: "Asks the client's model",
    inputSchema: textForm("prompt"),
    run: sample,
  },
  test_elicitation: {
    description: "Asks the user",
    inputSchema: textForm("message"),
    run: (call) => elicit(call, stringArgument(call.args, "message"), textForm("response")),
  },
  test_elicitation_sep1034_defaults: action(
    "Asks the user with defaults filled in",
    (call) => elicit(call, "Are these values right?", DEFAULTS_FORM),
  ),
  test_elicitation_sep1330_enums: action(
    "Asks the user to choose in five ways",
    (call) => elicit(call, "Which do you take?", ENUMS_FORM),
  ),
  json_schema_2020_12_tool: {
    description: "Has an input schema with everything JSON Schema 2020-12 offers",
    inputSchema: RICH_SCHEMA,
    run: ({ args }) => textResult(JSON.stringify(args)),
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
export async function callSessionTool(name: string, call: ToolCall): Promise<CallToolResult> {
  const tool = Object.hasOwn(SESSION_TOOLS, name) ? SESSION_TOOLS[name] : undefined;
  if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, `Unknown tool ${name}`);
  try {
    return await tool.run(call);
  } catch (error) {
    if (error instanceof McpError && error.code === ErrorCode.InvalidParams) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { ...textResult(`${name} failed: ${reason}`), isError: true };
  }
}
