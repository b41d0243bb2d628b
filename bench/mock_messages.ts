/** What both eras of the mock upstream have in common: its answers as text, and the call's result. Pure. */

/** Longest service time a caller may ask for. */
export const MAX_SERVICE_MS = 10_000;

/**
 * A whole HTTP answer after a delay, an event stream, one event in chunks of one byte, events without
 * end, or a stream that says one thing and is silent.
 */
export type MockAnswer =
  | { readonly kind: "whole"; readonly message: string; readonly delayMs: number }
  | {
    readonly kind: "stream";
    readonly id: unknown;
    readonly events: number;
    readonly writeBytes: number;
  }
  | { readonly kind: "drip"; readonly id: unknown; readonly eventBytes: number }
  | { readonly kind: "endless" }
  | { readonly kind: "idle" };

/** A message of a client, of which nothing is sure. */
export interface RpcRequest {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: {
    readonly name?: unknown;
    readonly protocolVersion?: unknown;
    readonly _meta?: Readonly<Record<string, unknown>>;
    readonly arguments?: {
      readonly serviceMs?: unknown;
      readonly events?: unknown;
      readonly writeBytes?: unknown;
      readonly eventBytes?: unknown;
    };
  };
}

/** A JSON-RPC error. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** Who the mock says that it is. */
export const SERVER = { name: "switchyard-bench-mock", version: "1" };

/** Filler that brings the answer of a call to some 300 bytes. */
const CALL_TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(5).trim();

/** The result of a call. */
export const CALL_RESULT = { content: [{ type: "text", text: CALL_TEXT }], isError: false };

/** A tool in a list. */
export function toolNamed(name: string) {
  return { name, inputSchema: { type: "object" } };
}

/** A number from 0 to `most`: what was asked for, or 0 where that is none. */
export function bounded(value: unknown, most: number): number {
  return typeof value === "number" && value >= 0 ? Math.min(value, most) : 0;
}

/** The answer to a request that went well. */
export function result(id: unknown, value: unknown, delayMs = 0, fields = ""): MockAnswer {
  return json({ jsonrpc: "2.0", id, result: value }, { delayMs, fields });
}

/** The answer to a request that did not; its status line says so only in the modern era. */
export function failure(id: unknown, error: RpcError, status?: string): MockAnswer {
  return json({ jsonrpc: "2.0", id, error }, status === undefined ? {} : { status });
}

/** An answer of JSON. */
export function json(
  value: unknown,
  { status = "200 OK", delayMs = 0, fields = "" } = {},
): MockAnswer {
  const body = JSON.stringify(value);
  // Every body is ASCII, so its length in characters is its length in bytes.
  return {
    kind: "whole",
    message: `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n` +
      `${fields}content-length: ${body.length}\r\n\r\n${body}`,
    delayMs,
  };
}

/** An answer without a body. */
export function whole(status: number, reason: string, fields = ""): MockAnswer {
  const length = status === 204 ? "" : "content-length: 0\r\n";
  return {
    kind: "whole",
    message: `HTTP/1.1 ${status} ${reason}\r\n${fields}${length}\r\n`,
    delayMs: 0,
  };
}
