/**
 * A 2024-11-05 MCP server on the v1 SDK's HTTP+SSE transport: GET /sse opens the stream, whose
 * first event names the endpoint for POSTs.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { delay, type FixtureOptions, type FixtureServer, refuseForeignHost } from "./loopback.ts";
import { createPlainServer } from "./plain_tools.ts";
import type { Server } from "./sdk_v1.ts";
import { SSEServerTransport } from "./sdk_v1_sse.ts";

const STREAM_PATH = "/sse";
const MESSAGE_PATH = "/message";

/**
 * How long a message takes on its way to the stream, in milliseconds. Without it, the 202 for a
 * request and the answer on the stream arrive in either order.
 */
const SEND_DELAY_MS = 15;

/** How an HTTP+SSE server is started. */
export interface HttpSseOptions extends FixtureOptions {
  /** Makes the server of each session; a plain one if left out. */
  readonly createServer?: () => Server;
}

/** Starts an HTTP+SSE server on 127.0.0.1; its `url` is that of the stream. */
export async function startHttpSseServer(options: HttpSseOptions = {}): Promise<FixtureServer> {
  const sessions = new HttpSseSessions(options);
  const server = createServer((request, response) => {
    sessions.handle(request, response).catch(() => response.destroy());
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, "close");
    await sessions.close();
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${STREAM_PATH}`,
    close: () => closing ??= close(),
  };
}

class HttpSseSessions {
  readonly #transports = new Map<string, SSEServerTransport>();
  readonly #options: HttpSseOptions;

  constructor(options: HttpSseOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (isForeign(request)) return refuse(response, 403, "Not a loopback address");
    if (request.method === "GET" && url.pathname === STREAM_PATH) {
      return await this.#begin(response);
    }
    if (request.method !== "POST" || url.pathname !== MESSAGE_PATH) {
      return refuse(response, 404, "Not found");
    }
    const transport = this.#transports.get(url.searchParams.get("sessionId") ?? "");
    if (transport === undefined) return refuse(response, 404, "Session not found");
    await transport.handlePostMessage(request, response);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }

  async #begin(response: ServerResponse): Promise<void> {
    const transport = new SSEServerTransport(MESSAGE_PATH, response);
    const send = transport.send.bind(transport);
    transport.send = async (message) => {
      await delay(SEND_DELAY_MS, new AbortController().signal);
      await send(message);
    };
    this.#transports.set(transport.sessionId, transport);
    const server = this.#options.createServer?.() ??
      createPlainServer("switchyard-http-sse-fixture");
    const leave = server.onclose;
    server.onclose = () => {
      leave?.();
      this.#transports.delete(transport.sessionId);
    };
    await server.connect(transport);
    this.#options.observe?.("listening");
  }
}

function isForeign({ headers }: IncomingMessage): boolean {
  const { host, origin } = headers;
  const named = { ...(host && { host }), ...(origin && { origin }) };
  return refuseForeignHost(new Request("http://127.0.0.1/", { headers: named })) !== undefined;
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(message);
}
