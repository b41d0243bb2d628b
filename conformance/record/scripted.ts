/**
 * The scripted client: it sends what an official client cannot be brought to send, and is as
 * careful as one with everything else. Its clientInfo says what it is.
 *
 * @module
 */

import type { Revision } from "../../fixtures/format/mod.ts";
import type { Conversation } from "./case.ts";
import { EventReader } from "./events.ts";

/** The clientInfo of all scripted clients. */
export const SCRIPTED = { name: "switchyard-scripted-client", version: "1.0.0" };

/** Header fields; null takes one away that would be sent. */
export type Fields = Readonly<Record<string, string | null>>;

/** A JSON-RPC message to send. */
export type Message = Readonly<Record<string, unknown>>;

/** Params of a request. */
export type Params = Readonly<Record<string, unknown>>;

/** What every POST of an MCP client says it sends and takes. */
export const POST_FIELDS = {
  "content-type": "application/json",
  "accept": "application/json, text/event-stream",
} as const;

/** Lays fields over one another; the later outweigh. */
export function layFields(...layers: readonly Fields[]): Headers {
  const headers = new Headers();
  for (const [name, value] of layers.flatMap((layer) => Object.entries(layer))) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return headers;
}

/** Reads an answer to its end, whatever it is. */
export async function finish(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  await response.text();
  return response;
}

/** Reads an answer to its end and holds it to a status. */
export async function expectStatus(status: number, answer: Promise<Response>): Promise<Response> {
  const response = await finish(answer);
  if (response.status === status) return response;
  throw new Error(`status ${response.status} where ${status} was expected`);
}

/** How a scripted session begins. */
export interface SessionOptions {
  /** What the client can answer. */
  readonly capabilities?: Params;
  /** The revision it offers, where that is not the one of the case. */
  readonly offers?: string;
}

/** A session of the session era, spoken by hand. */
export class ScriptedSession {
  readonly #fields: Fields;
  #id = 0;

  private constructor(
    readonly url: string,
    readonly signal: AbortSignal,
    readonly sessionId: string | null,
    readonly revision: string,
  ) {
    this.#fields = {
      ...(sessionId !== null && { "mcp-session-id": sessionId }),
      // Before 2025-06-18 there was no such field.
      ...(revision >= "2025-06-18" && { "mcp-protocol-version": revision }),
    };
  }

  /** Initialises a session. */
  static async begin(
    url: string,
    signal: AbortSignal,
    revision: Revision,
    { capabilities = {}, offers = revision }: SessionOptions = {},
  ): Promise<ScriptedSession> {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: { protocolVersion: offers, capabilities, clientInfo: SCRIPTED },
    });
    const response = await expectStatus(
      200,
      fetch(url, { method: "POST", headers: layFields(POST_FIELDS), body, signal }),
    );
    const sessionId = response.headers.get("mcp-session-id");
    const session = new ScriptedSession(url, signal, sessionId, revision);
    await session.notify("notifications/initialized");
    return session;
  }

  /** The JSON-RPC request with the next id. */
  message(method: string, params?: Params): Message {
    return { jsonrpc: "2.0", id: ++this.#id, method, ...(params !== undefined && { params }) };
  }

  /** Sends any HTTP request of this session. */
  send(verb: string, fields: Fields, body: string | null = null): Promise<Response> {
    const headers = layFields(this.#fields, fields);
    return fetch(this.url, { method: verb, headers, body, signal: this.signal });
  }

  /** POSTs a text as it is. */
  postText(body: string, fields: Fields = {}): Promise<Response> {
    return this.send("POST", { ...POST_FIELDS, ...fields }, body);
  }

  /** POSTs a message, or several at once. */
  post(message: Message | readonly Message[], fields: Fields = {}): Promise<Response> {
    return this.postText(JSON.stringify(message), fields);
  }

  /** Sends a request and gives its answer as soon as the head is there. */
  request(method: string, params?: Params, fields: Fields = {}): Promise<Response> {
    return this.post(this.message(method, params), fields);
  }

  /** Calls a tool. */
  call(name: string, args: Params = {}): Promise<Response> {
    return this.request("tools/call", { name, arguments: args });
  }

  /** Calls a tool and gives the events of its answer. */
  async streamCall(name: string, args: Params = {}): Promise<EventReader> {
    return new EventReader(await this.call(name, args));
  }

  /** Sends a notification, which is accepted with 202. */
  async notify(method: string, params?: Params): Promise<void> {
    const message = { jsonrpc: "2.0", method, ...(params !== undefined && { params }) };
    await expectStatus(202, this.post(message));
  }

  /** Answers a request of the server's, which is accepted with 202. */
  async answer(id: unknown, result: Params): Promise<void> {
    await expectStatus(202, this.post({ jsonrpc: "2.0", id, result }));
  }

  /** Opens a GET stream, or resumes one. */
  get(fields: Fields = {}): Promise<Response> {
    return this.send("GET", { accept: "text/event-stream", ...fields });
  }

  /** Opens a GET stream and gives its events. */
  async stream(lastEventId?: string): Promise<EventReader> {
    const fields = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    return new EventReader(await this.get(fields));
  }

  /** Ends the session. */
  delete(): Promise<Response> {
    return this.send("DELETE", {});
  }
}

/** A conversation of a scripted client that begins with a session. */
export function scripted(
  revision: Revision,
  talk: (session: ScriptedSession) => Promise<unknown>,
  options: SessionOptions = {},
): Conversation {
  return async (url, signal) => {
    await talk(await ScriptedSession.begin(url, signal, revision, options));
  };
}
