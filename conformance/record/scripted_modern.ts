/**
 * The scripted client of 2026-07-28.
 *
 * @module
 */

import type { Conversation } from "./case.ts";
import { EventReader } from "./events.ts";
import { type Fields, layFields, type Params, POST_FIELDS, SCRIPTED } from "./scripted.ts";

/** The revision it speaks. */
export const MODERN = "2026-07-28";

/** A request of 2026-07-28; what is not given is as it has to be. */
export interface ModernRequest {
  readonly method: string;
  readonly params?: Params;
  readonly capabilities?: Params;
  /** The `_meta` of the request, where it is not to be the right one. */
  readonly meta?: Params;
  /** Header fields that are to be other ones. */
  readonly fields?: Fields;
}

/** Which of the params the field Mcp-Name repeats, for the methods that have it. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/** Speaks 2026-07-28 by hand. */
export class ScriptedModern {
  #id = 0;

  /** What a conversation gets. */
  constructor(
    readonly url: string,
    readonly signal: AbortSignal,
    readonly server: Parameters<Conversation>[2],
  ) {}

  /** Sends any HTTP request. */
  send(verb: string, fields: Fields, body: string | null = null): Promise<Response> {
    return fetch(this.url, { method: verb, headers: layFields(fields), body, signal: this.signal });
  }

  /** Sends a request and gives its answer as soon as the head is there. */
  request(request: ModernRequest): Promise<Response> {
    const { method, params = {} } = request;
    const _meta = request.meta ?? {
      "io.modelcontextprotocol/protocolVersion": MODERN,
      "io.modelcontextprotocol/clientInfo": SCRIPTED,
      "io.modelcontextprotocol/clientCapabilities": request.capabilities ?? {},
    };
    const name = params[NAMED_BY[method] ?? ""];
    const fields = {
      ...POST_FIELDS,
      "mcp-protocol-version": MODERN,
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": name }),
      ...request.fields,
    };
    const id = ++this.#id;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } });
    return this.send("POST", fields, body);
  }

  /** Sends a request and gives the events of its answer. */
  async stream(request: ModernRequest): Promise<EventReader> {
    return new EventReader(await this.request(request));
  }
}

/** A conversation of a scripted client of 2026-07-28. */
export function scriptedModern(talk: (client: ScriptedModern) => Promise<unknown>): Conversation {
  return async (...given) => void await talk(new ScriptedModern(...given));
}
