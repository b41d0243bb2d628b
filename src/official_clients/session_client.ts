/**
 * The session-era clients of both SDKs behind one interface, so that one table of cases runs with
 * either.
 *
 * @module
 */

import { Inbox, within } from "./wait.ts";

/** A tool call. */
export interface ToolUse {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
}

/** A tool's result, as far as tests look into it. */
export interface ToolResult {
  readonly content: readonly { readonly type: string; readonly text?: string | undefined }[];
  readonly isError?: boolean | undefined;
  readonly structuredContent?: unknown;
}

/** What a call may be given; both SDKs know these. */
export interface CallOptions {
  readonly onprogress?: (
    progress: { readonly progress: number; readonly message?: string | undefined },
  ) => void;
  readonly signal?: AbortSignal;
  readonly onresumptiontoken?: (token: string) => void;
}

/** A notification from the server. */
export interface Notification {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** What the client answers to the server's requests. */
export interface Answers {
  /** What the model says. */
  readonly sampled: string;
  /** What the user enters. */
  readonly elicited: Record<string, string>;
  readonly roots: { readonly uri: string; readonly name: string }[];
}

/** How a client is connected. */
export interface ConnectOptions {
  readonly answers: Answers;
  /** A session to go on with, instead of an initialize. */
  readonly sessionId?: string | undefined;
  /** Whether the client comes back for streams that ended without an answer. */
  readonly resumes?: boolean | undefined;
}

/**
 * How a transport reconnects. Off unless a case is about it: both SDKs forget the timers of all
 * streams but one, and v1 comes back even for calls that were answered with an error.
 */
export function reconnectionOptions({ resumes = false }: ConnectOptions) {
  return {
    maxRetries: resumes ? 2 : 0,
    initialReconnectionDelay: 100,
    maxReconnectionDelay: 1_000,
    reconnectionDelayGrowFactor: 1,
  };
}

/**
 * Ends a session without its client. The client is closed first: told that its session has ended,
 * it would come back for the GET stream that ends with it.
 */
export async function endSession(endpoint: string, sessionId: string | undefined): Promise<void> {
  if (sessionId === undefined) return;
  const headers = { "mcp-session-id": sessionId };
  const response = await fetch(endpoint, { method: "DELETE", headers });
  await response.body?.cancel();
}

/** The methods whose names and parameters are the same in both SDKs. */
export interface CommonMethods {
  listTools(): Promise<unknown>;
  listPrompts(): Promise<unknown>;
  listResources(): Promise<unknown>;
  listResourceTemplates(): Promise<unknown>;
  getPrompt(params: { name: string; arguments?: Record<string, string> }): Promise<unknown>;
  readResource(params: { uri: string }): Promise<unknown>;
  complete(params: CompletionParams): Promise<unknown>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  unsubscribeResource(params: { uri: string }): Promise<unknown>;
  setLoggingLevel(level: "debug" | "info" | "error"): Promise<unknown>;
  sendRootsListChanged(): Promise<void>;
  ping(): Promise<unknown>;
  getServerVersion(): unknown;
  getServerCapabilities(): unknown;
  getInstructions(): unknown;
}

/** What is to be completed. */
export interface CompletionParams {
  readonly ref: { readonly type: "ref/prompt"; readonly name: string };
  readonly argument: { readonly name: string; readonly value: string };
}

/** A connected client of the session era. */
export interface SessionClient {
  readonly methods: CommonMethods;
  /** Notifications that belong to no call of the SDK's own. */
  readonly received: Inbox<Notification>;
  /** Methods the server asked this client for. */
  readonly asked: Inbox<string>;
  readonly watch: FetchWatch;
  readonly sessionId: string | undefined;
  readonly revision: string | undefined;
  call(use: ToolUse, options?: CallOptions): Promise<ToolResult>;
  /** Sends a request that no server knows. */
  unknownMethod(): Promise<unknown>;
  /** Sends DELETE. */
  terminate(): Promise<void>;
  /** Ends the session, if there is one, and then the client. */
  close(): Promise<void>;
}

/** Connects a client of one SDK. */
export type Connect = (endpoint: string, options: ConnectOptions) => Promise<SessionClient>;

/** A fetch for the transports which tells what passes through it. */
export class FetchWatch {
  readonly #getOpened = Promise.withResolvers<void>();
  /** The ids of the requests sent, in order. */
  readonly ids: unknown[] = [];
  /** The statuses of the answers, in order. */
  readonly statuses: number[] = [];
  /** The messages whose answers have begun: their JSON-RPC methods, `response`, or the method of HTTP without one. */
  readonly begun: Inbox<{ readonly what: unknown; readonly status: number }> = new Inbox();

  /** Hand this to the transport. */
  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const message = typeof init?.body === "string"
      ? JSON.parse(init.body) as { id?: unknown; method?: unknown }
      : undefined;
    if (message?.id !== undefined && message.method !== undefined) this.ids.push(message.id);
    const response = await fetch(url, init);
    const { status } = response;
    this.statuses.push(status);
    this.begun.push({ what: message ? message.method ?? "response" : init?.method, status });
    if (init?.method === "GET" && response.ok) this.#getOpened.resolve();
    return response;
  };

  /** Resolves once the GET stream is open; what the server says before that may be lost. */
  listening(): Promise<void> {
    return within(this.#getOpened.promise, "the opening of the GET stream");
  }
}

/** The text of a tool's result. */
export function textOf(result: ToolResult): string {
  return result.content.map((block) => block.text ?? "").join("\n");
}

/** What a request came to: its result, or the code and message of its error. */
export async function outcome(request: Promise<unknown>): Promise<unknown> {
  try {
    return { result: await request };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.message, code: "code" in error ? error.code : undefined };
  }
}
