/**
 * The v2 SDK's client over Streamable HTTP, pinned to one era, for the matrix.
 *
 * @module
 */

import {
  Client,
  LOG_LEVEL_META_KEY,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { z } from "zod";
import type { Notification } from "../session_client.ts";
import { Inbox, within } from "../wait.ts";
import {
  ANSWERS,
  CAPABILITIES,
  type Level,
  type ListKind,
  type MatrixClient,
  type MatrixConnect,
  modelAnswer,
  NO_RECONNECTION,
  questionName,
  userAnswer,
  WatchedFetch,
} from "./client.ts";

const MODERN = "2026-07-28";

interface Connected {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
  readonly watch: WatchedFetch;
  readonly common: Omit<MatrixClient, "era" | "call" | "logFrom" | "listen" | "close">;
}

/** Connects a client that speaks the session era alone. */
export async function connectV2Session(options: MatrixConnect): Promise<MatrixClient> {
  const { client, transport, watch, common } = await connect(options, "legacy");
  return {
    ...common,
    era: "session",
    call: (use, callOptions) => client.callTool({ ...use }, { ...callOptions }),
    logFrom: async (level) => void await client.setLoggingLevel(level),
    listen: async ({ resource: uri }) => {
      await within(watch.listening, "the opening of the client's stream");
      if (uri === undefined) return () => Promise.resolve();
      await client.subscribeResource({ uri });
      return async () => void await client.unsubscribeResource({ uri });
    },
    close: async () => {
      const { sessionId } = transport;
      await client.close();
      const headers = { "mcp-session-id": sessionId! };
      await (await watch.fetch(options.endpoint, { method: "DELETE", headers })).body?.cancel();
    },
  };
}

/** Connects a client that speaks 2026-07-28 alone. */
export async function connectV2Modern(options: MatrixConnect): Promise<MatrixClient> {
  const { client, common } = await connect(options, { pin: MODERN });
  let level: Level | undefined;
  return {
    ...common,
    era: "modern",
    call: (use, callOptions) => {
      const meta = level !== undefined && { _meta: { [LOG_LEVEL_META_KEY]: level } };
      return client.callTool({ ...use, ...meta }, { ...callOptions });
    },
    logFrom: (wanted) => {
      level = wanted;
      return Promise.resolve();
    },
    listen: async ({ lists, resource }) => {
      const subscription = await client.listen({
        ...(lists && {
          toolsListChanged: true,
          promptsListChanged: true,
          resourcesListChanged: true,
        }),
        ...(resource !== undefined && { resourceSubscriptions: [resource] }),
      });
      return () => subscription.close();
    },
    close: () => client.close(),
  };
}

async function connect(
  { endpoint, headers }: MatrixConnect,
  mode: "legacy" | { pin: string },
): Promise<Connected> {
  const watch = new WatchedFetch(headers);
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    fetch: watch.fetch,
    reconnectionOptions: NO_RECONNECTION,
  });
  const client = new Client({ name: "matrix-v2", version: "1" }, {
    capabilities: CAPABILITIES,
    versionNegotiation: { mode },
  });
  const received = new Inbox<Notification>();
  client.fallbackNotificationHandler = (notification) => {
    received.push(notification);
    return Promise.resolve();
  };
  const asked = answer(client);
  await client.connect(transport);
  const common: Connected["common"] = {
    received,
    asked,
    statuses: watch.statuses,
    list: (kind) => LISTS[kind](client),
    prompt: (params) => client.getPrompt(params),
    read: (uri) => client.readResource({ uri }),
    complete: async (params) => (await client.complete(params)).completion.values,
    unknownMethod: () => unknownMethod(client, watch),
  };
  return { client, transport, watch, common };
}

/** The SDK hides the error in the body of a 404; it is brought out. */
async function unknownMethod(client: Client, watch: WatchedFetch): Promise<unknown> {
  try {
    return await client.request({ method: "test/unknown" }, z.looseObject({}));
  } catch (error) {
    if (watch.statuses.at(-1) !== 404) throw error;
    const { error: { message, code } } = JSON.parse(watch.errorBody!);
    throw Object.assign(new Error(message), { code });
  }
}

/** Without a cursor, the SDK walks the pages itself. */
const LISTS: Readonly<Record<ListKind, (client: Client) => Promise<string[]>>> = {
  tools: async (client) => (await client.listTools()).tools.map(({ name }) => name),
  prompts: async (client) => (await client.listPrompts()).prompts.map(({ name }) => name),
  resources: async (client) => (await client.listResources()).resources.map(({ uri }) => uri),
  templates: async (client) =>
    (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
};

function answer(client: Client): Inbox<string> {
  const asked = new Inbox<string>();
  client.setRequestHandler("sampling/createMessage", ({ method }) => {
    asked.push(method);
    return modelAnswer();
  });
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(questionName(params));
    return userAnswer(params);
  });
  client.setRequestHandler("roots/list", ({ method }) => {
    asked.push(method);
    return { roots: ANSWERS.roots };
  });
  return asked;
}
