/**
 * The official clients of both SDKs authorise at a real authorization server and call a tool of a server that wants its
 * tokens, through the proxy, of which they and the server know nothing: registration, PKCE, code flow, refresh.
 *
 * Source: 2026-07-28 and 2025-11-25 basic/authorization; RFC 7591, 7636, 8414, 8707, 9728.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { startModernServer } from "../../../conformance/servers/modern.ts";
import { startSessionServer } from "../../../conformance/servers/session.ts";
import { withProxy } from "../../testing/proxy.ts";
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from "../sdk_v1.ts";
import { startAuthorizationServer } from "./authorization_server.ts";
import { guardServer } from "./guarded_server.ts";
import { MemoryProvider } from "./provider.ts";

/** A client, not connected yet. */
interface Caller {
  connect(): Promise<void>;
  /** Ends the authorization that the first try to connect has begun. */
  finish(returned: URLSearchParams): Promise<void>;
  tools(): Promise<{ name: string }[]>;
  echo(message: string): Promise<string>;
  close(): Promise<void>;
}

type MakeCaller = (endpoint: string, authProvider: MemoryProvider) => Caller;

const NAME = { name: "official", version: "1" };

function textOf(result: unknown): string {
  return JSON.stringify((result as { content: unknown }).content);
}

function v1(
  makeTransport: (authProvider: MemoryProvider) => {
    finishAuth(code: string): Promise<void>;
  },
  authProvider: MemoryProvider,
  tool: string,
): Caller {
  let client = new Client(NAME);
  let transport = makeTransport(authProvider);
  return {
    connect: () => client.connect(transport as unknown as Transport),
    async finish(returned) {
      await transport.finishAuth(returned.get("code")!);
      await client.close();
      client = new Client(NAME);
      transport = makeTransport(authProvider);
    },
    tools: async () => (await client.listTools()).tools,
    echo: async (message) => textOf(await client.callTool({ name: tool, arguments: { message } })),
    close: () => client.close(),
  };
}

const ECHO = "test_echo";

const CALLERS: Readonly<Record<string, MakeCaller>> = {
  "v1 client": (endpoint, authProvider) =>
    v1(
      (authProvider) =>
        new StreamableHTTPClientTransport(new URL(endpoint), { authProvider } as never),
      authProvider,
      ECHO,
    ),
  "v1 client over HTTP+SSE": (endpoint, authProvider) =>
    v1(
      (authProvider) =>
        new SSEClientTransport(new URL(endpoint.replace(/mcp$/, "sse")), { authProvider } as never),
      authProvider,
      ECHO,
    ),
  "v2 client": (endpoint, authProvider) => v2(endpoint, authProvider, {}),
  "v2 client of 2026-07-28": (endpoint, authProvider) =>
    v2(endpoint, authProvider, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
};

function v2(endpoint: string, authProvider: MemoryProvider, options: object): Caller {
  const make = () => new TransportV2(new URL(endpoint), { authProvider });
  let client = new ClientV2(NAME, options);
  let transport = make();
  return {
    connect: () => client.connect(transport),
    async finish(returned) {
      await transport.finishAuth(returned);
      await client.close();
      client = new ClientV2(NAME, options);
      transport = make();
    },
    tools: async () => (await client.listTools()).tools,
    echo: async (message) => textOf(await client.callTool({ name: ECHO, arguments: { message } })),
    close: () => client.close(),
  };
}

const SERVERS = { "session server": startSessionServer, "modern server": startModernServer };

for (const [callerName, makeCaller] of Object.entries(CALLERS)) {
  for (const [serverName, startServer] of Object.entries(SERVERS)) {
    Deno.test(`${callerName}, ${serverName}: authorises through the proxy, calls a tool, and goes on with a refreshed token`, async () => {
      await using authorizationServer = await startAuthorizationServer();
      const server = startServer();
      await using guarded = await guardServer(server.url, authorizationServer);
      const upstreamConfig = { credentials: "forward" };
      try {
        await withProxy({ upstream: guarded.url, upstreamConfig }, async ({ endpoint, logs }) => {
          const resource = callerName.includes("SSE") ? endpoint.replace(/mcp$/, "sse") : endpoint;
          authorizationServer.resource = resource;
          const provider = new MemoryProvider();
          const caller = makeCaller(endpoint, provider);
          await assertRejects(() => caller.connect());
          assertEquals(provider.sent.length, 1);
          // RFC 8707: what the client dialled, which is what the proxy says of the resource.
          assertEquals(provider.sent[0]!.searchParams.get("resource"), resource);
          assertEquals(provider.sent[0]!.origin, authorizationServer.issuer);
          // The client has asked the proxy, and the proxy the server, once.
          assertEquals(guarded.asked, ["/.well-known/oauth-protected-resource/mcp"]);
          await caller.finish(provider.returned[0]!);
          await caller.connect();
          assert((await caller.tools()).some(({ name }) => name === ECHO));
          assert((await caller.echo("weft")).includes("weft"));
          authorizationServer.revokeAccessTokens();
          assert((await caller.echo("warp")).includes("warp"));
          assertEquals(authorizationServer.grants, ["authorization_code", "refresh_token"]);
          assertEquals(provider.sent.length, 1);
          const own = serverName === "session server" && callerName !== "v2 client of 2026-07-28";
          const begun = guarded.passed.filter((one) => one === "POST -").length;
          if (own) assertEquals(begun, 1);
          await caller.close();
          const tokens = [provider.tokens()!.access_token, provider.tokens()!.refresh_token!];
          assert(tokens.every((token) => logs.every((line) => !line.includes(token))));
        });
      } finally {
        await server.close();
      }
    });
  }
}
