/**
 * The v1 SDK's client, for the table of session-era cases.
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
  StreamableHTTPClientTransport,
  type Transport,
} from "./sdk_v1.ts";
import {
  type Answers,
  type ConnectOptions,
  endSession,
  FetchWatch,
  type Notification,
  reconnectionOptions,
  type SessionClient,
} from "./session_client.ts";
import { Inbox } from "./wait.ts";

/** Connects a v1 client. */
export async function connectV1(
  endpoint: string,
  options: ConnectOptions,
): Promise<SessionClient> {
  const watch = new FetchWatch();
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    fetch: watch.fetch,
    reconnectionOptions: reconnectionOptions(options),
    ...(options.sessionId !== undefined && { sessionId: options.sessionId }),
  });
  const { client, received, asked } = v1Client(options.answers);
  await client.connect(transport as Transport);
  return {
    methods: client,
    received,
    asked,
    watch,
    get sessionId() {
      return transport.sessionId;
    },
    get revision() {
      return transport.protocolVersion;
    },
    call: (use, callOptions) =>
      client.callTool({ ...use }, undefined, { ...callOptions }) as Promise<CallToolResult>,
    unknownMethod: () => client.request({ method: "test/unknown" }, EmptyResultSchema),
    terminate: () => transport.terminateSession(),
    close: async () => {
      const { sessionId } = transport;
      await client.close();
      await endSession(endpoint, sessionId);
    },
  };
}

/** A client that is not connected, and what reaches it. */
export function v1Client(answers: Answers) {
  const client = new Client({ name: "official-v1", version: "1" }, {
    capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } },
  });
  const received = new Inbox<Notification>();
  client.fallbackNotificationHandler = (notification) => {
    received.push(notification);
    return Promise.resolve();
  };
  const asked = answerWith(client, answers);
  return { client, received, asked };
}

function answerWith(client: Client, answers: Answers): Inbox<string> {
  const asked = new Inbox<string>();
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.push(method);
    const content = { type: "text" as const, text: answers.sampled };
    return { model: "test-model", role: "assistant" as const, content };
  });
  client.setRequestHandler(ElicitRequestSchema, ({ method }) => {
    asked.push(method);
    return { action: "accept" as const, content: answers.elicited };
  });
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.push(method);
    return { roots: answers.roots };
  });
  return asked;
}
