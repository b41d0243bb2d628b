/**
 * The servers that are recorded, each started at most once in a run.
 *
 * @module
 */

import { freePort } from "../free_port.ts";
import { portOpen, type Processes } from "../official_processes.ts";
import { startHttpSseServer } from "../servers/http_sse.ts";
import { startModernServer } from "../servers/modern.ts";
import { startPlainServer } from "../servers/plain.ts";
import { startSessionServer } from "../servers/session.ts";

const REFERENCE_SERVER = "npm:@modelcontextprotocol/server-everything@2026.8.31";

/** Long enough for a first start, which downloads packages. */
const START_DEADLINE_MS = 120_000;

/** A server that runs. */
export interface RecordedServer {
  /** The MCP endpoint, or the stream of HTTP+SSE. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

type Start = (processes: Processes) => RecordedServer | Promise<RecordedServer>;

/** The servers, by name. */
const SERVERS = {
  session: () => startSessionServer(),
  modern: () => startModernServer(),
  "modern-own": () => startModernServer(),
  "http-sse": () => startHttpSseServer(),
  json: () => startPlainServer({ json: true }),
  stateless: () => startPlainServer({ stateless: true }),
  "stateless-json": () => startPlainServer({ stateless: true, json: true }),
  "without-event-ids": () => startPlainServer(),
  crlf: () => startPlainServer({ crlf: true }),
  breaking: () => startPlainServer({ breaks: true }),
  everything: (processes) => startReference(processes, "streamableHttp", "/mcp"),
  "everything-sse": (processes) => startReference(processes, "sse", "/sse"),
} satisfies Record<string, Start>;

/** Those of which each case gets one of its own: what they say does not concern one client alone. */
const NOT_SHARED: ReadonlySet<string> = new Set(["modern-own"]);

/** The name of a server that is recorded. */
export type ServerName = keyof typeof SERVERS;

async function startReference(
  processes: Processes,
  mode: "streamableHttp" | "sse",
  path: string,
): Promise<RecordedServer> {
  const port = freePort();
  const process = processes.start({
    args: ["run", "--no-config", "--no-lock", "-A", REFERENCE_SERVER, mode],
    // The package is not to find this repository's deno.json.
    cwd: "/",
    env: { PORT: String(port) },
  });
  await processes.ready(process, START_DEADLINE_MS, () => portOpen(port));
  return { url: `http://127.0.0.1:${port}${path}`, close: () => processes.stop(process) };
}

/** Starts servers when they are first asked for, and stops them all. */
export class Servers implements AsyncDisposable {
  readonly #processes: Processes;
  readonly #shared = new Map<ServerName, Promise<RecordedServer>>();

  /** @param processes starts those that are programs of their own */
  constructor(processes: Processes) {
    this.#processes = processes;
  }

  /** A server that runs, for as long as `use` takes. */
  async with(name: ServerName, use: (server: RecordedServer) => Promise<void>): Promise<void> {
    const server = this.#shared.get(name) ?? this.#start(name);
    if (!NOT_SHARED.has(name)) {
      this.#shared.set(name, server);
      return await use(await server);
    }
    try {
      await use(await server);
    } finally {
      await (await server).close();
    }
  }

  /** Stops all that still run. */
  async [Symbol.asyncDispose](): Promise<void> {
    const started = await Promise.allSettled(this.#shared.values());
    await Promise.all(
      started.map((each) => each.status === "fulfilled" ? each.value.close() : undefined),
    );
  }

  async #start(name: ServerName): Promise<RecordedServer> {
    return await SERVERS[name](this.#processes);
  }
}
