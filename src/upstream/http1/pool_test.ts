/**
 * A call whose deadline passes before its request is out, over real sockets.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { type CancelSignal, NEVER_ABORTED } from "../../http/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import { scriptedUpstream } from "../../testing/scripted_upstream.ts";
import type { HttpClient, HttpClientOptions, HttpTarget } from "../http_client.ts";
import { http1Client } from "./client.ts";

const NOTHING_SENT = { requestSent: false, answerBegun: false };

function clientFor(url: string, more: Partial<HttpClientOptions>): HttpClient {
  const { hostname, port, host } = new URL(url);
  return http1Client({
    target: { kind: "tcp", hostname, port: Number(port), host },
    connectTimeoutMs: 5_000,
    maxConnections: 1,
    maxStreams: 1,
    maxQueued: 4,
    queueTimeoutMs: 5_000,
    keepAliveMs: 5_000,
    clock: systemClock,
    ...more,
  });
}

async function failureOf(
  client: HttpClient,
  headersMs: number,
  signal: CancelSignal = NEVER_ABORTED,
): Promise<ProxyError> {
  const sending = client.send({
    method: "POST",
    path: "/mcp",
    fields: [],
    body: new TextEncoder().encode("{}"),
    signal,
    timeouts: { headersMs, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 },
  });
  return await assertRejects(() => sending, ProxyError);
}

Deno.test("R61 a deadline that passes in the line for a connection is no silence of the server", async () => {
  const clock = new ManualClock();
  const upstream = scriptedUpstream(() => {});
  const client = clientFor(upstream.url, { clock });
  const abort = new AbortController();
  const first = failureOf(client, 5_000, abort.signal);
  await upstream.received(0);
  const waiting = failureOf(client, 30);
  clock.advance(30);
  const { kind, status, progress } = await waiting;
  assertEquals([kind, status, progress], ["upstream_saturated", 503, NOTHING_SENT]);
  abort.abort();
  assertEquals((await first).kind, "client_closed");
  assertEquals(clock.timers, 0);
  await client.close();
  await upstream.close();
});

Deno.test("R61 a deadline that passes while a connection is made is told as that: nothing was sent", async () => {
  // It takes connections and never says a word of TLS.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const tls = { caCerts: [], cert: undefined, key: undefined };
  const target: HttpTarget = { kind: "tcp", hostname: "127.0.0.1", port, host: "x", tls };
  const client = clientFor(`https://127.0.0.1:${port}/`, { target });
  const connecting = failureOf(client, 30);
  const connection = await listener.accept();
  const { kind, status, progress } = await connecting;
  assertEquals([kind, status, progress], ["upstream_connect_timeout", 504, NOTHING_SENT]);
  connection.close();
  await client.close();
  listener.close();
});
