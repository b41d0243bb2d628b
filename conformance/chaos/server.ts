/**
 * A server for the chaos test, as a program: the session era on the official v1 SDK with an event store under
 * `/session`, 2026-07-28 on the official v2 SDK under `/modern`. Arguments: its port, the file to which it
 * appends what became of each call, which outlives it, and its name.
 *
 * Each session is sent numbered events, once a second, from the first time that somebody listens.
 *
 * @module
 */

import { createMcpHandler, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { MemoryEventStore } from "../servers/event_store.ts";
import type { FixtureApp } from "../servers/loopback.ts";
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  Server,
  WebStandardStreamableHTTPServerTransport,
} from "../servers/sdk_v1.ts";
import { type OpenFixtureSession, sessionApp } from "../servers/session_app.ts";
import { NOTED, tokensIn } from "./book.ts";

/** Time between two numbered events of a session, and between two changes that subscribers are told of. */
const TICK_MS = 1_000;

const RETRY_MS = 100;
const NAME = "switchyard-chaos-fixture";
const SCHEMA = {
  type: "object" as const,
  properties: {
    token: { type: "string" as const },
    steps: { type: "integer" as const },
    paceMs: { type: "number" as const },
  },
};
const TOOLS = ["echo", "steps"] as const;

/** Which target and process this is: each start is another one. */
const RUN = `${Deno.args[2]}/` + crypto.randomUUID().slice(0, 8);

/** Appends what became of the calls in a text to the file, which outlives the process. */
const note = (() => {
  const path = Deno.args[1];
  if (path === undefined) throw new Error("the arguments are a port, a file, and a name");
  const file = Deno.openSync(path, { append: true, create: true });
  const encoder = new TextEncoder();
  return (what: string, text: string) => {
    const lines = tokensIn(text).map((token) => `${what}${token}\n`).join("");
    if (lines !== "") file.writeSync(encoder.encode(lines));
  };
})();

interface Arguments {
  readonly token?: unknown;
  readonly steps?: unknown;
  readonly paceMs?: unknown;
}

/** Says each step, then answers with the token. */
async function work(args: Arguments, say: (step: number, of: number) => Promise<void>) {
  note(NOTED.ran, String(args.token));
  const steps = Math.min(Number(args.steps ?? 0), 100);
  for (let step = 1; step <= steps; step++) {
    await new Promise((resolve) => setTimeout(resolve, Number(args.paceMs ?? 0)));
    await say(step, steps);
  }
  return { content: [{ type: "text" as const, text: String(args.token) }] };
}

function sessionServer(): Server {
  const server = new Server({ name: NAME, version: "1.0.0" }, {
    capabilities: { tools: {}, logging: {} },
  });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map((name) => ({ name, inputSchema: SCHEMA })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const progressToken = extra._meta?.progressToken;
    return work(params.arguments ?? {}, async (progress, total) => {
      if (progressToken === undefined) return;
      const method = "notifications/progress";
      await extra.sendNotification({ method, params: { progressToken, progress, total } });
    });
  });
  return server;
}

/** Sessions, and what makes one tick when it is listened to. */
function sessions(): { app: FixtureApp; listened: (id: string) => void } {
  const ticking = new Map<string, () => void>();
  const open: OpenFixtureSession = async (hooks, ended) => {
    const server = sessionServer();
    const id = hooks.sessionIdGenerator();
    const transport = new WebStandardStreamableHTTPServerTransport({
      ...hooks,
      eventStore: new MemoryEventStore(),
      retryInterval: RETRY_MS,
    });
    let timer: ReturnType<typeof setInterval> | undefined;
    ticking.set(id, () => {
      if (timer !== undefined) return;
      let n = 0;
      timer = setInterval(() => {
        const data = { epoch: `${RUN}/${id.slice(0, 8)}`, n: ++n };
        const method = "notifications/message";
        server.notification({ method, params: { level: "info", data } }).catch(() => {});
      }, TICK_MS);
    });
    server.onclose = () => {
      clearInterval(timer);
      ticking.delete(id);
      ended();
    };
    await server.connect(transport);
    return { transport, close: () => server.close() };
  };
  return { app: sessionApp(open), listened: (id) => ticking.get(id)?.() };
}

function modern(): FixtureApp {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: NAME, version: "1.0.0" }, {
      capabilities: { tools: { listChanged: true } },
    });
    for (const name of TOOLS) {
      server.registerTool(name, {
        inputSchema: fromJsonSchema<Record<string, unknown>>(SCHEMA),
      }, (args, ctx) =>
        work(args, async (progress, total) => {
          const progressToken = ctx.mcpReq._meta?.progressToken;
          if (progressToken === undefined) return;
          const method = "notifications/progress";
          await ctx.mcpReq.notify({ method, params: { progressToken, progress, total } });
        }));
    }
    return server;
  }, { legacy: "reject" });
  setInterval(() => handler.notify.toolsChanged(), TICK_MS);
  return { handle: (request) => handler.fetch(request), close: () => handler.close() };
}

/** Serves until it is told to end. */
function serve(port: number): void {
  const session = sessions();
  const recent = modern();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      const text = request.method === "POST" ? await request.clone().text() : "";
      note(NOTED.got, text);
      const isModern = new URL(request.url).pathname === "/modern";
      if (isModern) return await recent.handle(request);
      const response = await session.app.handle(request);
      if (response.status === 404) note(NOTED.refused, text);
      const id = request.headers.get("mcp-session-id");
      if (request.method === "GET" && response.ok && id !== null) session.listened(id);
      return response;
    },
  );
  const end = async () => {
    const closing = Promise.all([session.app.close(), recent.close(), server.shutdown()]);
    // Calls that run are cut: a server that is restarted does not wait for them for ever.
    setTimeout(() => Deno.exit(0), 300);
    await closing;
    Deno.exit(0);
  };
  Deno.addSignalListener("SIGTERM", () => void end());
  Deno.stdout.writeSync(new TextEncoder().encode(`listening on port ${server.addr.port}\n`));
}

if (import.meta.main) serve(Number(Deno.args[0]));
