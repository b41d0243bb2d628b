/** The tools of the 2026-07-28 fixture server that answer in one round, as one table. */
import {
  type CallToolResult,
  fromJsonSchema,
  type InputRequiredResult,
  type ServerContext,
  type ServerNotifier,
} from "@modelcontextprotocol/server";
import { delay, type FixtureOptions } from "./loopback.ts";
import { audio, embedded, image, mixedContent, RICH_SCHEMA, text } from "./samples.ts";

/** The schema type the SDK takes for a JSON Schema. */
export type JsonSchema = Parameters<typeof fromJsonSchema>[0];

/** A call of a tool: its arguments, its request, and the way to tell about changes. */
export interface ToolCall {
  readonly args: Record<string, unknown>;
  readonly ctx: ServerContext;
  readonly notify: ServerNotifier;
  readonly observe?: FixtureOptions["observe"];
}

/** What a tool answers: its result, or the question it has to ask first. */
export type ToolAnswer = CallToolResult | InputRequiredResult;

/** One row of a table of tools. */
export interface ModernTool {
  readonly description: string;
  readonly inputSchema?: JsonSchema;
  readonly run: (call: ToolCall) => ToolAnswer | Promise<ToolAnswer>;
}

/** The client repeats this argument in the header Mcp-Param-Region. */
const REGION = { type: "string" as const, "x-mcp-header": "Region" };

const STEP_MS = 20;
const MAX_WAIT_MS = 60_000;

/** A result of one text. */
export function textResult(value: string): CallToolResult {
  return { content: [text(value)] };
}

/** A tool without arguments that answers the same every time. */
function fixed(description: string, content: CallToolResult["content"]): ModernTool {
  return { description, run: () => ({ content }) };
}

/** Reports 0, 50 and 100 of 100, if the caller asked for progress. */
async function reportProgress({ ctx }: ToolCall): Promise<CallToolResult> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  for (const progress of [0, 50, 100]) {
    if (progressToken !== undefined) {
      await ctx.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100, message: `${progress} of 100` },
      });
    }
    await delay(STEP_MS, ctx.mcpReq.signal);
  }
  return textResult("All steps are done.");
}

async function logThreeLines({ ctx }: ToolCall): Promise<CallToolResult> {
  for (const data of ["first line", "second line", "third line"]) {
    await ctx.mcpReq.log("info", data, "modern-fixture");
    await delay(STEP_MS, ctx.mcpReq.signal);
  }
  return textResult("Three lines were logged, if the request asked for lines.");
}

/** Logs one line, which the SDK holds back unless the request named a log level. */
async function logOneLine({ ctx }: ToolCall): Promise<CallToolResult> {
  await ctx.mcpReq.log("info", "one line", "modern-fixture");
  return textResult("One line was logged, if the request asked for lines.");
}

/** Says with its first progress that it has begun. */
async function wait({ args, ctx, observe }: ToolCall): Promise<CallToolResult> {
  const ms = Math.min(Number(args["ms"] ?? 0), MAX_WAIT_MS);
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken !== undefined) {
    const params = { progressToken, progress: 0, total: 1 };
    await ctx.mcpReq.notify({ method: "notifications/progress", params });
  }
  try {
    await delay(ms, ctx.mcpReq.signal);
  } catch (error) {
    observe?.("cancelled");
    throw error;
  }
  return textResult(`Waited ${ms} ms.`);
}

/** Says that something changed, to the open subscriptions/listen streams. */
function change(description: string, publish: (notify: ServerNotifier) => void): ModernTool {
  return {
    description,
    run: ({ notify }) => {
      publish(notify);
      return textResult("The change was published.");
    },
  };
}

/** The tools, by name, in the order they are listed. */
export const MODERN_TOOLS: Readonly<Record<string, ModernTool>> = {
  test_simple_text: fixed("Answers with a text", [text("A simple text.")]),
  test_image_content: fixed("Answers with an image", [image()]),
  test_audio_content: fixed("Answers with a sound", [audio()]),
  test_embedded_resource: fixed("Answers with a resource", [
    embedded("test://embedded-resource", "The content of the embedded resource."),
  ]),
  test_multiple_content_types: fixed("Answers with several kinds of content", mixedContent()),
  test_tool_with_progress: { description: "Reports progress while it runs", run: reportProgress },
  test_tool_with_logging: { description: "Logs while it runs", run: logThreeLines },
  test_logging_tool: { description: "Logs while it runs", run: logOneLine },
  test_error_handling: {
    description: "Always fails",
    run: () => ({ ...textResult("This tool fails on purpose."), isError: true }),
  },
  json_schema_2020_12_tool: {
    description: "Has an input schema with everything JSON Schema 2020-12 offers",
    inputSchema: RICH_SCHEMA,
    run: ({ args }) => textResult(JSON.stringify(args)),
  },
  test_x_mcp_header: {
    description: "Has arguments that the client repeats in Mcp-Param headers",
    inputSchema: { type: "object", properties: { region: REGION, level: { type: "integer" } } },
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
  test_trigger_tool_change: change("Says that the tools changed", (n) => n.toolsChanged()),
  test_trigger_prompt_change: change("Says that the prompts changed", (n) => n.promptsChanged()),
  test_change_lists: change("Says that every list changed", (n) => {
    n.toolsChanged();
    n.promptsChanged();
    n.resourcesChanged();
  }),
  test_touch_watched_resource: change(
    "Says that test://watched-resource changed",
    (n) => n.resourceUpdated("test://watched-resource"),
  ),
};
