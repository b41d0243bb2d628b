/**
 * The ways to reach an upstream beside plain TCP: TLS with an authority and a certificate of one's own,
 * Unix sockets, HTTP/2, and names with several addresses. All through the whole proxy.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createServer as createHttpsServer } from "node:https";
import { createSecureServer, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { freePort } from "../../conformance/free_port.ts";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import { http2Client, type HttpRequest, parseTarget } from "./mod.ts";
import * as messages from "../testing/messages.ts";
import { testProxy, withProxy } from "../testing/proxy.ts";
import { postText, RawClient } from "../testing/raw_client.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
/** INTERNAL_ERROR of RFC 9113 section 7. */
const HTTP2_INTERNAL_ERROR = 2;
const TLS = new URL("../../fixtures/tls/", import.meta.url);
const file = (name: string) => new URL(name, TLS).pathname;
const read = (name: string) => Deno.readTextFileSync(file(name));

async function listening(server: Server, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** The status that a ping through a proxy in front of `upstream` gets, and what was logged. */
async function ping(
  upstream: string,
  upstreamConfig: Record<string, unknown> = {},
): Promise<{ status: number; logs: string }> {
  const proxy = await testProxy({ upstream, upstreamConfig });
  try {
    const response = await postText(proxy.origin, messages.ping());
    if (response.status === 200) assertEquals(response.text, RESULT);
    return { status: response.status, logs: proxy.logs.join("\n") };
  } finally {
    await proxy.stop();
  }
}

Deno.test("an https upstream is trusted through the configured authority alone", async () => {
  const server = createHttpsServer(
    { cert: read("server.pem"), key: read("server.key") },
    (_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(RESULT);
    },
  );
  const url = `https://localhost:${await listening(server as unknown as Server)}/mcp`;
  const untrusted = await ping(url);
  assertEquals(untrusted.status, 502);
  assertStringIncludes(untrusted.logs, "upstream_unreachable");
  assertEquals((await ping(url, { tls: { caFile: file("ca.pem") } })).status, 200);
  server.closeAllConnections();
  await closed(server as unknown as Server);
});

Deno.test("an https upstream that asks for a client certificate gets the configured one", async () => {
  let presented: boolean | undefined;
  const server = createSecureServer({
    allowHTTP1: true,
    ca: read("ca.pem"),
    cert: read("server.pem"),
    key: read("server.key"),
    requestCert: true,
    rejectUnauthorized: true,
  }, (request, response) => {
    presented = (request.socket as unknown as { authorized: boolean }).authorized;
    response.setHeader("content-type", "application/json");
    response.end(RESULT);
  });
  const url = `https://localhost:${await listening(server as unknown as Server)}/mcp`;
  const tls = { caFile: file("ca.pem"), certFile: file("client.pem"), keyFile: file("client.key") };
  const withCertificate = await ping(url, { tls });
  assertEquals([withCertificate.status, presented], [200, true]);
  await closed(server as unknown as Server);
});

Deno.test("a certificate file that is missing, no PEM or broken is a config problem", async () => {
  let message = "";
  const notPem = new URL("README.md", TLS).pathname;
  await testProxy({
    upstream: "https://localhost:1/mcp",
    upstreamConfig: { tls: { caFile: notPem } },
  })
    .catch((error) => message = error.message);
  assertStringIncludes(message, "which holds no PEM block");
  const broken = await Deno.makeTempFile();
  await Deno.writeTextFile(broken, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
  for (const http2 of [false, true]) {
    message = "";
    const upstreamConfig = { http2, tls: { caFile: broken } };
    await testProxy({ upstream: "https://localhost:1/mcp", upstreamConfig })
      .catch((error) => message = error.message);
    assertStringIncludes(message, ", which cannot be used");
  }
  await Deno.remove(broken);
  await testProxy({
    upstream: "https://localhost:1/mcp",
    upstreamConfig: { tls: { caFile: "/no/such" } },
  })
    .catch((error) => message = error.message);
  assertStringIncludes(message, "tls.caFile");
  assertStringIncludes(message, "wanted a readable PEM file");
});

Deno.test({
  name: "a Unix socket is an upstream",
  ignore: Deno.build.os === "windows",
  async fn() {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/mcp.sock`;
    const listener = Deno.listen({ transport: "unix", path });
    const lines: string[] = [];
    const serving = (async () => {
      for await (const connection of listener) {
        const piece = new Uint8Array(65_536);
        const length = await connection.read(piece);
        lines.push(new TextDecoder().decode(piece.subarray(0, length ?? 0)).split("\r\n")[0]!);
        const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n`;
        await connection.write(
          new TextEncoder().encode(`${head}content-length: 36\r\n\r\n${RESULT}`),
        );
        connection.close();
      }
    })();
    assertEquals((await ping(`unix:${path}`)).status, 200);
    assertEquals((await ping(`unix:${path}:/other/mcp?a=1`)).status, 200);
    assertEquals(lines, ["POST /mcp HTTP/1.1", "POST /other/mcp?a=1 HTTP/1.1"]);
    listener.close();
    await serving;
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test("addresses of both families are reached", async () => {
  for (const [hostname, host] of [["127.0.0.1", "127.0.0.1"], ["::1", "[::1]"]] as const) {
    const answer = () => new Response(RESULT, { headers: { "content-type": "application/json" } });
    const server = Deno.serve({ hostname, port: 0, onListen: () => {} }, answer);
    assertEquals((await ping(`http://${host}:${server.addr.port}/mcp`)).status, 200);
    await server.shutdown();
  }
});

Deno.test("an HTTP/2 upstream is spoken to where configured: JSON, streams, an early end", async () => {
  const streams: { close(code: number): void }[] = [];
  const server = createHttp2Server((request, response) => {
    assertEquals(request.httpVersion, "2.0");
    if (request.method === "POST") {
      response.setHeader("content-type", "application/json");
      return void response.end(RESULT);
    }
    response.setHeader("content-type", "text/event-stream");
    response.write("data: 1\n\n");
    streams.push(response.stream);
  });
  const upstream = `http://127.0.0.1:${await listening(server as unknown as Server)}/mcp`;
  await withProxy({ upstream, upstreamConfig: { http2: true } }, async (proxy) => {
    const response = await postText(proxy.origin, messages.ping());
    assertEquals([response.status, response.text], [200, RESULT]);
    using client = await RawClient.connect(proxy.origin);
    await client.write("GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
    assertEquals((await client.readHead()).status, 200);
    assertEquals(await client.readChunk(), "data: 1\n\n");
    for (const stream of streams) stream.close(HTTP2_INTERNAL_ERROR);
    assertEquals(await client.readChunk(), "cut");
  });
  await closed(server as unknown as Server);
});

Deno.test("R60 a POST over HTTP/2 whose connection breaks without an answer is sent once", async () => {
  let seen = 0;
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    if (++seen > 1) return stream.session?.destroy();
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(RESULT);
  });
  const upstream = `http://127.0.0.1:${await listening(server as unknown as Server)}/mcp`;
  await withProxy({ upstream, upstreamConfig: { http2: true } }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    assertEquals((await postText(proxy.origin, messages.ping("2"))).status, 502);
    assertEquals(seen, 2);
  });
  await closed(server as unknown as Server);
});

