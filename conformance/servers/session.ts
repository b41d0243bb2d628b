/**
 * A session-era MCP server (2025-03-26 to 2025-11-25) on the official v1 SDK: sessions, an event
 * store for resumption, and everything the official suite asks a server of that era for.
 */
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  Server,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  WebStandardStreamableHTTPServerTransport,
} from "./sdk_v1.ts";
import { MemoryEventStore } from "./event_store.ts";
import {
  type FixtureApp,
  type FixtureOptions,
  type FixtureServer,
  rpcErrorResponse,
  runFixture,
  serveLoopback,
} from "./loopback.ts";
import { completionsFor, RESOURCES, TEMPLATE } from "./samples.ts";
import { getSessionPrompt, listSessionPrompts, readSessionResource } from "./session_catalog.ts";
import { SessionState } from "./session_state.ts";
import { callSessionTool, listSessionTools } from "./session_tools.ts";

export type { FixtureOptions, FixtureServer } from "./loopback.ts";

const SESSION_ID_HEADER = "mcp-session-id";

/** How long a client should wait before it comes back for a stream that was ended on purpose. */
const RETRY_MS = 500;

/** The most sessions kept at once; one more is refused with 503. */
const MAX_SESSIONS = 1_000;

interface Session {
  readonly server: Server;
  readonly transport: WebStandardStreamableHTTPServerTransport;
}

/** Starts a session-era MCP server on 127.0.0.1. */
export function startSessionServer(options: FixtureOptions = {}): FixtureServer {
  return serveLoopback(sessionApp(), options);
}

function sessionApp(): FixtureApp {
  const sessions = new Map<string, Session>();

  async function begin(request: Request): Promise<Response> {
    if (sessions.size >= MAX_SESSIONS) return rpcErrorResponse(503, -32000, "Too many sessions");
    const session = await openSession(sessions);
    const response = await session.transport.handleRequest(request);
    // Only an initialize gives the transport a session id; anything else was refused by it.
    if (session.transport.sessionId === undefined) await session.server.close();
    return response;
  }

  return {
    handle: async (request) => {
      const id = request.headers.get(SESSION_ID_HEADER);
      if (id === null) return await begin(request);
      const session = sessions.get(id);
      if (session === undefined) return rpcErrorResponse(404, -32001, "Session not found");
      return await session.transport.handleRequest(request);
    },
    close: async () => {
      await Promise.all([...sessions.values()].map(({ server }) => server.close()));
    },
  };
}

async function openSession(sessions: Map<string, Session>): Promise<Session> {
  const server = createServer();
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    eventStore: new MemoryEventStore(),
    retryInterval: RETRY_MS,
    onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
  });
  server.onclose = () => {
    if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
  };
  await server.connect(transport);
  return { server, transport };
}

function createServer(): Server {
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
  const state = new SessionState((notification) => server.notification(notification));
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
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: RESOURCES.map(({ body: _, ...resource }) => resource),
  }));
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
    ({ params }) => getSessionPrompt(params.name, params.arguments ?? {}),
  );
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => {
    const values = completionsFor(params.argument.value);
    return { completion: { values, total: values.length, hasMore: false } };
  });
}

if (import.meta.main) runFixture(startSessionServer);
