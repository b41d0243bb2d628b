/**
 * The 2026-07-28 MCP server of `modern.ts` on stdin and stdout: run it as a program, `deno run -A modern_stdio.ts`.
 */
import type { McpServer, ServerNotifier } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createStateCodec } from "./modern_input_tools.ts";
import { createModernServer } from "./modern_server.ts";

const codec = createStateCodec();

/** The SDK sends these to the subscriptions that asked for them. */
function notifierOf(server: () => McpServer): ServerNotifier {
  return {
    toolsChanged: () => server().sendToolListChanged(),
    promptsChanged: () => server().sendPromptListChanged(),
    resourcesChanged: () => server().sendResourceListChanged(),
    resourceUpdated: (uri) => void server().server.sendResourceUpdated({ uri }),
  };
}

if (import.meta.main) {
  serveStdio(() => {
    const server: McpServer = createModernServer({
      name: "switchyard-modern-fixture",
      codec,
      notify: notifierOf(() => server),
    });
    return server;
  }, { legacy: "reject" });
}
