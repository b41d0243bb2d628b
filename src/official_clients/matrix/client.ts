/**
 * A client of either SDK and either era behind one small interface, so that one table of features runs with all.
 *
 * @module
 */

import type {
  CallOptions,
  CompletionParams,
  Notification,
  ToolResult,
  ToolUse,
} from "../session_client.ts";
import type { Inbox } from "../wait.ts";

/** What can be listed. */
export type ListKind = "tools" | "prompts" | "resources" | "templates";

/** A level of log lines. */
export type Level = "debug" | "info" | "error";

/** What a client wants to be told of. */
export interface Wanted {
  /** Changes of all three lists. */
  readonly lists?: true;
  /** Updates of this resource. */
  readonly resource?: string;
}

/** A connected client. */
export interface MatrixClient {
  readonly era: "session" | "modern";
  /** Notifications that belong to no call of the SDK's own. */
  readonly received: Inbox<Notification>;
  /** What it was asked: the method, and behind `elicitation/create` the mode. */
  readonly asked: Inbox<string>;
  /** The statuses of the answers to POSTs, in order. */
  readonly statuses: readonly number[];
  /** The names, or URIs, of all pages. */
  list(kind: ListKind): Promise<string[]>;
  call(use: ToolUse, options?: CallOptions): Promise<ToolResult>;
  prompt(params: { name: string; arguments?: Record<string, string> }): Promise<unknown>;
  read(uri: string): Promise<unknown>;
  complete(params: CompletionParams): Promise<readonly string[]>;
  /** Sends a request that no server knows. */
  unknownMethod(): Promise<unknown>;
  /** Has the server log from this level on: from now on, or with the calls to come. */
  logFrom(level: Level): Promise<void>;
  /** Resolves when it will be told; what is returned takes it back. */
  listen(wanted: Wanted): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** How a client is connected. */
export interface MatrixConnect {
  readonly endpoint: string;
  /** Header fields of each request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What every client of the matrix answers. */
export const ANSWERS = {
  model: "Anni Albers",
  /** By the name of the field in the form. */
  user: { name: "Gunta Stölzl", color: "indigo", context: "weaving" } as Record<string, string>,
  roots: [{ uri: "file:///projects/loom", name: "Loom" }],
};

/** What every client of the matrix says it can do. */
export const CAPABILITIES = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

/** A question to the user, as far as it is looked at. */
interface Question {
  readonly mode?: string | undefined;
  readonly requestedSchema?: { readonly properties: Readonly<Record<string, unknown>> };
}

/** The user's answer: to a page the consent, to a form what it asks for. */
export function userAnswer({ mode, requestedSchema }: Question) {
  if (mode === "url") return { action: "accept" as const };
  const fields = Object.keys(requestedSchema?.properties ?? {});
  const entries = Object.entries(ANSWERS.user).filter(([name]) => fields.includes(name));
  return { action: "accept" as const, content: Object.fromEntries(entries) };
}

/** How a question to the user is noted. */
export function questionName({ mode }: Question): string {
  return `elicitation/create ${mode ?? "form"}`;
}

/** The model's answer. */
export function modelAnswer() {
  const content = { type: "text" as const, text: ANSWERS.model };
  return { model: "test-model", role: "assistant" as const, content };
}

/** Both SDKs forget the timers with which they come back for streams, and some come for answered calls. */
export const NO_RECONNECTION = {
  maxRetries: 0,
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 100,
  reconnectionDelayGrowFactor: 1,
};

/** A fetch that sends these fields, and tells what passes through it. */
export class WatchedFetch {
  readonly #headers: Readonly<Record<string, string>>;
  readonly #listening = Promise.withResolvers<void>();
  /** The statuses of the answers to POSTs, in order. */
  readonly statuses: number[] = [];
  /** The body of the last POST that was refused. */
  errorBody: string | undefined;

  constructor(headers: Readonly<Record<string, string>>) {
    this.#headers = headers;
  }

  /** Resolves once a GET stream is open. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** Hand this to the transport. */
  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(this.#headers)) headers.set(name, value);
    const response = await fetch(url, { ...init, headers });
    if (init?.method === "POST") {
      this.statuses.push(response.status);
      if (!response.ok) this.errorBody = await response.clone().text();
    }
    if (response.ok && (init?.method ?? "GET") === "GET") this.#listening.resolve();
    return response;
  };
}
