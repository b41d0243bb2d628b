/**
 * What the checks of streams, sessions, faults and departures share: calls, and servers to be played.
 *
 * A script of these tells requests apart by what is in them and never by their number, so that a
 * proxy that sends one twice is found by the checks of `once` and by no other.
 *
 * @module
 */

import {
  type MockRequest,
  type MockScript,
  modernServer,
  type Reply,
  resultFor,
  type RpcMessage,
  rpcOf,
  sessionServer,
} from "../mock/mod.ts";
import {
  type Answer,
  type Call,
  callRequest,
  type Context,
  expect,
  expectEqual,
  type OpenSession,
} from "../suite/mod.ts";

/** Soon enough to be called at once, and less than the shortest timeout that a run assumes. */
export const PROMPTLY_MS = 500;

/** What a promise gave, or undefined where it took longer; never rejects. */
export async function soon<T>(work: Promise<T>, limitMs = PROMPTLY_MS): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), limitMs);
  try {
    return await Promise.race([work.catch(() => undefined), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A `tools/call` of 2026-07-28 whose arguments carry a key for `byKey`. */
export function modernCall(context: Context, key: string, id: string | number = 1): Call {
  return context.modern("tools/call", { name: "echo", arguments: { key } }, id);
}

/** A `tools/call` in a session whose arguments carry a key for `byKey`. */
export function sessionCall(session: OpenSession, key: string, id: string | number = 1): Call {
  return { body: callRequest(id, { key }), fields: session.fields };
}

/** The key in the arguments of a `tools/call`; undefined in any other request. */
export function keyOf(request: MockRequest): string | undefined {
  const args = rpcOf(request)?.params?.["arguments"];
  const key = typeof args === "object" && args !== null && "key" in args ? args.key : undefined;
  return typeof key === "string" ? key : undefined;
}

/** Whether a request is the `tools/call` with this key. */
export function withKey(key: string): (request: MockRequest) => boolean {
  return (request) => keyOf(request) === key;
}

/** Answers a `tools/call` with its key as text. */
export const echoKey: MockScript = (request, reply) => reply.json(echoResult(request));

/** The answer to a `tools/call`: its key as text. */
export function echoResult(request: MockRequest, text = keyOf(request) ?? ""): unknown {
  return resultFor(request, { resultType: "complete", content: [{ type: "text", text }] });
}

/** Answers each `tools/call` as its key says, others with their key. */
export function byKey(scripts: Readonly<Record<string, MockScript>>): MockScript {
  return (request, reply) => (scripts[keyOf(request) ?? ""] ?? echoKey)(request, reply);
}

/** A server of 2026-07-28 that answers calls by their key. */
export function modernByKey(scripts: Readonly<Record<string, MockScript>> = {}): MockScript {
  return modernServer({ "tools/call": byKey(scripts) });
}

/** A server of the session era that answers calls by their key. */
export function sessionByKey(
  scripts: Readonly<Record<string, MockScript>>,
  on: Readonly<Record<string, MockScript>> = {},
): MockScript {
  return sessionServer({ on: { "tools/call": byKey(scripts), ...on } });
}

/** The text of a result of `echoKey`; undefined where an answer holds none. */
export function echoed(answer: Answer): string | undefined {
  const { message } = answer;
  const { result } = (message ?? {}) as { result?: { content?: readonly { text?: string }[] } };
  return result?.content?.[0]?.text;
}

/** Fails unless an ordinary call is answered as it should be. */
export async function expectWorks(
  context: Context,
  call: (key: string) => Call,
  when: string,
): Promise<void> {
  const key = `ordinary-${crypto.randomUUID()}`;
  const answer = await context.send(call(key));
  expect(
    answer.status === 200 && answer.complete,
    `an ordinary call ${when} was answered with ${answer.status}: ${answer.text.slice(0, 200)}`,
  );
  expectEqual(echoed(answer), key, `what an ordinary call ${when} was answered with`);
}

/** A progress notification, for the token that `progressCall` gives. */
export function progress(number: number, message?: string): unknown {
  const params = { progressToken: "t", progress: number, ...(message ? { message } : {}) };
  return { jsonrpc: "2.0", method: "notifications/progress", params };
}

/** A `tools/call` that asks for progress, in a session. */
export function progressCall(session: OpenSession, key: string, id: string | number = 1): Call {
  const params = { name: "echo", arguments: { key }, _meta: { progressToken: "t" } };
  return { body: { jsonrpc: "2.0", id, method: "tools/call", params }, fields: session.fields };
}

/** The same for 2026-07-28. */
export function modernProgressCall(context: Context, key: string, id: string | number = 1): Call {
  const params = { name: "echo", arguments: { key }, _meta: { progressToken: "t" } };
  return context.modern("tools/call", params, id);
}

/** The JSON-RPC message that an event carries; undefined where it carries none. */
export function messageIn(data: string | null | undefined): RpcMessage | undefined {
  try {
    const value: unknown = JSON.parse(data ?? "");
    return typeof value === "object" && value !== null ? value as RpcMessage : undefined;
  } catch {
    return undefined;
  }
}

/** Answers with bytes as they are and closes the connection. */
export function rawThenClose(data: string | Uint8Array): MockScript {
  return async (_, reply) => {
    await reply.raw(data);
    reply.close();
  };
}

/** A server of the session era that holds clients to its session ids, as real ones do. */
export class StrictSessions {
  /** The ids of its sessions. */
  readonly known = new Set<string>();
  readonly #newId: () => string;
  readonly #inner: MockScript;

  constructor(
    newId: () => string = () => crypto.randomUUID(),
    on: Readonly<Record<string, MockScript>> = {},
  ) {
    this.#newId = newId;
    const DELETE: MockScript = async (request, reply) => {
      this.known.delete(request.field("mcp-session-id") ?? "");
      await reply.empty(200);
    };
    this.#inner = sessionServer({
      sessionIds: null,
      on: { DELETE, "tools/call": echoKey, ...on },
    });
  }

  /** Answers one request. */
  readonly script: MockScript = async (request, reply) => {
    if (rpcOf(request)?.method === "initialize") return await this.#open(request, reply);
    const id = request.field("mcp-session-id");
    if (id === undefined) return await reply.json(refusal("no session id", request), 400);
    if (!this.known.has(id)) return await reply.json(refusal("no such session", request), 404);
    await this.#inner(request, reply);
  };

  async #open(request: MockRequest, reply: Reply): Promise<void> {
    const id = this.#newId();
    this.known.add(id);
    const protocolVersion = rpcOf(request)?.params?.["protocolVersion"];
    const serverInfo = { name: "conformance-mock", version: "1.0.0" };
    const result = { protocolVersion, capabilities: { tools: {} }, serverInfo };
    await reply.json(resultFor(request, result), 200, [["mcp-session-id", id]]);
  }
}

function refusal(message: string, request: MockRequest): unknown {
  const id = rpcOf(request)?.id;
  return { jsonrpc: "2.0", ...(id === undefined ? {} : { id }), error: { code: -32600, message } };
}
