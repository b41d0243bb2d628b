/**
 * What the tests of event streams send, on both sides.
 *
 * @module
 */

import type { TestProxyOptions } from "./proxy.ts";
import { jsonPost } from "./raw_client.ts";

/** A progress notification. */
export const progress = (step: number) =>
  `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":${step}}}`;

/** An answer. */
export const result = (id: number | string) =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[]}}`;

/** An event as a server writes it. */
export const event = (id: string | null, data: string) =>
  `${id === null ? "" : `id: ${id}\n`}event: message\ndata: ${data}\n\n`;

/** A `tools/call` of 2026-07-28. */
export function modernCall(): Uint8Array {
  const meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
    '"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},' +
    '"io.modelcontextprotocol/clientCapabilities":{}}';
  return jsonPost(
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{},${meta}}}`,
    { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "t" },
  );
}

/** No long wait before a stream is opened again; and the server is not asked what it speaks. */
const AT_ONCE = {
  reconnect: { attempts: 3, initialDelayMs: 1, maxDelayMs: 1 },
  era: "both",
};

/** A proxy before `url` that takes broken streams up again at once. */
export function reconnecting(
  url: string,
  more: Partial<TestProxyOptions> = {},
): TestProxyOptions {
  return { upstream: url, upstreamConfig: AT_ONCE, ...more };
}
