/**
 * The client that the official suite runs for its scenarios of authorization: the official v2 SDK's, at the address
 * that the suite appends, or with `--through` at a proxy of this repository that it starts in front of it. The suite
 * plays the server and the authorization server, which lets everybody in.
 *
 * @module
 */

import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { throughProxy } from "./client_proxy.ts";

type Stored<Key extends keyof OAuthClientProvider> = OAuthClientProvider[Key] extends
  ((value: infer Value, ...rest: never[]) => unknown) | undefined ? Value : never;

const MODERN = "2026-07-28";
/** How often it authorises for one thing. */
const MAX_TRIES = 3;
const CALLBACK = "http://localhost:3000/callback";

/** What the client keeps of its authorization; its person agrees without a look. */
class Provider implements OAuthClientProvider {
  readonly redirectUrl = CALLBACK;
  /** The one address that the suite takes for a client's own document. */
  readonly clientMetadataUrl = "https://conformance-test.local/client-metadata.json";
  readonly clientMetadata = {
    client_name: "switchyard",
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: "native",
  };
  /** What came back of authorizations that were not ended yet. */
  readonly returned: URLSearchParams[] = [];
  #information: Stored<"saveClientInformation"> | undefined;
  #tokens: Stored<"saveTokens"> | undefined;
  #discovery: Stored<"saveDiscoveryState"> | undefined;
  #verifier = "";

  /** `context` is what the suite tells beside the address. */
  constructor({ client_id, client_secret }: Record<string, string | undefined>) {
    if (client_id === undefined) return;
    this.#information = { client_id, ...(client_secret !== undefined && { client_secret }) };
  }

  clientInformation() {
    return this.#information;
  }

  saveClientInformation(information: Stored<"saveClientInformation">) {
    this.#information = information;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens: Stored<"saveTokens">) {
    this.#tokens = tokens;
  }

  saveDiscoveryState(state: Stored<"saveDiscoveryState">) {
    this.#discovery = state;
  }

  discoveryState() {
    return this.#discovery;
  }

  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  async redirectToAuthorization(address: URL) {
    const response = await fetch(address, { redirect: "manual" });
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (location === null) throw new Error(`no way back from ${address}: ${response.status}`);
    this.returned.push(new URL(location).searchParams);
  }
}

/** Does something, and once more each time that it has led to an authorization. */
async function authorised<T>(
  provider: Provider,
  transport: () => StreamableHTTPClientTransport,
  act: () => Promise<T>,
): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await act();
    } catch (error) {
      const returned = provider.returned.shift();
      if (!(error instanceof UnauthorizedError) || returned === undefined) throw error;
      if (tries === MAX_TRIES) throw error;
      await transport().finishAuth(returned);
    }
  }
}

async function run(endpoint: string, revision: string, provider: Provider): Promise<void> {
  const versionNegotiation = { mode: { pin: revision } };
  const make = () =>
    new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
  let transport = make();
  const connect = async () => {
    const options = revision === MODERN ? { versionNegotiation } : {};
    const made = new Client({ name: "switchyard", version: "1" }, options);
    transport = make();
    await made.connect(transport);
    return made;
  };
  const client = await authorised(provider, () => transport, connect);
  const { tools } = await authorised(provider, () => transport, () => client.listTools());
  for (const { name } of tools) {
    await authorised(provider, () => transport, () => client.callTool({ name, arguments: {} }));
  }
  await client.close();
}

async function main(args: readonly string[]): Promise<void> {
  const url = args.at(-1)!;
  const context = JSON.parse(Deno.env.get("MCP_CONFORMANCE_CONTEXT") ?? "{}");
  const revision = Deno.env.get("MCP_CONFORMANCE_PROTOCOL_VERSION") ?? MODERN;
  const provider = new Provider(context);
  if (!args.includes("--through")) return await run(url, revision, provider);
  await throughProxy(
    url,
    { credentials: "forward" },
    (endpoint) => run(endpoint, revision, provider),
  );
}

if (import.meta.main) await main(Deno.args);
