/**
 * An official client of 2025-03-26, which knows of no protected resources, authorises through the proxy: for a server
 * that says itself, at its origin, how its tokens are had, and for one whose metadata say where.
 *
 * Source: 2025-03-26 basic/authorization, "Server Metadata Discovery".
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="@modelcontextprotocol/sdk-1.11/client/index"
import { Client } from "@modelcontextprotocol/sdk-1.11/client/index.js";
// @ts-types="@modelcontextprotocol/sdk-1.11/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk-1.11/client/streamableHttp.js";
import { startSessionServer } from "../../../conformance/servers/session.ts";
import { withProxy } from "../../testing/proxy.ts";
import {
  type AuthorizationServer,
  SCOPE,
  startAuthorizationServer,
} from "./authorization_server.ts";
import { within } from "../wait.ts";
import { guardServer } from "./guarded_server.ts";
import { MemoryProvider } from "./provider.ts";

const METADATA = "/.well-known/oauth-authorization-server";

/** Guards the server at `url` as servers of 2025-03-26 do: without a word of where tokens come from but at `METADATA`. */
function guardAsOfOld(url: string, { issuer, find }: AuthorizationServer) {
  const asked: string[] = [];
  const gone = new AbortController();
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(listening, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/.well-known/")) {
      asked.push(pathname);
      return pathname === METADATA
        ? await fetch(`${issuer}${METADATA}`)
        : new Response(null, { status: 404 });
    }
    const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined || await find(token) === undefined) {
      return Response.json({ error: "invalid_token" }, { status: 401 });
    }
    const { method, headers } = request;
    const body = request.body === null ? null : await request.arrayBuffer();
    const signal = AbortSignal.any([request.signal, gone.signal]);
    try {
      return await fetch(url, { method, headers, body, signal });
    } catch {
      return new Response(null, { status: 502 });
    }
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    asked,
    async [Symbol.asyncDispose]() {
      gone.abort();
      await server.shutdown();
    },
  };
}

/** Asks for a scope, which that client does not, and without which the authorization server of the tests gives nothing. */
class ScopedProvider extends MemoryProvider {
  override redirectToAuthorization(address: URL) {
    address.searchParams.set("scope", SCOPE);
    return super.redirectToAuthorization(address);
  }
}

/** Servers that want tokens, by what they are. */
const SERVERS = {
  "server of 2025-03-26": guardAsOfOld,
  "server of today, whose metadata name its authorization server": guardServer,
};

for (const [name, guard] of Object.entries(SERVERS)) {
  Deno.test(`SDK 1.11 client, ${name}: authorises through the proxy and calls a tool`, async () => {
    await using authorizationServer = await startAuthorizationServer();
    const server = startSessionServer();
    await using guarded = await guard(server.url, authorizationServer);
    const upstreamConfig = { credentials: "forward", allowPrivateIssuer: true };
    try {
      await withProxy({ upstream: guarded.url, upstreamConfig }, async ({ endpoint }) => {
        // Such a client names no resource, so that the authorization server has to know for which one it asks.
        authorizationServer.resource = endpoint;
        await authoriseAndCall(endpoint, authorizationServer);
      });
    } finally {
      await server.close();
    }
  });
}

/**
 * Reads what that client leaves unread, refusals and answers without a body, which would be streams that nobody closes
 * but the collector of garbage; and tells when the stream of its GET at `endpoint` is open.
 */
function watchFetch(endpoint: string): Disposable & { readonly listening: Promise<void> } {
  const { fetch } = globalThis;
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  globalThis.fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (response.status !== 200) return new Response(await response.bytes(), response);
    if (init?.method === "GET" && String(input) === endpoint) resolve();
    return response;
  };
  return { listening, [Symbol.dispose]: () => globalThis.fetch = fetch };
}

async function authoriseAndCall(
  endpoint: string,
  { issuer, grants }: AuthorizationServer,
): Promise<void> {
  using watch = watchFetch(endpoint);
  const authProvider = new ScopedProvider();
  const make = () =>
    new StreamableHTTPClientTransport(new URL(endpoint), { authProvider } as never);
  const first = new Client({ name: "old", version: "1" });
  const transport = make();
  await assertRejects(() => first.connect(transport as never), Error, "Unauthorized");
  assertEquals(authProvider.sent.map(({ origin }) => origin), [issuer]);
  await transport.finishAuth(authProvider.returned[0]!.get("code")!);
  await first.close();
  const client = new Client({ name: "old", version: "1" });
  await client.connect(make() as never);
  const { tools } = await client.listTools();
  assert(tools.some(({ name }) => name === "test_echo"));
  await within(watch.listening, "the opening of the GET stream");
  await client.close();
  assertEquals(new Set(grants), new Set(["authorization_code"]));
}
