/**
 * Official clients, over Streamable HTTP and over HTTP+SSE, through the proxy to the v1 SDK's own server of
 * HTTP+SSE (2024-11-05).
 *
 * @module
 */

import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { withProxy } from "../testing/proxy.ts";
import { SSEClientTransport, StreamableHTTPClientTransport, type Transport } from "./sdk_v1.ts";
import { v1SaysAll } from "./v1_says_all.ts";

/** How a client reaches the proxy's endpoint. */
const CLIENTS: Readonly<Record<string, (endpoint: string) => unknown>> = {
  "Streamable HTTP": (endpoint) => new StreamableHTTPClientTransport(new URL(endpoint)),
  "HTTP+SSE": (endpoint) => new SSEClientTransport(new URL(`${endpoint}/sse`)),
};

for (const [name, transportTo] of Object.entries(CLIENTS)) {
  for (const sessions of ["dedicated", "shared"] as const) {
    Deno.test(`v1 client over ${name}, HTTP+SSE server, ${sessions}`, async (t) => {
      const server = await startHttpSseServer();
      const upstreamConfig = { transport: "http+sse", sessions };
      try {
        await withProxy(
          { upstream: server.url, upstreamConfig },
          async ({ endpoint }) => {
            const client = await v1SaysAll(t, transportTo(endpoint) as Transport, {
              serverName: "switchyard-http-sse-fixture",
              changesLists: true,
            });
            await client.close();
          },
        );
      } finally {
        await server.close();
      }
    });
  }
}
