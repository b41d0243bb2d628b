/**
 * The official clients, connected for one conversation.
 *
 * @module
 */

import {
  Client as ClientV2,
  type ClientCapabilities,
  SSEClientTransport,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import type { Revision } from "../../fixtures/format/mod.ts";
import {
  Client as ClientV1,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  StreamableHTTPClientTransport as TransportV1,
  type Transport,
} from "./sdk_v1.ts";
import type { Conversation } from "./case.ts";
import { Arrivals } from "./waiting.ts";
import { FetchWatch } from "./watch.ts";

/** What the clients answer to the server's requests; a client declares what it can answer. */
export interface Answers {
  /** What the model says. */
  readonly sampled?: string;
  /** What the user enters; null for a user who declines. */
  readonly elicited?: Record<string, string | boolean> | null;
  readonly roots?: { readonly uri: string; readonly name: string }[];
}

/** A notification that no handler of the SDK's own took. */
export interface Notification {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** A connected client and what a conversation needs beside it. */
export interface Connected<C, T> {
  readonly client: C;
  readonly transport: T;
  readonly received: Arrivals<Notification>;
  readonly watch: FetchWatch;
  readonly signal: AbortSignal;
}

/** A v1 client over Streamable HTTP. */
export type ConnectedV1 = Connected<ClientV1, TransportV1>;

/** A v2 client. */
export type ConnectedV2 = Connected<ClientV2, TransportV2 | SSEClientTransport>;

const V1 = { name: "typescript-sdk-v1", version: "1.32.2" };
const V2 = { name: "typescript-sdk-v2", version: "2.4.0" };

/** Both SDKs come back by themselves; only conversations about that let them. */
function reconnectionOptions(resumes: boolean) {
  return {
    maxRetries: resumes ? 2 : 0,
    initialReconnectionDelay: 100,
    maxReconnectionDelay: 1_000,
    reconnectionDelayGrowFactor: 1,
  };
}

function capabilitiesFor({ sampled, elicited, roots }: Answers): ClientCapabilities {
  return {
    ...(sampled !== undefined && { sampling: {} }),
    ...(elicited !== undefined && { elicitation: {} }),
    ...(roots !== undefined && { roots: {} }),
  };
}

function modelSays(text: string) {
  const content = { type: "text" as const, text };
  return { model: "test-model", role: "assistant" as const, content };
}

function userEnters(content: NonNullable<Answers["elicited"]> | null) {
  return content === null ? { action: "decline" as const } : { action: "accept" as const, content };
}

/** How a v1 client is connected. */
export interface OptionsV1 {
  readonly answers?: Answers;
  /** Whether it comes back for streams that ended without an answer. */
  readonly resumes?: boolean;
}

/** A conversation of the v1 client, which offers 2025-11-25. */
export function v1(
  talk: (connected: ConnectedV1) => Promise<unknown>,
  { answers = {}, resumes = false }: OptionsV1 = {},
): Conversation {
  return async (url, signal) => {
    const watch = new FetchWatch();
    const transport = new TransportV1(new URL(url), {
      fetch: watch.fetch,
      reconnectionOptions: reconnectionOptions(resumes),
    });
    const client = new ClientV1(V1, { capabilities: capabilitiesFor(answers) });
    const received = new Arrivals<Notification>();
    client.fallbackNotificationHandler = (notification) => {
      received.push(notification);
      return Promise.resolve();
    };
    answerWithV1(client, answers);
    await client.connect(transport as Transport);
    // The client does not wait for its GET stream; the order of a recording must not depend on it.
    await watch.listening(signal);
    await talk({ client, transport, received, watch, signal });
    await client.close();
  };
}

function answerWithV1(client: ClientV1, { sampled, elicited, roots }: Answers): void {
  if (sampled !== undefined) {
    client.setRequestHandler(CreateMessageRequestSchema, () => modelSays(sampled));
  }
  if (elicited !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, () => userEnters(elicited));
  }
  if (roots !== undefined) client.setRequestHandler(ListRootsRequestSchema, () => ({ roots }));
}

/** How a v2 client is connected. */
export interface OptionsV2 {
  readonly answers?: Answers;
}

type TalkV2 = (connected: ConnectedV2) => Promise<unknown>;

function clientV2(revision: Revision, answers: Answers): [ClientV2, Arrivals<Notification>] {
  const modern = revision === "2026-07-28";
  const client = new ClientV2(V2, {
    capabilities: capabilitiesFor(answers),
    ...(modern
      ? { versionNegotiation: { mode: { pin: revision } } }
      : { versionNegotiation: { mode: "legacy" }, supportedProtocolVersions: [revision] }),
  });
  const received = new Arrivals<Notification>();
  client.fallbackNotificationHandler = (notification) => {
    received.push(notification);
    return Promise.resolve();
  };
  const { sampled, elicited, roots } = answers;
  if (sampled !== undefined) {
    client.setRequestHandler("sampling/createMessage", () => modelSays(sampled));
  }
  if (elicited !== undefined) {
    client.setRequestHandler("elicitation/create", () => userEnters(elicited));
  }
  if (roots !== undefined) client.setRequestHandler("roots/list", () => ({ roots }));
  return [client, received];
}

/** A conversation of the v2 client over Streamable HTTP, which offers one revision. */
export function v2(revision: Revision, talk: TalkV2, options: OptionsV2 = {}): Conversation {
  return async (url, signal) => {
    const watch = new FetchWatch();
    const transport = new TransportV2(new URL(url), {
      fetch: watch.fetch,
      reconnectionOptions: reconnectionOptions(false),
    });
    const [client, received] = clientV2(revision, options.answers ?? {});
    await client.connect(transport);
    if (revision !== "2026-07-28") await watch.listening(signal);
    await talk({ client, transport, received, watch, signal });
    await client.close();
  };
}

/** A conversation of the v2 client over HTTP+SSE, which offers 2024-11-05. */
export function httpSse(talk: TalkV2, options: OptionsV2 = {}): Conversation {
  return async (url, signal) => {
    const watch = new FetchWatch();
    const transport = new SSEClientTransport(new URL(url), { fetch: watch.fetch });
    const [client, received] = clientV2("2024-11-05", options.answers ?? {});
    await client.connect(transport);
    await talk({ client, transport, received, watch, signal });
    await client.close();
  };
}

/** The outcome of a request that is expected to fail does not matter to the conversation. */
export async function fails(request: Promise<unknown>): Promise<void> {
  const outcome = await request.then(() => "answered", () => "failed");
  if (outcome === "answered") throw new Error("a request that should fail was answered");
}
