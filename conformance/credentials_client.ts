/**
 * The client that the official suite runs for its scenarios of credentials without a person (client_credentials). With
 * `--through` it knows nothing of OAuth, and the credentials are those of a proxy of this repository in front of the
 * server, which the suite judges then; without, the official v2 SDK has them.
 *
 * @module
 */

import {
  Client,
  ClientCredentialsProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { throughProxy } from "./client_proxy.ts";

/** What the suite tells beside the address. */
interface Context {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly private_key_pem?: string;
  readonly signing_algorithm?: string;
}

const MODERN = "2026-07-28";

/** The suite does not tell who has registered the client, which its operator would know: the server does. */
async function issuerOf(url: string): Promise<string> {
  const { origin, pathname } = new URL(url);
  const response = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  const { authorization_servers: servers } = await response.json() as {
    authorization_servers: string[];
  };
  return servers[0]!;
}

function providerOf(context: Context, expectedIssuer: string): OAuthClientProvider {
  const { client_id: clientId, client_secret: clientSecret } = context;
  if (clientSecret !== undefined) {
    return new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer });
  }
  return new PrivateKeyJwtProvider({
    clientId,
    privateKey: context.private_key_pem!,
    algorithm: context.signing_algorithm!,
    expectedIssuer,
  });
}

function settingsOf(context: Context, issuer: string): Readonly<Record<string, unknown>> {
  const { client_id: clientId, client_secret: clientSecret } = context;
  const proof = clientSecret !== undefined
    ? { clientSecret }
    : { authentication: "private_key_jwt", privateKey: context.private_key_pem };
  return { oauth: { issuer, clientId, ...proof, allowPrivateAddresses: true } };
}

/** Connects and calls each tool. */
async function use(endpoint: string, authProvider?: OAuthClientProvider): Promise<void> {
  const revision = Deno.env.get("MCP_CONFORMANCE_PROTOCOL_VERSION") ?? MODERN;
  const options = revision === MODERN ? { versionNegotiation: { mode: { pin: revision } } } : {};
  const client = new Client({ name: "switchyard", version: "1" }, options);
  await client.connect(
    new StreamableHTTPClientTransport(new URL(endpoint), { ...(authProvider && { authProvider }) }),
  );
  const { tools } = await client.listTools();
  for (const { name } of tools) await client.callTool({ name, arguments: {} });
  await client.close();
}

async function main(args: readonly string[]): Promise<void> {
  const url = args.at(-1)!;
  const context = JSON.parse(Deno.env.get("MCP_CONFORMANCE_CONTEXT") ?? "{}") as Context;
  const issuer = await issuerOf(url);
  if (!args.includes("--through")) return await use(url, providerOf(context, issuer));
  await throughProxy(url, settingsOf(context, issuer), use);
}

if (import.meta.main) await main(Deno.args);