function silentClient(url: string) {
  const { target } = parseTarget(url, { caCerts: [], cert: undefined, key: undefined })!;
  return http2Client({
    target,
    connectTimeoutMs: 5_000,
    maxConnections: 1,
    maxStreams: 1,
    maxQueued: 1,
    queueTimeoutMs: 5_000,
    keepAliveMs: 5_000,
    clock: systemClock,
  });
}

function silentPost(headersMs: number): HttpRequest {
  return {
    method: "POST",
    path: "/mcp",
    fields: [],
    body: new TextEncoder().encode("{}"),
    signal: NEVER_ABORTED,
    timeouts: { headersMs, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 },
  };
}

Deno.test("R61 an HTTP/2 upstream that is silent may have the request, and has begun no answer", async () => {
  const sessions: { destroy(): void }[] = [];
  const server = createHttp2Server(() => {});
  server.on("session", (session) => sessions.push(session));
  const url = `http://127.0.0.1:${await listening(server as unknown as Server)}/mcp`;
  const client = silentClient(url);
  const sending = client.send(silentPost(50));
  const { kind, progress } = await assertRejects(() => sending, ProxyError);
  assertEquals([kind, progress], [
    "upstream_timeout",
    { requestSent: true, answerBegun: false },
  ]);
  await client.close();
  for (const session of sessions) session.destroy();
  await closed(server as unknown as Server);
});

Deno.test("R60 R68 a call over HTTP/2 that a stop cuts may have run, and one behind it was not sent", async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const sessions: { destroy(): void }[] = [];
  const server = createHttp2Server(() => resolve());
  server.on("session", (session) => sessions.push(session));
  const url = `http://127.0.0.1:${await listening(server as unknown as Server)}/mcp`;
  const client = silentClient(url);
  const told: unknown[] = [];
  const send = (headersMs: number) =>
    client.send(silentPost(headersMs)).catch(({ kind, retrySafe }: ProxyError) => {
      told.push([kind, retrySafe]);
    });
  const sent = send(5_000);
  await asked;
  await client.close();
  await sent;
  await send(5_000);
  assertEquals(told, [["stopping", false], ["stopping", true]]);
  for (const session of sessions) session.destroy();
  await closed(server as unknown as Server);
});

Deno.test("R70 a redirect of an HTTP/2 upstream is not followed", async () => {
  const paths: string[] = [];
  const server = createHttp2Server((request, response) => {
    paths.push(request.url);
    response.statusCode = 307;
    response.setHeader("location", "/elsewhere");
    response.end();
  });
  const sessions: { destroy(): void }[] = [];
  server.on("session", (session) => sessions.push(session));
  const upstream = `http://127.0.0.1:${await listening(server as unknown as Server)}/mcp`;
  assertEquals((await ping(upstream, { http2: true })).status, 502);
  assertEquals(paths, ["/mcp"]);
  for (const session of sessions) session.destroy();
  await closed(server as unknown as Server);
});

Deno.test("an HTTP/2 upstream that is not there is unreachable", async () => {
  const { status, logs } = await ping(`http://127.0.0.1:${freePort()}/mcp`, { http2: true });
  assertEquals(status, 502);
  assert(logs.includes("upstream_unreachable"));
});
