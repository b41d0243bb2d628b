import { assertEquals, assertRejects } from "@std/assert";
import { createServer, type Server } from "node:https";
import { systemClock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { NEVER_ABORTED } from "../../http/mod.ts";
import { scriptedUpstream } from "../../testing/mod.ts";
import type { HttpTarget } from "../http_client.ts";
import { http1Client } from "./client.ts";

const TLS = new URL("../../../fixtures/tls/", import.meta.url);
const read = (name: string) => Deno.readTextFileSync(new URL(name, TLS));

async function status(target: HttpTarget): Promise<number> {
  const client = http1Client({
    target,
    connectTimeoutMs: 5_000,
    maxConnections: 1,
    maxStreams: 1,
    maxQueued: 1,
    queueTimeoutMs: 1_000,
    keepAliveMs: 1_000,
    clock: systemClock,
  });
  const ms = 5_000;
  const timeouts = { headersMs: ms, totalMs: ms, bodyIdleMs: ms, streamIdleMs: ms };
  const request = { method: "GET", path: "/", fields: [], body: null, signal: NEVER_ABORTED };
  try {
    const answer = await client.send({ ...request, timeouts });
    await answer.body.bytesWithin(1_024);
    return answer.status;
  } finally {
    await client.close();
  }
}

Deno.test("an address of a target is dialled, whatever its name resolves to", async () => {
  await using server = scriptedUpstream((_, to) =>
    to.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
  );
  const port = Number(new URL(server.url).port);
  const target = {
    kind: "tcp",
    hostname: "nowhere.invalid",
    port,
    host: "nowhere.invalid",
  } as const;
  assertEquals(await status({ ...target, address: "127.0.0.1" }), 200);
  assertEquals(server.requests[0]!.field("host"), "nowhere.invalid");
  const error = await assertRejects(() => status(target), ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
});

Deno.test("over TLS the certificate is held against the name, not the address", async () => {
  let answered = 0;
  const server: Server = createServer(
    { cert: read("server.pem"), key: read("server.key") },
    (_, response) => {
      answered++;
      response.end();
    },
  );
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  );
  const tls = { caCerts: [read("ca.pem")], cert: undefined, key: undefined };
  const named = (hostname: string) =>
    ({ kind: "tcp", hostname, address: "127.0.0.1", port, host: hostname, tls }) as const;
  assertEquals(await status(named("localhost")), 200);
  const error = await assertRejects(() => status(named("other.example.com")), ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
  assertEquals(answered, 1);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
