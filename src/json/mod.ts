/**
 * JSON-RPC as bytes: bounded parsing, the kind of each message, and the exact text of its id.
 *
 * Imports nothing of `src` but `errors.ts`.
 *
 * @module
 */

export { USUAL_METHODS } from "./ascii_text.ts";
export { type JsonLimits, type Message, type MessageKind, type ParsedBody } from "./message.ts";
export { parseBody } from "./message.ts";
export { methodForLog, ODD_METHOD } from "./method_name.ts";
export { MAX_KEPT_PARSED, Parsed } from "./parsed.ts";
export { elements, type Member, members, nestingWithin, type Span } from "./scan.ts";
export { metaOf } from "./usual_message.ts";
