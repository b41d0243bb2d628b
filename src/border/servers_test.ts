/**
 * The whole proxy on both servers, its own and the runtime's: the same core set.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createApp } from "../app.ts";
import { systemClock } from "../clock.ts";
import { configSchema } from "../config/schema.ts";
import { denoHandler } from "../listener/mod.ts";
import * as messages from "../testing/messages.ts";
import { testProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const GET = "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";

for (const httpServer of ["switchyard", "deno"]) {
  const config = { httpServer };

  Deno.test(`${httpServer}: JSON, small and large, passes byte for byte`, async () => {
    const large = `{"jsonrpc":"2.0","id":1,"result":{"text":"${"x".repeat(300_000)}"}}`;
    await using upstream = scriptedUpstream((request, to) =>
      to.write(jsonAnswer(request.body.length > 1_000 ? large : RESULT))
    );
    await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
      assertEquals((await postText(origin, messages.ping())).text, RESULT);
      const padded = messages.ping().replace("{", `{${" ".repeat(200_000)}`);
      const response = await postText(origin, padded);
      assertEquals([response.text, response.complete], [large, true]);
      assertEquals(upstream.requests[1]!.body, new TextEncoder().encode(padded));
    });
  });

  Deno.test(`${httpServer}: a stream passes as it comes, and its end and its breaking off differ`, async () => {
    for (const whole of [true, false]) {
      const more = Promise.withResolvers<void>();
      await using upstream = scriptedUpstream(async (_, to) => {
        await to.write(SSE_HEAD + "9\r\ndata: 1\n\n\r\n");
        await more.promise;
        await to.write("9\r\ndata: 2\n\n\r\n");
        if (whole) await to.write("0\r\n\r\n");
        to.close();
      });
      await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
        using client = await RawClient.connect(origin);
        await client.write(GET);
        assertEquals((await client.readHead()).headers.get("cache-control"), "no-cache");
        assertEquals(await client.readChunk(), "data: 1\n\n");
        more.resolve();
        assertEquals(await client.readChunk(), "data: 2\n\n");
        assertEquals(await client.readChunk(), whole ? null : "cut");
      });
    }
  });

  Deno.test(`${httpServer}: R54 a client that leaves its stream is gone upstream`, async () => {
    const closed = Promise.withResolvers<void>();
    await using upstream = scriptedUpstream(async (_, to) => {
      await to.write(SSE_HEAD + "9\r\ndata: 1\n\n\r\n");
      await to.closed;
      closed.resolve();
    });
    await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
      using client = await RawClient.connect(origin);
      await client.write(GET);
      await client.readHead();
      client.close();
      await closed.promise;
    });
  });

  Deno.test(`${httpServer}: refusals, CORS and odd targets`, async () => {
    await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
    await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
      const status = async (text: string | Uint8Array) => (await exchange(origin, text)).status;
      const host = "host: localhost\r\n";
      assertEquals(await status(`GET /none HTTP/1.1\r\n${host}\r\n`), 404);
      assertEquals(await status(`GET /mcp/../mcp HTTP/1.1\r\n${host}\r\n`), 404);
      assertEquals(await status(`TRACE /mcp HTTP/1.1\r\n${host}\r\n`), 405);
      assertEquals(await status("GET /mcp HTTP/1.1\r\nhost: evil.test\r\n\r\n"), 403);
      assertEquals(await status(`GET http://evil.test/mcp HTTP/1.1\r\n${host}\r\n`), 400);
      assertEquals(await status(jsonPost(messages.ping(), {}, "http://localhost/mcp")), 200);
      assertEquals(await status(jsonPost("{")), 400);
      const page = { origin: "http://localhost:1" };
      const allowed = await postText(origin, messages.ping(), page);
      assertEquals(allowed.headers.get("access-control-allow-origin"), page.origin);
    });
  });
}

Deno.test("the handler of an app serves under Deno.serve as it is", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  const config = configSchema.parse({
    routes: [{ path: "/mcp", upstream: { url: upstream.url } }],
  });
  const app = createApp({ config });
  const handler = denoHandler(app.handler, config.limits, systemClock);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const origin = `http://127.0.0.1:${server.addr.port}`;
  assertEquals((await postText(origin, messages.ping())).text, RESULT);
  await server.shutdown();
  await app.close();
});

Deno.test("R84 where clients have taken all connections health still answers", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(SSE_HEAD + "3\r\n:\n\n\r\n"));
  const config = { admin: "127.0.0.1:0", limits: { maxClientConnections: 3 } };
  const proxy = await testProxy({ upstream: upstream.url, config });
  const clients: RawClient[] = [];
  for (let count = 0; count < 3; count++) {
    clients.push(await RawClient.connect(proxy.origin));
    await clients[count]!.write(GET);
    await clients[count]!.readHead();
  }
  const over = await exchange(proxy.origin, GET);
  assertEquals([over.status, over.headers.get("retry-after")], [503, "1"]);
  const health = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
  assertEquals((await exchange(proxy.adminOrigin!, health)).status, 200);
  assert(proxy.logs.some((line) => line.includes("maxClientConnections")));
  for (const client of clients) client.close();
  await proxy.stop();
});

Deno.test("R83 slow heads do not keep the proxy from answering others, and are ended", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  const config = { limits: { requestHeadTimeoutMs: 300 } };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    const slow = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(origin)));
    for (const client of slow) await client.write("POST /mcp HTTP/1.1\r\nhost: loc");
    assertEquals((await postText(origin, messages.ping())).status, 200);
    for (const client of slow) assertEquals((await client.readResponse()).status, 408);
    for (const client of slow) client.close();
  });
});
