/**
 * Arguments of tools that stand in header fields too: which ones, learned from the tools that the server lists.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Custom Headers from Tool Parameters".
 *
 * @module
 */

import { encodeHeaderValue } from "../era/mod.ts";
import type { ClientAnswer } from "../http/mod.ts";
import type { Message } from "../json/mod.ts";
import { at, isRecord, readBody } from "../rpc/mod.ts";
import { messagesOf } from "./answer_reader.ts";
import type { FieldList } from "./caller.ts";

/** `HeaderMismatch`. */
const MISMATCH = -32020;
/** Tools with such arguments that are remembered; beyond it the first one learned goes. */
const MAX_TOOLS = 1_000;
/** Arguments of one tool. */
const MAX_PARAMS = 64;
/** Pages of the list of tools that are asked for by ourselves. */
const MAX_PAGES = 32;

/** One argument that is mirrored. */
interface Mirrored {
  /** The name of the field, in lower case. */
  readonly field: string;
  /** Where the argument stands among them. */
  readonly path: readonly string[];
}

/** Asks for a page of the list of tools, on behalf of a call. */
export type ListTools = (
  call: Message,
  cursor: string | undefined,
  signal: AbortSignal,
) => Promise<unknown>;

/** What is known of the tools of a server. */
export class ParamFields {
  readonly #tools = new Map<string, readonly Mirrored[]>();
  readonly #list: ListTools;
  readonly #maxBytes: number;

  /** Nothing is known yet; `list` gives a result of `tools/list`, `maxBytes` bounds an answer. */
  constructor(list: ListTools, maxBytes: number) {
    this.#list = list;
    this.#maxBytes = maxBytes;
  }

  /** The fields of a message: none unless it calls a tool that is known to have some. */
  of({ method, params }: Message): FieldList {
    if (method !== "tools/call" || typeof params?.name !== "string") return [];
    const mirrored = this.#tools.get(params.name) ?? [];
    return mirrored.flatMap(({ field, path }) => {
      const value = valueOf(at(params.arguments, ...path));
      return value === undefined ? [] : [field, encodeHeaderValue(value)];
    });
  }

  /** Learns from the result of a message. */
  learn({ method }: Message, result: unknown): void {
    if (method === "tools/list") this.#learnTools(result);
  }

  /**
   * The answer to a call, which is sent again where the server had missed fields: it has not run then. An
   * answer that says something else is handed back.
   */
  async corrected(
    refusal: ClientAnswer,
    call: Message,
    post: (fields: FieldList) => Promise<ClientAnswer>,
    signal: AbortSignal,
  ): Promise<ClientAnswer> {
    let text = "";
    const place = { lastEventId: undefined, retryMs: undefined };
    for await (const message of messagesOf(refusal, place, this.#maxBytes)) text = message;
    const [message] = readBody(text)?.messages ?? [];
    const kept: ClientAnswer = { ...refusal, body: new TextEncoder().encode(text) };
    if (at(message?.value, "error", "code") !== MISMATCH) return kept;
    const before = this.of(call);
    await this.#refresh(call, signal);
    const after = this.of(call);
    return before.join("\n") === after.join("\n") ? kept : await post(after);
  }

  async #refresh(call: Message, signal: AbortSignal): Promise<void> {
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const result = await this.#list(call, cursor, signal);
      this.#learnTools(result);
      const next = at(result, "nextCursor");
      if (typeof next !== "string") return;
      cursor = next;
    }
  }

  #learnTools(result: unknown): void {
    const tools = at(result, "tools");
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      const name = at(tool, "name");
      if (typeof name !== "string") continue;
      this.#tools.delete(name);
      const mirrored = mirroredIn(at(tool, "inputSchema"));
      if (mirrored.length === 0) continue;
      this.#tools.set(name, mirrored);
      if (this.#tools.size > MAX_TOOLS) this.#tools.delete(this.#tools.keys().next().value!);
    }
  }
}

/** Annotated properties that chains of `properties` alone lead to. */
function mirroredIn(schema: unknown): Mirrored[] {
  const found: Mirrored[] = [];
  const open: { schema: unknown; path: readonly string[] }[] = [{ schema, path: [] }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const properties = at(next.schema, "properties");
    if (!isRecord(properties)) continue;
    for (const [key, property] of Object.entries(properties)) {
      const path = [...next.path, key];
      const name = at(property, "x-mcp-header");
      if (typeof name === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
        found.push({ field: `mcp-param-${name.toLowerCase()}`, path });
        if (found.length === MAX_PARAMS) return found;
      }
      open.push({ schema: property, path });
    }
  }
  return found;
}

/** "Value Encoding": strings, whole numbers and truth values; nothing else is mirrored. */
function valueOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "boolean" || Number.isSafeInteger(value) ? `${value}` : undefined;
}
