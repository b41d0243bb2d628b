/**
 * The HTTP side both fixture servers share: a listener on 127.0.0.1, the check of Host and Origin
 * that a local MCP server owes its user, and a close that cannot hang.
 */

/**
 * What a fixture server tells of itself: a stream for what it says of its own accord is open, or a call of
 * `test_wait` was cancelled.
 */
export type FixtureEvent = "listening" | "cancelled";

/** How a fixture server is started. */
export interface FixtureOptions {
  /** The port to listen on; 0 (the default) takes a free one. */
  readonly port?: number;
  /** Told what happens inside; it must not throw. */
  readonly observe?: (event: FixtureEvent) => void;
}

/** A running fixture server. */
export interface FixtureServer {
  /** The MCP endpoint, such as `http://127.0.0.1:40123/mcp`. */
  readonly url: string;
  /** Ends every stream, session and timer, then the listener. Safe to call twice. */
  close(): Promise<void>;
}

/** What a fixture server brings along: its request handler and the end of its own state. */
export interface FixtureApp {
  /** Answers one request to the MCP endpoint. */
  readonly handle: (request: Request) => Promise<Response>;
  /** Ends every stream and session, so that the listener has nothing left to wait for. */
  readonly close: () => Promise<void>;
}

/** An answer's body is broken off on purpose. */
export class BreakOff extends Error {
  override readonly name = "BreakOff";
}

const ENDPOINT_PATH = "/mcp";
const LOOPBACK_HOSTNAMES = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** The signals that ask a program to end; Windows cannot listen for SIGTERM. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/** How long close waits for clients to take the end of their streams before it cuts them off. */
const CLOSE_DEADLINE_MS = 1_000;

/**
 * The 403 for a request whose Host or Origin is not a loopback name, or undefined if it may pass.
 *
 * The port is not compared: through a proxy on the same machine, Origin names the proxy's port.
 */
export function refuseForeignHost(request: Request): Response | undefined {
  const host = request.headers.get("host");
  if (host !== null && !isLoopback(`http://${host}`)) return forbidden("Host", host);
  const origin = request.headers.get("origin");
  if (origin !== null && !isLoopback(origin)) return forbidden("Origin", origin);
  return undefined;
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && LOOPBACK_HOSTNAMES.has(new URL(url).hostname);
}

function forbidden(header: string, value: string): Response {
  return rpcErrorResponse(403, -32000, `${header} ${value} is not a loopback address`);
}

/** A JSON-RPC error without a request id, as an HTTP response. */
export function rpcErrorResponse(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status });
}

/** Serves `app` at /mcp on 127.0.0.1 until it is closed. */
export function serveLoopback(app: FixtureApp, options: FixtureOptions = {}): FixtureServer {
  const force = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    signal: force.signal,
    onListen: () => {},
    onError: (error) => {
      if (!(error instanceof BreakOff)) throw error;
      return new Response(null, { status: 500 });
    },
  }, async (request) => {
    const refused = refuseForeignHost(request);
    if (refused !== undefined) return refused;
    if (new URL(request.url).pathname !== ENDPOINT_PATH) {
      return new Response("Not found\n", { status: 404 });
    }
    return await app.handle(request);
  });

  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${server.addr.port}${ENDPOINT_PATH}`,
    close: () => closing ??= closeListener(app, server, force),
  };
}

async function closeListener(
  app: FixtureApp,
  server: Deno.HttpServer,
  force: AbortController,
): Promise<void> {
  await app.close();
  const deadline = setTimeout(() => force.abort(), CLOSE_DEADLINE_MS);
  try {
    await server.shutdown();
    await server.finished;
  } finally {
    clearTimeout(deadline);
  }
}

/** Runs a fixture server as a program: prints where it listens, and closes it on a signal. */
export function runFixture(start: (options: FixtureOptions) => FixtureServer): void {
  const server = start({ port: Number(Deno.env.get("PORT") ?? 0) });
  Deno.stdout.writeSync(new TextEncoder().encode(`listening ${server.url}\n`));
  const stop = () => void server.close().then(() => Deno.exit(0));
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, stop);
}

/** Waits `ms` milliseconds; rejects at once, and frees the timer, when `signal` aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
