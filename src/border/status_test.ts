/**
 * What the status page tells of servers behind bridges, channels and sharing, over real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";

const META = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
  '"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},' +
  '"io.modelcontextprotocol/clientCapabilities":{}}';
const MODERN_LIST = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{${META}}}`;
const MODERN_FIELDS = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
const INITIALIZE = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{' +
  '"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}';
const config = { admin: "127.0.0.1:0" };

async function told(proxy: TestProxy) {
  const page = await exchange(
    proxy.adminOrigin!,
    "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
  );
  const { routes: [{ upstream }] } = JSON.parse(page.text);
  return upstream;
}

Deno.test("the status page tells of a modern server and the sessions that the proxy has in its place", async () => {
  const server = startModernServer();
  try {
    await withProxy({ upstream: server.url, config }, async (proxy) => {
      assertEquals((await postText(proxy.origin, INITIALIZE, {})).status, 200);
      const { eras, asSession, asModern } = await told(proxy);
      assertEquals(eras, { modern: true, session: false });
      assertEquals([asSession.sessions, asModern.sessions], [1, 0]);
    });
  } finally {
    await server.close();
  }
});

Deno.test("the status page tells of the channels and members of a shared server of sessions", async () => {
  const server = await startHttpSseServer();
  const upstreamConfig = { transport: "http+sse", sessions: "shared" };
  try {
    await withProxy({ upstream: server.url, upstreamConfig, config }, async (proxy) => {
      const listed = await postText(proxy.origin, MODERN_LIST, MODERN_FIELDS);
      assertEquals(listed.status, 200);
      const { eras, asModern, shared, channel } = await told(proxy);
      assertEquals(eras, { modern: false, session: true });
      assertEquals([asModern.sessions, shared.hubs, shared.members], [1, 1, 1]);
      assertEquals([channel.sessions, channel.inFlight], [1, 0]);
    });
  } finally {
    await server.close();
  }
});
