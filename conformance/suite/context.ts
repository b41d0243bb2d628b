/**
 * What a case works with: the proxy under test, the mock behind it, and connections that are closed
 * when the case is over.
 *
 * @module
 */

import type { MockUpstream } from "../mock/mod.ts";
import { type Fields, requestBytes, WireClient, type WireResponse } from "../wire/mod.ts";
import { CheckFailure, expect, expectEqual } from "./check.ts";

/** The proxy under test. */
export interface Target {
  /** The MCP endpoint of the proxy. */
  readonly url: URL;
  /** Where the proxy serves HTTP+SSE of 2024-11-05. */
  readonly sseUrl: URL;
  /** The MCP endpoint of checks that assume short timeouts, where `url` has longer ones. */
  readonly hastyUrl?: URL;
}

/** What is sent; fields given replace the usual ones, null leaves one out. */
export interface Call {
  readonly method?: string;
  /** JSON, or a text or bytes as they are. */
  readonly body?: unknown;
  readonly fields?: Readonly<Record<string, string | null>>;
  /** Path and query instead of the endpoint's. */
  readonly target?: string;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly fields: Fields;
  readonly text: string;
  /** The JSON in it; undefined where there is none. */
  readonly message: unknown;
  /** Whether it ended as its framing says. */
  readonly complete: boolean;
  /** The value of a field; undefined where it did not come. */
  field(name: string): string | undefined;
}

/** A session that was opened through the proxy. */
export interface OpenSession {
  /** The id that the client got; undefined where it got none. */
  readonly id: string | undefined;
  readonly revision: string;
  /** The fields of every later request. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The values of one run that cases may need. */
export interface ContextOptions {
  readonly target: Target;
  readonly mock: MockUpstream;
  /** How long anything may take before it counts as not happening. */
  readonly patienceMs: number;
}

/** What one case works with. */
export class Context implements AsyncDisposable {
  readonly target: Target;
  readonly mock: MockUpstream;
  readonly patienceMs: number;
  readonly #clients: WireClient[] = [];

  constructor({ target, mock, patienceMs }: ContextOptions) {
    this.target = target;
    this.mock = mock;
    this.patienceMs = patienceMs;
  }

  /** A connection to the proxy, closed at the end of the case. */
  async connect(): Promise<WireClient> {
    const client = await this.within(WireClient.connect(this.target.url), "a connection");
    this.#clients.push(client);
    return client;
  }

  /** Waits for something; fails the check where it takes longer than the patience of the run. */
  async within<T>(work: Promise<T>, what: string, limitMs = this.patienceMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new CheckFailure(`${what} did not come within ${limitMs} ms`)),
      limitMs,
    );
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
      // Where it is late it may fail later still; nobody waits for it then.
      work.catch(() => {});
    }
  }

  /** The bytes of a request with the usual fields. */
  bytes(call: Call): Uint8Array {
    const { method = "POST", body, target } = call;
    const url = target === undefined ? this.target.url : new URL(target, this.target.url);
    const usual: Record<string, string | null> = method === "GET"
      ? { accept: "text/event-stream" }
      : { accept: "application/json, text/event-stream", "content-type": "application/json" };
    const fields = Object.entries({ ...usual, ...call.fields })
      .filter((field): field is [string, string] => field[1] !== null);
    const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const payload = raw ? body : JSON.stringify(body);
    return requestBytes({
      url,
      method,
      fields,
      ...(payload === undefined ? {} : { body: payload as string | Uint8Array }),
    });
  }

  /** Sends a request on a connection of its own; the answer's body is still to be read. */
  begin(call: Call): Promise<{ client: WireClient; response: WireResponse }> {
    return awaitable(this.#begin(call));
  }

  /** Sends a request on a connection of its own and reads the whole answer. */
  send(call: Call): Promise<Answer> {
    return awaitable(this.#send(call));
  }

  async #begin(call: Call): Promise<{ client: WireClient; response: WireResponse }> {
    const client = await this.connect();
    await client.write(this.bytes(call));
    const response = await this.within(client.response(call.method), "the head of the answer");
    return { client, response };
  }

  async #send(call: Call): Promise<Answer> {
    const { client, response } = await this.#begin(call);
    const answer = await this.finish(response);
    client.close();
    return answer;
  }

  /** Sends bytes as they are on a connection of its own and reads one answer. */
  async sendRaw(data: string | Uint8Array, method = "POST"): Promise<Answer> {
    const client = await this.connect();
    await client.write(data);
    const response = await this.within(client.response(method), "the head of the answer");
    const answer = await this.finish(response);
    client.close();
    return answer;
  }

  /** Reads an answer to its end. */
  async finish(response: WireResponse): Promise<Answer> {
    const text = await this.within(response.body.text(), "the end of the answer");
    const { status, fields, field } = response;
    return { status, fields, text, message: json(text), complete: response.body.complete, field };
  }

  /**
   * Opens a session: `initialize` and `notifications/initialized`. The mock must have a script that
   * answers them, such as `sessionServer()`.
   */
  async openSession(revision = "2025-11-25"): Promise<OpenSession> {
    const answer = await this.send({ body: initializeRequest(revision) });
    expectEqual(answer.status, 200, "the status of initialize");
    const id = answer.field("mcp-session-id");
    const fields: Record<string, string> = id === undefined ? {} : { "mcp-session-id": id };
    if (revision > "2025-03-26") fields["mcp-protocol-version"] = revision;
    const body = { jsonrpc: "2.0", method: "notifications/initialized" };
    const initialized = await this.send({ body, fields });
    // That it has to be 202 is the rule of a check of its own.
    const { status } = initialized;
    expect(status >= 200 && status < 300, `initialized was answered with ${status}`);
    return { id, revision, fields };
  }

  /** A request of 2026-07-28, with its `_meta` and the fields that mirror the body. */
  modern(method: string, params: Record<string, unknown> = {}, id: string | number = 1): Call {
    const name = params["name"] ?? params["uri"];
    const fields: Record<string, string> = {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
    };
    if (typeof name === "string" && NAMED.has(method)) fields["mcp-name"] = name;
    const given = typeof params["_meta"] === "object" ? params["_meta"] : {};
    const _meta = { ...MODERN_META, ...given };
    return { fields, body: { jsonrpc: "2.0", id, method, params: { ...params, _meta } } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.resolve();
  }
}

/** Methods whose `params.name` or `params.uri` is mirrored in `Mcp-Name`. */
const NAMED = new Set(["tools/call", "prompts/get", "resources/read"]);

const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "switchyard-conformance", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** An `initialize` request that asks for a revision. */
export function initializeRequest(protocolVersion: string): unknown {
  const clientInfo = { name: "switchyard-conformance", version: "1.0.0" };
  const params = { protocolVersion, capabilities: {}, clientInfo };
  return { jsonrpc: "2.0", id: 0, method: "initialize", params };
}

/** A `tools/call` of the mock's `echo`. */
export function callRequest(id: string | number, args: unknown = {}): unknown {
  const params = { name: "echo", arguments: args };
  return { jsonrpc: "2.0", id, method: "tools/call", params };
}

/** Work that may fail before it is waited for: whoever does wait is told all the same. */
function awaitable<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
