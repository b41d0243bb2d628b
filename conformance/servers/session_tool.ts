/** What a tool of the session-era fixture server is, and what many of them are made of. */
import {
  type CallToolResult,
  ErrorCode,
  McpError,
  type RequestHandlerExtra,
  type ServerNotification,
  type ServerRequest,
  type Tool,
} from "./sdk_v1.ts";
import { text } from "./samples.ts";
import type { SessionState } from "./session_state.ts";

/** What the SDK hands to a request handler. */
export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** A call of a tool or a prompt: its arguments, its request and its session. */
export interface SessionCall {
  readonly args: Record<string, unknown>;
  readonly extra: Extra;
  readonly session: SessionState;
}

/** One row of a table of tools. */
export interface SessionTool {
  readonly description: string;
  readonly inputSchema: Tool["inputSchema"];
  readonly run: (call: SessionCall) => CallToolResult | Promise<CallToolResult>;
}

const NO_ARGUMENTS = { type: "object" as const, properties: {} };

/** A result of one text. */
export function textResult(value: string): CallToolResult {
  return { content: [text(value)] };
}

/** A tool without arguments that answers the same every time. */
export function fixed(description: string, content: CallToolResult["content"]): SessionTool {
  return { description, inputSchema: NO_ARGUMENTS, run: () => ({ content }) };
}

/** A tool without arguments that does something. */
export function action(description: string, run: SessionTool["run"]): SessionTool {
  return { description, inputSchema: NO_ARGUMENTS, run };
}

/** An argument that must be a string. @throws {McpError} if it is none */
export function stringArgument(args: Record<string, unknown>, name: string): string {
  const value = args[name];
  if (typeof value === "string") return value;
  throw new McpError(ErrorCode.InvalidParams, `Argument ${name} must be a string`);
}
