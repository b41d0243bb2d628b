/**
 * Both ends of a shared upstream session without sockets: a server that a test scripts, and clients that
 * call as a front does.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Clock } from "../clock.ts";
import { type CancelSignal, Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { SharedBounds, SharedOptions, SharedUpstream } from "../share/mod.ts";
import type {
  Upstream,
  UpstreamAnswer,
  UpstreamBody,
  UpstreamCall,
  WholeAnswer,
} from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { answerWith, type FilledBody, filledBody, sourceReader } from "./relay.ts";
import type { SourceReader } from "./relay.ts";

/** As much of a JSON-RPC message as tests look at. */
export interface Rpc {
  readonly jsonrpc?: string;
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown> & { readonly _meta?: Record<string, unknown> };
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A call that reached the server. */
export interface FakeCall {
  readonly kind: "exchange" | "notify" | "listen" | "terminate";
  readonly call: UpstreamCall;
  readonly text: string;
  /** The one message in it; an empty one for GET, DELETE and batches. */
  readonly message: Rpc;
}

/** Answers a call; undefined for what the server does by itself. */
export type FakeScript = (
  call: FakeCall,
) => UpstreamAnswer | Promise<UpstreamAnswer> | undefined;

/** An event as a server writes it. */
export function eventOf(message: unknown, id?: string): string {
  const data = typeof message === "string" ? message : JSON.stringify(message);
  return `${id === undefined ? "" : `id: ${id}\n`}event: message\ndata: ${data}\n\n`;
}

/** A server with sessions that a test scripts. */
export class FakeServer implements Upstream {
  readonly clock: ManualClock;
  /** All calls, in order. */
  readonly calls: FakeCall[] = [];
  /** The streams on which it speaks first, in the order in which they were opened. */
  readonly streams: FilledBody[] = [];
  /** Looked at before anything else. */
  script: FakeScript = () => undefined;
  /** The id of the session that it opens next. */
  sessionId: string | undefined = "up-1";
  /** What it says in `initialize` that it can do. */
  capabilities: Record<string, unknown> = {};
  closed = false;

  constructor(clock = new ManualClock()) {
    this.clock = clock;
  }

  /** Calls with this method of JSON-RPC. */
  of(method: string): FakeCall[] {
    return this.calls.filter(({ message }) => message.method === method);
  }

  /** The newest stream on which it speaks first. */
  get stream(): FilledBody {
    return this.streams.at(-1)!;
  }

  /** Says something on it. */
  say(message: unknown): void {
    this.stream.send(eventOf(message));
  }

  /** An answer of JSON. */
  json(message: unknown, status = 200): UpstreamAnswer {
    const { body, send } = filledBody(this.clock);
    if (message !== undefined) {
      send(typeof message === "string" ? message : JSON.stringify(message));
    }
    body.finish();
    return answerWith(body, status, "json");
  }

  /** An answer of events, still to be filled. */
  events(): { answer: UpstreamAnswer; filled: FilledBody } {
    const filled = filledBody(this.clock);
    return { answer: answerWith(filled.body), filled };
  }

