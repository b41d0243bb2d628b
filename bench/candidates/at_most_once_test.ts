/** A POST reaches the server once, also where a reused connection closes without an answer. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import { ProxyError } from "../../src/errors.ts";
import {
  http1Client,
  type HttpClientFactory,
  type HttpClientOptions,
} from "../../src/upstream/mod.ts";
import { BodyCollector, HttpReader, writeAll } from "../http_reader.ts";
import { framingOf } from "../http_message.ts";
import { fetchClient } from "./fetch_client.ts";
import { undiciClient } from "./undici_client.ts";

const WANTED = new Set(["content-length", "transfer-encoding"]);
const OK = new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

/** Answers the first `answered` requests of a connection, and closes upon the next without a word. */
function silentCloser(answered: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const bodies: string[] = [];
  const open = new Set<Promise<void>>();
  const serveOne = async (connection: Deno.Conn): Promise<void> => {
    const reader = new HttpReader(connection, 4096);
    const body = new BodyCollector(4096);
    try {
      for (let request = 0;; request++) {
        const head = await reader.readHead(WANTED);
        if (head === null) return;
        body.reset();
        await reader.readBody(framingOf(head.fields) ?? 0, body.sink);
        bodies.push(body.text());
        if (request === answered) return;
        await writeAll(connection, OK);
      }
    } catch {
      // The client has gone.
    } finally {
      connection.close();
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) open.add(serveOne(connection));
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    bodies,
    async close(): Promise<void> {
      listener.close();
      await accepting;
      await Promise.all(open);
    },
  };
}

/** Sends bodies one after the other; the outcome of each, and what reached the server. */
async function outcomes(
  factory: HttpClientFactory,
  answered: number,
  count: number,
): Promise<{ outcomes: string[]; bodies: string[] }> {
  const server = silentCloser(answered);
  const { port } = server;
  const options: HttpClientOptions = {
    target: { kind: "tcp", hostname: "127.0.0.1", port, host: `127.0.0.1:${port}` },
    connectTimeoutMs: 5_000,
    maxConnections: 4,
    maxStreams: 4,
    maxQueued: 4,
    queueTimeoutMs: 5_000,
    keepAliveMs: 5_000,
    clock: systemClock,
  };
  const client = factory(options);
  const timeouts = { headersMs: 5_000, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 };
  const found: string[] = [];
  for (let number = 0; number < count; number++) {
    const body = new TextEncoder().encode(String(number));
    const { signal } = new AbortController();
    try {
      const answer = await client.send({
        method: "POST",
        path: "/mcp",
        fields: ["content-type", "application/json"],
        body,
        signal,
        timeouts,
      });
      found.push(new TextDecoder().decode(await answer.body.bytesWithin(100) ?? undefined));
      // Until the connection has been put back, or the next request would take another.
      await new Promise((resolve) => setTimeout(resolve, 10));
    } catch (error) {
      assert(error instanceof ProxyError, String(error));
      found.push(error.kind);
    }
  }
  await client.close();
  await server.close();
  return { outcomes: found, bodies: server.bodies };
}

const CLIENTS = { http1Client, undiciClient, fetchClient };

for (const [name, factory] of Object.entries(CLIENTS)) {
  Deno.test(`${name} sends a POST once where its connection closes without an answer`, async () => {
    const reused = await outcomes(factory, 1, 2);
    assertEquals(reused, { outcomes: ["ok", "upstream_closed"], bodies: ["0", "1"] });
    const fresh = await outcomes(factory, 0, 2);
    assertEquals(fresh, { outcomes: ["upstream_closed", "upstream_closed"], bodies: ["0", "1"] });
  });
}

Deno.test("fetch sends a POST of bytes twice, even on a connection of its own", async () => {
  const server = silentCloser(0);
  const client = Deno.createHttpClient({ http2: false, poolMaxIdlePerHost: 0 });
  await assertRejects(() =>
    fetch(`http://127.0.0.1:${server.port}/`, { client, method: "POST", body: "0" })
  );
  client.close();
  await server.close();
  assertEquals(server.bodies, ["0", "0"]);
});
