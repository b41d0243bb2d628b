/**
 * A server of both eras at one endpoint on the official v2 SDK: 2026-07-28 without sessions, and the revisions
 * before it with sessions. Both are the same server; what it asks with input_required, the SDK asks clients of
 * sessions with requests.
 */
import {
  isLegacyRequest,
  type McpServer,
  type ServerNotifier,
  UrlElicitationRequiredError,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { type FixtureOptions, type FixtureServer, runFixture, serveLoopback } from "./loopback.ts";
import { modernApp } from "./modern.ts";
import { createStateCodec } from "./modern_input_tools.ts";
import { createModernServer } from "./modern_server.ts";
import { type ModernTool, textResult } from "./modern_tools.ts";
import { CONNECT_URL } from "./samples.ts";
import { type OpenFixtureSession, sessionApp } from "./session_app.ts";

const NAME = "switchyard-dual-fixture";

/** Starts a server of both eras on 127.0.0.1. */
export function startDualServer(options: FixtureOptions = {}): FixtureServer {
  const modern = modernApp(options, { name: NAME });
  const sessions = sessionApp((hooks, ended) => openSession(options, hooks, ended), options);
  return serveLoopback({
    handle: async (request) =>
      await (await isLegacyRequest(request.clone()) ? sessions : modern).handle(request),
    close: async () => {
      await Promise.all([modern.close(), sessions.close()]);
    },
  }, options);
}

async function openSession(
  { observe }: FixtureOptions,
  ...[hooks, ended]: Parameters<OpenFixtureSession>
): ReturnType<OpenFixtureSession> {
  const watched = new Set<string>();
  const mcp: McpServer = createModernServer({
    name: NAME,
    codec: createStateCodec(),
    notify: notifierOf(() => mcp, watched),
    tools: { test_url_elicitation_required: needsPage() },
    ...(observe && { observe }),
  });
  const { server } = mcp;
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    watched.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    watched.delete(params.uri);
    return {};
  });
  const transport = new WebStandardStreamableHTTPServerTransport(hooks);
  server.onclose = ended;
  await mcp.connect(transport);
  return { transport, close: () => mcp.close() };
}

/** Tells the one client of a session what a server without sessions tells its listeners. */
function notifierOf(mcp: () => McpServer, watched: ReadonlySet<string>): ServerNotifier {
  return {
    toolsChanged: () => mcp().sendToolListChanged(),
    promptsChanged: () => mcp().sendPromptListChanged(),
    resourcesChanged: () => mcp().sendResourceListChanged(),
    resourceUpdated: (uri) => {
      if (watched.has(uri)) void mcp().server.sendResourceUpdated({ uri });
    },
  };
}

/** Sends the user away once, with the error that only sessions know; the next call goes through. */
function needsPage(): ModernTool {
  let sentAway = false;
  return {
    description: "Needs a page that the user has visited",
    run: () => {
      if (sentAway) return textResult("The account is connected.");
      sentAway = true;
      const elicitationId = crypto.randomUUID();
      const message = "Connect your account.";
      throw new UrlElicitationRequiredError([
        { mode: "url", message, url: CONNECT_URL, elicitationId },
      ]);
    },
  };
}

if (import.meta.main) runFixture(startDualServer);
