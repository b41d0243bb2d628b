/**
 * Session-era MCP servers on the official v1 SDK that leave out what a server may leave out:
 * sessions, event streams, the GET stream, event ids.
 */
import { createPlainServer } from "./plain_tools.ts";
import { WebStandardStreamableHTTPServerTransport } from "./sdk_v1.ts";
import {
  BreakOff,
  type FixtureApp,
  type FixtureOptions,
  type FixtureServer,
  rpcErrorResponse,
  serveLoopback,
} from "./loopback.ts";

/** What a plain server leaves out, or does in another way. */
export interface PlainOptions extends FixtureOptions {
  /** Assigns no sessions, and refuses GET and DELETE with 405, as the SDK's own examples do. */
  readonly stateless?: boolean;
  /** Answers with application/json alone. */
  readonly json?: boolean;
  /** Ends the lines of its event streams with CRLF, as the Python SDK's servers do. */
  readonly crlf?: boolean;
  /** Breaks the connection in place of the answer to a tools/call, as a server that dies does. */
  readonly breaks?: boolean;
}

type PlainServer = ReturnType<typeof createPlainServer>;

interface Session {
  readonly server: PlainServer;
  readonly transport: WebStandardStreamableHTTPServerTransport;
}

/** Starts a plain MCP server on 127.0.0.1. */
export function startPlainServer(options: PlainOptions = {}): FixtureServer {
  return serveLoopback(options.stateless ? statelessApp(options) : sessionApp(options), options);
}

function nameOf({ stateless, json, crlf, breaks }: PlainOptions): string {
  const parts = [
    stateless && "stateless",
    json && "json",
    crlf && "crlf",
    breaks && "breaking",
  ];
  return ["switchyard", ...parts.filter((part) => part), "fixture"].join("-");
}

async function connect(
  options: PlainOptions,
  sessions: Map<string, Session> | undefined,
): Promise<Session> {
  const server = createPlainServer(nameOf(options));
  const transport = new WebStandardStreamableHTTPServerTransport({
    ...(sessions !== undefined && {
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
    }),
    enableJsonResponse: options.json ?? false,
  });
  server.onclose = () => void sessions?.delete(transport.sessionId ?? "");
  await server.connect(transport);
  return { server, transport };
}

/** A server for each request, as there is nothing that requests share. */
function statelessApp(options: PlainOptions): FixtureApp {
  return {
    handle: async (request) => {
      if (request.method !== "POST") {
        const refusal = rpcErrorResponse(405, -32000, "Method not allowed.");
        refusal.headers.set("allow", "POST");
        return refusal;
      }
      const { server, transport } = await connect(options, undefined);
      request.signal.addEventListener("abort", () => void server.close());
      return rewritten(options, await transport.handleRequest(request));
    },
    // What is still in flight ends with its connection.
    close: () => Promise.resolve(),
  };
}

function sessionApp(options: PlainOptions): FixtureApp {
  const sessions = new Map<string, Session>();
  return {
    handle: async (request) => {
      const id = request.headers.get("mcp-session-id");
      const session = id === null ? await connect(options, sessions) : sessions.get(id);
      if (session === undefined) return rpcErrorResponse(404, -32001, "Session not found");
      const response = await session.transport.handleRequest(request);
      if (session.transport.sessionId === undefined) await session.server.close();
      return rewritten(options, response);
    },
    close: async () => {
      await Promise.all([...sessions.values()].map(({ server }) => server.close()));
    },
  };
}

/** The answer as the options have it: an event stream whose pieces are changed, or that breaks. */
function rewritten({ crlf, breaks }: PlainOptions, response: Response): Response {
  const isStream = response.headers.get("content-type") === "text/event-stream";
  if (!(crlf || breaks) || !isStream || response.body === null) return response;
  const body = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(
      new TransformStream<string, string>({
        transform(piece, controller) {
          if (breaks && piece.includes(CALL_RESULT)) controller.error(new BreakOff());
          else controller.enqueue(crlf ? piece.replaceAll("\n", "\r\n") : piece);
        },
      }),
    )
    .pipeThrough(new TextEncoderStream());
  return new Response(body, response);
}

/** How the result of a tools/call begins. */
const CALL_RESULT = '"result":{"content"';
