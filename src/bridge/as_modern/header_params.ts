/**
 * Header fields that repeat arguments of tools, held against the arguments: towards modern clients the bridge
 * is the server, and servers of the session era know nothing of such fields. Which tools have them is learnt
 * from the lists of tools that go by, and asked for once where a call has such a field and no list had its tool.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Server Behavior for Custom Headers".
 *
 * @module
 */

import { decodeHeaderValue } from "../../era/mod.ts";
import { ProxyError } from "../../errors.ts";
import type { FieldReader } from "../../http/mod.ts";
import { at, type HeaderParam, headerParams, type RpcText, textAt } from "../../rpc/mod.ts";
import { BoundedTable } from "../bounded_table.ts";
import type { ClientRequest } from "./client_request.ts";
import type { Settings } from "./options.ts";

/** Asks the server for something; see `SessionWire.ask`. */
export type AskServer = (method: string, params: unknown) => Promise<RpcText>;

/** What is known of the tools that one kind of session can see. */
interface View {
  /** The mirrored parameters of each tool that a list had. */
  readonly tools: Map<string, readonly HeaderParam[]>;
  /** Whether the server was asked: a tool that is not there has no mirrored parameters then. */
  wasAsked: boolean;
}

const PREFIX = "mcp-param-";
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** What is known of header parameters, by kinds of sessions, whose members see the same tools. */
export class HeaderParams {
  readonly #settings: Settings;
  readonly #views: BoundedTable<View>;
  readonly #underWay = new Map<string, Promise<void>>();

  /** Nothing is known yet. */
  constructor(settings: Settings) {
    this.#settings = settings;
    this.#views = new BoundedTable(settings.bounds.maxToolLists);
  }

  /**
   * Checks the fields of a `tools/call` against its arguments, as far as its tool is known.
   *
   * @returns false where the server has to be asked first
   * @throws {ProxyError} `header_mismatch`
   */
  check(kind: string, request: ClientRequest, headers: FieldReader): boolean {
    const name = at(request.message.value, "params", "name");
    if (typeof name !== "string") return true;
    const view = this.#views.get(kind);
    const params = view?.tools.get(name);
    if (params === undefined) return view?.wasAsked === true || !hasAny(headers);
    for (const param of params) checkParam(param, request, headers);
    return true;
  }

  /** Asks for the list of tools, once for all who want it at a time. What goes wrong is told to nobody. */
  async learnFrom(kind: string, ask: AskServer): Promise<void> {
    let asking = this.#underWay.get(kind);
    if (asking === undefined) {
      asking = this.#askAll(kind, ask).finally(() => this.#underWay.delete(kind));
      this.#underWay.set(kind, asking);
    }
    await asking;
  }

  /** Learns from an answer to `tools/list`. */
  learn(kind: string, response: RpcText): void {
    const list = at(response.value, "result", "tools");
    if (!Array.isArray(list)) return;
    const { tools } = this.#viewOf(kind);
    for (const tool of list) {
      const name = at(tool, "name");
      const isFull = tools.size >= this.#settings.bounds.maxTools;
      if (typeof name !== "string" || (isFull && !tools.has(name))) continue;
      const params = headerParams(at(tool, "inputSchema"));
      // Clients leave out a tool whose annotations are not valid; who calls it all the same sends no fields.
      tools.set(name, typeof params === "string" ? [] : params);
    }
  }

  /** The tools have changed: what is known is not true any more. */
  forget(): void {
    this.#views.clear();
  }

  #viewOf(kind: string): View {
    const view = this.#views.get(kind) ?? { tools: new Map(), wasAsked: false };
    this.#views.set(kind, view);
    return view;
  }

  async #askAll(kind: string, ask: AskServer): Promise<void> {
    const { logger, bounds: { maxToolPages } } = this.#settings;
    try {
      let cursor: string | undefined;
      for (let page = 0; page < maxToolPages; page++) {
        const response = await ask("tools/list", cursor === undefined ? {} : { cursor });
        this.learn(kind, response);
        const next = at(response.value, "result", "nextCursor");
        if (typeof next !== "string") break;
        cursor = next;
      }
      this.#viewOf(kind).wasAsked = true;
    } catch (error) {
      // The call goes up unchecked, in the same session: it meets what went wrong, and says it.
      logger.debug("the tools of an upstream server could not be asked for", { error });
    }
  }
}

function hasAny(headers: FieldReader): boolean {
  let found = false;
  headers.forEach((_value, name) => found ||= name.startsWith(PREFIX));
  return found;
}

/** @throws {ProxyError} `header_mismatch` */
function checkParam(
  { field, path }: HeaderParam,
  { message, idText }: ClientRequest,
  headers: FieldReader,
): void {
  const place = ["params", "arguments", ...path];
  const value = at(message.value, ...place);
  const told = headers.get(field);
  const refuse = (problem: string) => {
    const sentence = `The ${field} header ${problem}; it must mirror ${
      place.join(".")
    } of the body.`;
    return new ProxyError("header_mismatch", sentence, { idText });
  };
  if (told === null) {
    if (isMirrored(value)) throw refuse("is missing");
    return;
  }
  const decoded = decodeHeaderValue(told);
  if (decoded === undefined) throw refuse("has invalid characters");
  if (!isSame(decoded, value, textAt(message, place))) throw refuse("does not match");
}

/** Whether a client has to repeat a value: numbers that are none of JavaScript's integers it must not. */
function isMirrored(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value);
}

/** Whether a field says what the body says; numbers are compared as such, where they are exact. */
function isSame(decoded: string, value: unknown, text: string | undefined): boolean {
  if (typeof value === "string") return decoded === value;
  if (typeof value === "boolean") return decoded === `${value}`;
  if (typeof value !== "number") return false;
  const isExact = Number.isSafeInteger(value) && NUMBER.test(decoded);
  return decoded === text || (isExact && Number(decoded) === value);
}
