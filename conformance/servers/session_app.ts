/** The sessions of a fixture server on Streamable HTTP, whichever SDK is behind them. */
import { type FixtureApp, type FixtureOptions, rpcErrorResponse } from "./loopback.ts";

/** The most sessions kept at once; one more is refused with 503. */
const MAX_SESSIONS = 1_000;

const SESSION_ID_HEADER = "mcp-session-id";

/** One session: the SDK's transport and the end of its server. */
export interface OpenSession {
  readonly transport: {
    readonly sessionId?: string | undefined;
    handleRequest(request: Request): Promise<Response>;
  };
  close(): Promise<void>;
}

/** What the SDK's transport is given: how to name a session, and whom to tell of it. */
export interface SessionHooks {
  readonly sessionIdGenerator: () => string;
  readonly onsessioninitialized: (id: string) => void;
}

/** Connects a new server to a new transport; `ended` is to be called when the server closes. */
export type OpenFixtureSession = (hooks: SessionHooks, ended: () => void) => Promise<OpenSession>;

/** Serves sessions, each opened with `open`. */
export function sessionApp(
  open: OpenFixtureSession,
  { observe }: Pick<FixtureOptions, "observe"> = {},
): FixtureApp {
  const sessions = new Map<string, OpenSession>();

  async function begin(request: Request): Promise<Response> {
    if (sessions.size >= MAX_SESSIONS) return rpcErrorResponse(503, -32000, "Too many sessions");
    const sessionId = crypto.randomUUID();
    const session = await open({
      sessionIdGenerator: () => sessionId,
      onsessioninitialized: () => void sessions.set(sessionId, session),
    }, () => void sessions.delete(sessionId));
    const response = await session.transport.handleRequest(request);
    // Only an initialize gives the transport a session id; anything else was refused by it.
    if (session.transport.sessionId === undefined) await session.close();
    return response;
  }

  return {
    handle: async (request) => {
      const id = request.headers.get(SESSION_ID_HEADER);
      if (id === null) return await begin(request);
      const session = sessions.get(id);
      if (session === undefined) return rpcErrorResponse(404, -32001, "Session not found");
      const response = await session.transport.handleRequest(request);
      if (request.method === "GET" && response.ok) observe?.("listening");
      return response;
    },
    close: async () => {
      await Promise.all([...sessions.values()].map((session) => session.close()));
    },
  };
}
