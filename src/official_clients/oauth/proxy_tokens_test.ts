/**
 * The official clients of both SDKs, which know nothing of OAuth here, call a tool of a server that wants tokens of a
 * real authorization server: the proxy is registered there, and shows who it is in each way that there is.
 *
 * Source: 2026-07-28 basic/authorization; RFC 6749 section 4.4, RFC 7523, 8414, 8707, 9728.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { exportJWK, exportPKCS8, generateKeyPair } from "jose";
import type { ClientMetadata } from "oidc-provider";
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

const NAME = { name: "official", version: "1" };
const SECRET = "canary-secret/with+what:is%special";

/** A client of either SDK that is connected. */
interface Caller {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

const CALLERS: Readonly<Record<string, (endpoint: string) => Promise<Caller>>> = {
  "v1 client": (endpoint) => v1(new StreamableHTTPClientTransport(new URL(endpoint)) as Transport),
  "v1 client over HTTP+SSE": (endpoint) =>
    v1(new SSEClientTransport(new URL(endpoint.replace(/mcp$/, "sse"))) as Transport),
  "v2 client": (endpoint) => v2(endpoint, {}),
  "v2 client of 2026-07-28": (endpoint) =>
    v2(endpoint, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
};

async function v1(transport: Transport): Promise<Caller> {
  const client = new Client(NAME);
  await client.connect(transport);
  return client;
}

async function v2(endpoint: string, options: object): Promise<Caller> {
  const client = new ClientV2(NAME, options);
  await client.connect(new TransportV2(new URL(endpoint)));
  return client;
}

const SERVERS = { "session server": startSessionServer, "modern server": startModernServer };

/** How the proxy is registered, and what its config says of that. */
interface Registration {
  readonly client: ClientMetadata;
  readonly oauth: Readonly<Record<string, unknown>>;
}

function registered(authentication: string, more: Partial<ClientMetadata>): ClientMetadata {
  return {
    client_id: "switchyard",
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: authentication,
    ...more,
  } as ClientMetadata;
}

function withSecret(authentication: string): Registration {
  return {
    client: registered(authentication, { client_secret: SECRET }),
    oauth: { clientId: "switchyard", authentication, clientSecret: SECRET },
  };
}

async function withKey(alg: string): Promise<Registration> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const keys = [{ ...await exportJWK(publicKey), kid: "k1", use: "sig" }];
  const authentication = "private_key_jwt";
  return {
    client: registered(authentication, {
      jwks: { keys } as ClientMetadata["jwks"],
      token_endpoint_auth_signing_alg: alg as "ES256",
    }),
    oauth: {
      clientId: "switchyard",
      authentication,
      privateKey: await exportPKCS8(privateKey),
      keyId: "k1",
    },
  };
}

interface Used {
  readonly registration: Registration;
  readonly startServer: () => { readonly url: string; close(): Promise<void> };
  readonly connect: (endpoint: string) => Promise<Caller>;
}

/** Calls a tool, and once more when the token of before is good no longer. */
async function use({ registration, startServer, connect }: Used): Promise<void> {
  await using authorizationServer = await startAuthorizationServer("opaque", [registration.client]);
  const server = startServer();
  await using guarded = await guardServer(server.url, authorizationServer);
  authorizationServer.resource = guarded.url;
  const { issuer } = authorizationServer;
  const oauth = { issuer, allowPrivateAddresses: true, ...registration.oauth };
  try {
    await withProxy({ upstream: guarded.url, upstreamConfig: { oauth } }, async (proxy) => {
      const caller = await connect(proxy.endpoint);
      const echo = async (message: string) =>
        JSON.stringify(await caller.callTool({ name: "test_echo", arguments: { message } }));
      assert((await echo("weft")).includes("weft"));
      assertEquals(authorizationServer.grants, ["client_credentials"]);
      assertEquals(guarded.asked, ["/.well-known/oauth-protected-resource/mcp"]);
      authorizationServer.revokeAccessTokens();
      assert((await echo("warp")).includes("warp"));
      assertEquals(authorizationServer.grants, ["client_credentials", "client_credentials"]);
      await caller.close();
      assert(proxy.logs.every((line) => !line.includes("canary")));
    });
  } finally {
    await server.close();
  }
}

for (const [callerName, connect] of Object.entries(CALLERS)) {
  for (const [serverName, startServer] of Object.entries(SERVERS)) {
    Deno.test(`${callerName}, ${serverName}: calls a tool with the proxy's token, and goes on with another one`, () =>
      use({ registration: withSecret("client_secret_basic"), startServer, connect }));
  }
}

const WAYS: Readonly<Record<string, () => Registration | Promise<Registration>>> = {
  "a secret in the form": () => withSecret("client_secret_post"),
  "a key for ES256": () => withKey("ES256"),
  "a key for RS256": () => withKey("RS256"),
  "a key for EdDSA": () => withKey("EdDSA"),
};

for (const [way, register] of Object.entries(WAYS)) {
  Deno.test(`the authorization server takes the proxy for who it is by ${way}`, async () =>
    await use({
      registration: await register(),
      startServer: startSessionServer,
      connect: CALLERS["v2 client"]!,
    }));
}
