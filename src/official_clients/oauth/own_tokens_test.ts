/**
 * The official clients through a proxy that wants access tokens, with a real authorization server: discovery from
 * the 401, registration, the code flow with PKCE, a call, and a refresh in the middle of a session.
 *
 * @module
 */

import * as v2 from "@modelcontextprotocol/client";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { freePort } from "../../../conformance/free_port.ts";
import { startModernServer } from "../../../conformance/servers/modern.ts";
import { startSessionServer } from "../../../conformance/servers/session.ts";
import { type Clock, systemClock } from "../../clock.ts";
import * as messages from "../../testing/messages.ts";
import { withProxy } from "../../testing/proxy.ts";
import { postText } from "../../testing/raw_client.ts";
import {
  Client,
  StreamableHTTPClientTransport,
  type Transport,
  UnauthorizedError,
} from "../sdk_v1.ts";
import { FetchWatch } from "../session_client.ts";
import {
  type AuthorizationServer,
  SCOPE,
  startAuthorizationServer,
} from "./authorization_server.ts";
import { MemoryProvider } from "./provider.ts";

interface Connected {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
  readonly provider: MemoryProvider;
  readonly watch: FetchWatch;
  readonly server: AuthorizationServer;
  readonly endpoint: string;
  readonly logs: readonly string[];
}

function claimsOf(token: string): Record<string, unknown> {
  const payload = token.split(".")[1]!;
  return JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" })),
  );
}

/** Runs `test` with a client that has come through the whole flow. */
async function connected(
  clock: Clock,
  test: (connected: Connected) => Promise<void>,
): Promise<void> {
  await using server = await startAuthorizationServer("jwt");
  server.lifetimeS = 60;
  const upstream = startSessionServer();
  const listen = `127.0.0.1:${freePort()}`;
  const oauth = { issuer: server.issuer, scopes: [SCOPE], allowPrivateAddresses: true };
  try {
    // Without publicUrl: its place is taken by listen.
    const config = { listen, auth: { oauth } };
    await withProxy({ upstream: upstream.url, config, clock }, async ({ endpoint, logs }) => {
      const provider = new MemoryProvider();
      const watch = new FetchWatch();
      const transportOf = () =>
        new StreamableHTTPClientTransport(new URL(endpoint), {
          fetch: watch.fetch,
          authProvider: provider as never,
        });
      const first = transportOf();
      const stranger = new Client({ name: "official-v1", version: "1" });
      await assertRejects(() => stranger.connect(first as Transport), UnauthorizedError);
      await first.finishAuth(provider.returned[0]!.get("code")!);
      await stranger.close();
      const transport = transportOf();
      const client = new Client({ name: "official-v1", version: "1" });
      await client.connect(transport as Transport);
      await test({ client, transport, provider, watch, server, endpoint, logs });
      await transport.terminateSession();
      await client.close();
    });
  } finally {
    await upstream.close();
  }
}

Deno.test("the v1 client finds the authorization server from the 401, registers, gets a token and calls", () =>
  connected(systemClock, async ({ client, provider, server, endpoint, watch, logs }) => {
    await watch.listening();
    const { tools } = await client.listTools();
    assert(tools.length > 0);
    const [token] = provider.issued;
    const claims = claimsOf(token!.access_token);
    assertEquals([claims.iss, claims.aud, claims.scope], [server.issuer, endpoint, SCOPE]);
    const asked = provider.sent[0]!.searchParams;
    assertEquals([asked.get("resource"), asked.get("scope"), asked.get("code_challenge_method")], [
      endpoint,
      SCOPE,
      "S256",
    ]);
    assert(server.asked.includes("POST /reg"), server.asked.join());
    // R96, with tokens as they are.
    const text = logs.join("\n");
    for (const secret of [token!.access_token, token!.refresh_token!, "somebody"]) {
      assert(!text.includes(secret));
    }
  }));

Deno.test("R91 a token that expires is a 401, upon which the v1 client refreshes it and goes on in its session", async () => {
  let aheadMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => new Date(systemClock.now().getTime() + aheadMs),
  };
  await connected(clock, async ({ client, transport, provider, server, watch }) => {
    await watch.listening();
    await client.listTools();
    const { sessionId } = transport;
    const before = watch.statuses.filter((status) => status === 401).length;
    server.lifetimeS = 7_200;
    aheadMs = 3_600_000;
    assert((await client.listTools()).tools.length > 0);
    assertEquals(watch.statuses.filter((status) => status === 401).length, before + 1);
    assertEquals([provider.issued.length, transport.sessionId], [2, sessionId]);
    assert(sessionId !== undefined);
    const [first, second] = provider.issued.map(({ access_token }) => claimsOf(access_token));
    assertEquals([first!.sub, first!.aud], [second!.sub, second!.aud]);
    assert(Number(second!.exp) > Number(first!.exp) + 3_600);
  });
});

Deno.test("the v2 client, pinned to 2026-07-28, comes through the same, the issuer of its code included (RFC 9207)", async () => {
  await using server = await startAuthorizationServer("jwt");
  const upstream = startModernServer();
  const listen = `127.0.0.1:${freePort()}`;
  const oauth = { issuer: server.issuer, scopes: [SCOPE], allowPrivateAddresses: true };
  try {
    await withProxy(
      { upstream: upstream.url, config: { listen, auth: { oauth } } },
      async (proxy) => {
        const provider = new MemoryProvider();
        const make = () => ({
          transport: new v2.StreamableHTTPClientTransport(new URL(proxy.endpoint), {
            authProvider: provider,
          }),
          client: new v2.Client({ name: "official-v2", version: "1" }, {
            versionNegotiation: { mode: { pin: "2026-07-28" } },
          }),
        });
        const first = make();
        await assertRejects(() => first.client.connect(first.transport), v2.UnauthorizedError);
        await first.transport.finishAuth(provider.returned[0]!);
        await first.client.close();
        const { client, transport } = make();
        await client.connect(transport);
        assertEquals(client.getProtocolEra(), "modern");
        assert((await client.listTools()).tools.length > 0);
        assertEquals(claimsOf(provider.issued[0]!.access_token).aud, proxy.endpoint);
        await client.close();
        // R92: the same user's token is nothing worth at another resource of the same authorization server.
        const config = { publicUrl: "https://other.example.com", auth: { oauth } };
        await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
          const headers = { authorization: `Bearer ${provider.issued[0]!.access_token}` };
          const { status, text } = await postText(origin, messages.ping(), headers);
          assertEquals([status, text.includes("was issued for another resource")], [401, true]);
        });
      },
    );
  } finally {
    await upstream.close();
  }
});
