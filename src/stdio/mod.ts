/**
 * The front for clients that launch the proxy as a program: their messages come on stdin as lines, and become
 * requests of the handler in this process, without a socket.
 *
 * Towards the handler it is a client of Streamable HTTP: `stdio_front.ts` takes the lines and counts what is
 * under way, `asking.ts` is one request, `client_session.ts` the session, `listening.ts` its GET stream,
 * `caller.ts` makes requests of them, `fields.ts` and `param_fields.ts` their header fields, `answer_reader.ts`
 * reads the answers. `input.ts` and `output.ts` are the lines.
 *
 * May import `channel` (for lines), `clock.ts`, `era`, `errors.ts`, `http`, `json`, `relay` (for the back-off),
 * `rpc`, `sse` and `telemetry`.
 *
 * @module
 */

export { DEFAULT_STDIO_LIMITS, StdioFront } from "./stdio_front.ts";
export type { StdioFrontOptions, StdioLimits } from "./options.ts";
export type { LineWriter } from "./output.ts";
