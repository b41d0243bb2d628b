/**
 * A session-era server that a test scripts behind the bridge for modern clients, and such clients.
 *
 * @module
 */

import {
  asModern,
  type AsModernBounds,
  type AsModernOptions,
  type ModernBridge,
} from "../bridge/mod.ts";
import { type CancelSignal, Fields, NEVER_ABORTED } from "../http/mod.ts";
import { deriveKey, Sealer } from "../session/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { settled, type SourceReader, sourceReader } from "./relay.ts";
import { eventOf, type FakeCall, FakeServer, messagesIn, type Rpc, textOf } from "./share.ts";

/** The principal that stands for everybody who is not told apart. */
export const ANONYMOUS = "anonymous";

const META = "io.modelcontextprotocol/";

/** A key of `_meta` that is reserved. */
export function metaKey(name: string): string {
  return META + name;
}

/** What differs from one request to another. */
export interface Asking {
  readonly id?: string | number;
  readonly principal?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly capabilities?: Record<string, unknown>;
  readonly meta?: Record<string, unknown>;
  readonly signal?: CancelSignal;
}

/** A bridge and the server behind it. */
export class ModernSetup {
  readonly server = new FakeServer();
  readonly bridge: ModernBridge;
  /** How often it was doubted that the server is of the session era. */
  doubts = 0;
  #sessions = 0;

  constructor(options: Partial<AsModernOptions> & { bounds?: Partial<AsModernBounds> } = {}) {
    const { server } = this;
    const { clock } = server;
    this.bridge = asModern(server, {
      clock,
      logger: nullLogger,
      maxEventBytes: 65_536,
      backOff: { attempts: 3, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 },
      streamIdleMs: 1_000_000,
      firstMessageMs: 10_000,
      onDoubt: () => this.doubts++,
      seal: new Sealer([deriveKey("kV9s0PqXw2LmZr7TbYh4NcJd6FgQa1Eu")], clock),
      anonymous: ANONYMOUS,
      sharesSessions: false,
      ...options,
    });
    server.script = () => undefined;
  }

  /** Has the server number its sessions `s-1`, `s-2` and so on; `script` decides on everything else. */
  numbered(script: (call: FakeCall) => UpstreamAnswer | Promise<UpstreamAnswer> | undefined): this {
    this.server.script = (call) => {
      if (call.message.method === "initialize") this.server.sessionId = `s-${++this.#sessions}`;
      return script(call);
    };
    return this;
  }

  /** A POST as a modern client sends it. */
  call(
    { principal = "p", query = "", headers = {}, signal = NEVER_ABORTED }: Asking,
  ): UpstreamCall {
    const fields = new Fields(["content-type", "application/json"]);
    fields.append("mcp-protocol-version", "2026-07-28");
    for (const [name, value] of Object.entries(headers)) fields.append(name, value);
    return { era: "modern", headers: fields, sessionId: undefined, principal, query, signal };
  }

  /** Sends a request. */
  post(method: string, params: Record<string, unknown> = {}, asking: Asking = {}) {
    const { id = 7, capabilities = {}, meta = {} } = asking;
    const _meta = {
      [metaKey("protocolVersion")]: "2026-07-28",
      [metaKey("clientCapabilities")]: capabilities,
      [metaKey("clientInfo")]: { name: "t", version: "1" },
      ...meta,
    };
    return this.raw(
      JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } }),
      asking,
    );
  }

  /** Sends a text. */
  raw(text: string, asking: Asking = {}): Promise<UpstreamAnswer> {
    return this.bridge.exchange(this.call(asking), new TextEncoder().encode(text));
  }

  /** Sends a request, and reads the response, which comes as JSON. */
  async ask(
    method: string,
    params: Record<string, unknown> = {},
    asking: Asking = {},
  ): Promise<{ status: number; text: string; message: ModernRpc }> {
    const { status, kind, body } = await this.post(method, params, asking);
    const text = await textOf(body);
    if (kind !== "json") throw new Error(`${kind}: ${text}`);
    return { status, text, message: JSON.parse(text) };
  }

  /** Sends a request, and reads the answer as a stream as far as it goes. */
  async stream(
    method: string,
    params: Record<string, unknown> = {},
    asking: Asking = {},
  ): Promise<SourceReader> {
    const { kind, body } = await this.post(method, params, asking);
    if (kind !== "sse") throw new Error(`${kind}: ${await textOf(body)}`);
    const reader = sourceReader(body);
    await reader.readAll();
    return reader;
  }

  /** What a request of the proxy, the last with this method, went up with. */
  sent(method: string): FakeCall {
    const found = this.server.of(method).at(-1);
    if (found === undefined) throw new Error(`${method} did not go up`);
    return found;
  }

  /** Ends everything, so that no timer is left. */
  async close(): Promise<void> {
    await this.bridge.close();
    await settled();
  }
}

/** A response to a modern client. */
export interface ModernRpc extends Omit<Rpc, "result"> {
  readonly result?: Record<string, unknown> & {
    readonly resultType?: string;
    readonly requestState?: string;
    readonly inputRequests?: Record<string, { method: string; params?: Record<string, unknown> }>;
    readonly _meta?: Record<string, unknown>;
  };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** The messages that a reader has got. */
export function modernMessages(reader: SourceReader): ModernRpc[] {
  return messagesIn(reader) as ModernRpc[];
}

/** What a server asks for. */
export const FORM = { message: "Name?", requestedSchema: { type: "object", properties: {} } };
/** All that a client can be asked. */
export const CAN = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
/** A client that can be asked everything. */
export const ASKED = { capabilities: CAN };

/** A server that answers calls with streams which the test fills. */
export function asking(options: ConstructorParameters<typeof ModernSetup>[0] = {}) {
  const setup = new ModernSetup(options);
  const { server } = setup;
  const streams: ReturnType<typeof server.events>["filled"][] = [];
  setup.numbered(({ message: { method } }) => {
    if (method !== "tools/call" && method !== "completion/complete") return undefined;
    const { answer, filled } = server.events();
    streams.push(filled);
    return answer;
  });
  return {
    setup,
    server,
    streams,
    say: (message: object, at = 0) => streams[at]!.send(eventOf({ jsonrpc: "2.0", ...message })),
    question: (id: number | string, method = "elicitation/create", params: object = FORM, at = 0) =>
      streams[at]!.send(eventOf({ jsonrpc: "2.0", id, method, params })),
    answer: (result: object = {}, at = 0) => {
      const { id } = server.of("tools/call")[at]!.message;
      streams[at]!.send(eventOf({ jsonrpc: "2.0", id, result }));
    },
    answers: () => server.calls.filter(({ kind, message }) => kind === "notify" && "id" in message),
    /** Sends a call, lets the server say something, and reads the result. */
    async ask(say: () => void, params: object = {}, more: Asking = ASKED) {
      const asked = setup.ask("tools/call", { name: "t", ...params }, { ...ASKED, ...more });
      await settled();
      say();
      return (await asked).message;
    },
  };
}
