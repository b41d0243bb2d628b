/**
 * A v2 client of 2026-07-28 in front of the proxy in front of a relay in front of the modern server.
 *
 * @module
 */

import {
  Client,
  type ClientCapabilities,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { testProxy } from "../testing/proxy.ts";
import { type Relay, startRelay } from "./relay.ts";
import { type Answers, FetchWatch, type Notification } from "./session_client.ts";
import { answerWith, collectNotifications } from "./v2_client.ts";
import type { Inbox } from "./wait.ts";

/** A connected client. */
export interface ModernClient {
  readonly client: Client;
  readonly received: Inbox<Notification>;
  readonly asked: Inbox<string>;
  readonly watch: FetchWatch;
}

/** How a client is made. */
export interface ModernOptions {
  /** What it answers; it declares the capability for each answer, and no other. */
  readonly answers?: Partial<Answers>;
  readonly mode?: VersionNegotiationMode;
}

/** What a test works with. */
export interface ModernSetup {
  readonly relay: Relay;
  /** Ends the server; its streams end the way it ends them. */
  stopServer(): Promise<void>;
  /** A client through the proxy; closed after the test. */
  connect(options?: ModernOptions): Promise<ModernClient>;
  /** A client of the server itself; closed after the test. */
  direct(options?: ModernOptions): Promise<ModernClient>;
}

/** The revision of the modern era. */
export const REVISION = "2026-07-28";

/** Connects one client. */
export async function connectModern(
  endpoint: string,
  { answers = {}, mode = { pin: REVISION } }: ModernOptions = {},
): Promise<ModernClient> {
  const watch = new FetchWatch();
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), { fetch: watch.fetch });
  const capabilities: ClientCapabilities = {
    ...(answers.sampled !== undefined && { sampling: {} }),
    ...(answers.elicited !== undefined && { elicitation: {} }),
    ...(answers.roots !== undefined && { roots: {} }),
  };
  const client = new Client({ name: "official-v2", version: "1" }, {
    capabilities,
    versionNegotiation: { mode },
  });
  const received = collectNotifications(client);
  const asked = answerWith(client, answers);
  await client.connect(transport);
  return { client, received, asked, watch };
}

/** Runs a test with the modern server behind the proxy. */
export async function withModern(
  test: (setup: ModernSetup) => Promise<void>,
  upstreamConfig: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const server = startModernServer();
  stack.defer(() => server.close());
  const relay = stack.use(await startRelay(server.url));
  const proxy = await testProxy({ upstream: relay.url, upstreamConfig });
  stack.defer(async () => void await proxy.stop());
  const connectTo = async (endpoint: string, options?: ModernOptions) => {
    const connected = await connectModern(endpoint, options);
    stack.defer(() => connected.client.close());
    return connected;
  };
  await test({
    relay,
    stopServer: () => server.close(),
    connect: (options) => connectTo(proxy.endpoint, options),
    direct: (options) => connectTo(server.url, options),
  });
}
