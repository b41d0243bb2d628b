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
import { at, type HeaderParam, headerParams, mirroredValues, readBody } from "../rpc/mod.ts";
import { messagesOf } from "./answer_reader.ts";
import type { FieldList } from "./caller.ts";

/** `HeaderMismatch`. */
const MISMATCH = -32020;
/** Tools with such arguments that are remembered; beyond it the first one learned goes. */
const MAX_TOOLS = 1_000;
/** Pages of the list of tools that are asked for by ourselves. */
const MAX_PAGES = 32;

/** Asks for a page of the list of tools, on behalf of a call. */
export type ListTools = (
  call: Message,
  cursor: string | undefined,
  signal: AbortSignal,
) => Promise<unknown>;

/** What is known of the tools of a server. */
export class ParamFields {
  readonly #tools = new Map<string, readonly HeaderParam[]>();
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
    const mirrored = mirroredValues(this.#tools.get(params.name) ?? [], params.arguments);
    return mirrored.flatMap(([field, value]) => [field, encodeHeaderValue(value)]);
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
      const mirrored = headerParams(at(tool, "inputSchema"));
      // A definition that is not valid has none: the server will say what it wants.
      if (typeof mirrored === "string" || mirrored.length === 0) continue;
      this.#tools.set(name, mirrored);
      if (this.#tools.size > MAX_TOOLS) this.#tools.delete(this.#tools.keys().next().value!);
    }
  }
}
