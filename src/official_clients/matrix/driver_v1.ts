/**
 * The v1 SDK's client, over Streamable HTTP or over HTTP+SSE, for the matrix.
 *
 * @module
 */

import {
  type CallToolResult,
  Client,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  EmptyResultSchema,
  ListRootsRequestSchema,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from "../sdk_v1.ts";
import type { Notification } from "../session_client.ts";
import { Inbox, within } from "../wait.ts";
import {
  ANSWERS,
  CAPABILITIES,
  type ListKind,
  type MatrixClient,
  type MatrixConnect,
  modelAnswer,
  NO_RECONNECTION,
  questionName,
  userAnswer,
  WatchedFetch,
} from "./client.ts";

/** Connects over Streamable HTTP. */
export async function connectV1Streamable(options: MatrixConnect): Promise<MatrixClient> {
  const watch = new WatchedFetch(options.headers);
  const transport = new StreamableHTTPClientTransport(new URL(options.endpoint), {
    fetch: watch.fetch,
    reconnectionOptions: NO_RECONNECTION,
  });
  const client = await connect(transport as Transport, watch);
  return {
    ...client,
    close: async () => {
      // The end of the session would have the client come back for the stream that ends with it.
      const { sessionId } = transport;
      await client.close();
      const headers = { "mcp-session-id": sessionId! };
      await (await watch.fetch(options.endpoint, { method: "DELETE", headers })).body?.cancel();
    },
  };
}

/** Connects over HTTP+SSE. */
export async function connectV1Sse(options: MatrixConnect): Promise<MatrixClient> {
  const watch = new WatchedFetch(options.headers);
  const url = new URL(options.endpoint);
  return await connect(
    new SSEClientTransport(url, {
      fetch: watch.fetch,
      eventSourceInit: { fetch: (input, init) => watch.fetch(input as URL, init as RequestInit) },
    }) as Transport,
    watch,
  );
}

async function connect(transport: Transport, watch: WatchedFetch): Promise<MatrixClient> {
  const client = new Client({ name: "matrix-v1", version: "1" }, { capabilities: CAPABILITIES });
  const received = new Inbox<Notification>();
  client.fallbackNotificationHandler = (notification) => {
    received.push(notification);
    return Promise.resolve();
  };
  const asked = answer(client);
  await client.connect(transport);
  const subscribe = async (uri: string) => {
    await client.subscribeResource({ uri });
    return async () => void await client.unsubscribeResource({ uri });
  };
  return {
    era: "session",
    received,
    asked,
    statuses: watch.statuses,
    list: (kind) => listAll(client, kind),
    call: (use, options) =>
      client.callTool({ ...use }, undefined, { ...options }) as Promise<CallToolResult>,
    prompt: (params) => client.getPrompt(params),
    read: (uri) => client.readResource({ uri }),
    complete: async (params) => (await client.complete(params)).completion.values,
    unknownMethod: () => client.request({ method: "test/unknown" }, EmptyResultSchema),
    logFrom: async (level) => void await client.setLoggingLevel(level),
    listen: async ({ resource }) => {
      await within(watch.listening, "the opening of the client's stream");
      return resource === undefined ? () => Promise.resolve() : await subscribe(resource);
    },
    close: () => client.close(),
  };
}

interface Page {
  readonly names: readonly string[];
  readonly nextCursor?: string | undefined;
}

const PAGES: Readonly<
  Record<ListKind, (client: Client, params: { cursor?: string }) => Promise<Page>>
> = {
  tools: async (client, params) => {
    const { tools, nextCursor } = await client.listTools(params);
    return { names: tools.map(({ name }) => name), nextCursor };
  },
  prompts: async (client, params) => {
    const { prompts, nextCursor } = await client.listPrompts(params);
    return { names: prompts.map(({ name }) => name), nextCursor };
  },
  resources: async (client, params) => {
    const { resources, nextCursor } = await client.listResources(params);
    return { names: resources.map(({ uri }) => uri), nextCursor };
  },
  templates: async (client, params) => {
    const { resourceTemplates, nextCursor } = await client.listResourceTemplates(params);
    return { names: resourceTemplates.map(({ uriTemplate }) => uriTemplate), nextCursor };
  },
};

async function listAll(client: Client, kind: ListKind): Promise<string[]> {
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await PAGES[kind](client, cursor === undefined ? {} : { cursor });
    all.push(...page.names);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

function answer(client: Client): Inbox<string> {
  const asked = new Inbox<string>();
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.push(method);
    return modelAnswer();
  });
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(questionName(params));
    return userAnswer(params);
  });
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.push(method);
    return { roots: ANSWERS.roots };
  });
  return asked;
}