  async exchange(
    call: UpstreamCall,
    body: Uint8Array,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> {
    const answer = await this.#take("exchange", call, body);
    if (answer.status === 200 && answer.kind === "json") onWhole?.(answer);
    return answer;
  }

  notify(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> {
    return this.#take("notify", call, body);
  }

  listen(call: UpstreamCall): Promise<UpstreamAnswer> {
    return this.#take("listen", call);
  }

  terminate(call: UpstreamCall): Promise<UpstreamAnswer> {
    return this.#take("terminate", call);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  async #take(
    kind: FakeCall["kind"],
    call: UpstreamCall,
    body: Uint8Array = new Uint8Array(),
  ): Promise<UpstreamAnswer> {
    const text = new TextDecoder().decode(body);
    const parsed: unknown = text === "" ? {} : JSON.parse(text);
    const message = Array.isArray(parsed) ? {} : parsed as Rpc;
    // What a call says of its body decides whether it may be sent twice: a wrong word is a defect.
    if (kind === "exchange" && call.method !== undefined) assertEquals(call.method, message.method);
    const taken: FakeCall = { kind, call, text, message };
    this.calls.push(taken);
    return await (this.script(taken) ?? this.#byItself(taken));
  }

  #byItself({ kind, message }: FakeCall): UpstreamAnswer {
    if (kind === "listen") {
      const { answer, filled } = this.events();
      this.streams.push(filled);
      return answer;
    }
    if (kind === "terminate") return this.json(undefined);
    if (kind === "notify") return this.json(undefined, 202);
    const { id } = message;
    if (message.method !== "initialize") return this.json({ jsonrpc: "2.0", id, result: {} });
    const protocolVersion = message.params?.protocolVersion;
    const serverInfo = { name: "fake", version: "1" };
    const result = { protocolVersion, capabilities: this.capabilities, serverInfo };
    return { ...this.json({ jsonrpc: "2.0", id, result }), sessionId: this.sessionId };
  }
}

/** Options for sharing with small waits and few bounds. */
export function sharedOptions(clock: Clock, bounds: Partial<SharedBounds> = {}): SharedOptions {
  return {
    clock,
    backOff: { attempts: 3, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 },
    maxEventBytes: 1_048_576,
    memberIdleMs: 3_600_000,
    maxMembers: 1_000,
    anonymous: "anonymous",
    bounds,
  };
}

/** What a client is. */
export interface ClientOptions {
  readonly capabilities?: Record<string, unknown>;
  readonly principal?: string;
  readonly revision?: string;
  readonly query?: string;
}

/** A client, with the calls that a front makes for it. */
export class SharedClient<U extends Upstream = SharedUpstream> {
  readonly shared: U;
  readonly options: ClientOptions;
  sessionId: string | undefined;

  constructor(shared: U, options: ClientOptions = {}) {
    this.shared = shared;
    this.options = options;
  }

  /** A client with a session. */
  static async join<U extends Upstream>(
    shared: U,
    options: ClientOptions = {},
  ): Promise<SharedClient<U>> {
    const client = new SharedClient(shared, options);
    const answer = await client.initialize();
    if (answer.sessionId === undefined) throw new Error(`initialize: ${answer.status}`);
    return client;
  }

  /** A call of this client. */
  call(more: Partial<UpstreamCall> = {}): UpstreamCall {
    const { principal = "p", query = "" } = this.options;
    const { sessionId } = this;
    const headers = new Fields();
    return {
      headers,
      sessionId,
      principal,
      query,
      signal: NEVER_ABORTED,
      lastEventId: null,
      ...more,
    };
  }

  async initialize(id: string | number = 1): Promise<UpstreamAnswer> {
    const { capabilities = {}, revision = "2025-11-25" } = this.options;
    const params = {
      protocolVersion: revision,
      capabilities,
      clientInfo: { name: "t", version: "1" },
    };
    const answer = await this.exchange({ jsonrpc: "2.0", id, method: "initialize", params });
    this.sessionId = answer.sessionId;
    return answer;
  }

  exchange(message: unknown, signal: CancelSignal = NEVER_ABORTED): Promise<UpstreamAnswer> {
    return this.shared.exchange(this.call({ signal }), bytesOf(message));
  }

  notify(message: unknown): Promise<UpstreamAnswer> {
    return this.shared.notify(this.call(), bytesOf(message));
  }

  /** Asks, and gives the whole text of the answer. */
  async ask(message: unknown): Promise<string> {
    return await textOf((await this.exchange(message)).body);
  }

  /** A request of this method, and the response to it. */
  async request(method: string, params: unknown = {}, id: string | number = 7): Promise<Rpc> {
    return JSON.parse(await this.ask({ jsonrpc: "2.0", id, method, params }));
  }

  /** Asks, and reads the answer as a stream. */
  async streamed(message: unknown): Promise<SourceReader> {
    return sourceReader((await this.exchange(message)).body);
  }

  /** Listens, and reads what comes. */
  async listen(lastEventId: string | null = null): Promise<SourceReader> {
    const answer = await this.shared.listen(this.call({ lastEventId }));
    if (answer.status !== 200) throw new Error(`GET: ${answer.status}`);
    return sourceReader(answer.body);
  }

  terminate(): Promise<UpstreamAnswer> {
    return this.shared.terminate(this.call());
  }
}

/** The messages in what a client has read. */
export function messagesIn({ events }: SourceReader): Rpc[] {
  return events.flatMap(({ data }) => data ? [JSON.parse(data) as Rpc] : []);
}

/** The whole body of an answer as text. */
export async function textOf(body: UpstreamBody): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (let pieces = await body.next(); pieces !== null; pieces = await body.next()) {
    for (const piece of pieces) text += decoder.decode(piece, { stream: true });
  }
  return text;
}

function bytesOf(message: unknown): Uint8Array {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return new TextEncoder().encode(text);
}
