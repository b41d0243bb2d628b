/** The session-era fixture server itself, for whichever transport it is connected to. */
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  Server,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "./sdk_v1.ts";
import type { FixtureOptions } from "./loopback.ts";
import { completionsFor, resourcePage, TEMPLATE } from "./samples.ts";
import { getSessionPrompt, listSessionPrompts, readSessionResource } from "./session_catalog.ts";
import { SessionPeers, SessionState } from "./session_state.ts";
import { callSessionTool, listSessionTools } from "./session_tools.ts";

/**
 * A session-era server with everything it offers, not yet connected.
 *
 * @param peers the sessions of the same server; left out, there are no others
 */
export function createSessionServer(
  { observe }: Pick<FixtureOptions, "observe"> = {},
  peers = new SessionPeers(),
): Server {
  const server = new Server({ name: "switchyard-session-fixture", version: "1.0.0" }, {
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
      completions: {},
    },
    instructions: "A server to test proxies and clients with.",
  });
  const state = new SessionState({
    notify: (notification) => server.notification(notification),
    clientCapabilities: () => server.getClientCapabilities() ?? {},
    cancelled: () => observe?.("cancelled"),
  }, peers);
  server.onclose = peers.add(state);
  handleTools(server, state);
  handleResources(server, state);
  handlePrompts(server);
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    state.setLevel(params.level);
    return {};
  });
  return server;
}

function handleTools(server: Server, session: SessionState): void {
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: listSessionTools() }));
  server.setRequestHandler(
    CallToolRequestSchema,
    ({ params }, extra) =>
      callSessionTool(params.name, { args: params.arguments ?? {}, extra, session }),
  );
}

function handleResources(server: Server, session: SessionState): void {
  server.setRequestHandler(ListResourcesRequestSchema, ({ params }) => {
    const page = resourcePage(params?.cursor);
    if (page === undefined) throw new McpError(ErrorCode.InvalidParams, "Unknown cursor");
    return page;
  });
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [TEMPLATE],
  }));
  server.setRequestHandler(
    ReadResourceRequestSchema,
    ({ params }) => readSessionResource(params.uri),
  );
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    session.watch(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    session.unwatch(params.uri);
    return {};
  });
}

function handlePrompts(server: Server): void {
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: listSessionPrompts() }));
  server.setRequestHandler(
    GetPromptRequestSchema,
    ({ params }, extra) => getSessionPrompt(params.name, params.arguments ?? {}, extra),
  );
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => {
    const values = completionsFor(params.argument.value);
    return { completion: { values, total: values.length, hasMore: false } };
  });
}
