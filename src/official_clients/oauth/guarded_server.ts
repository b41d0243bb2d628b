/**
 * A server of this repository behind the gate of the official v2 SDK: bearer tokens of a real authorization server, and
 * metadata of its own, which name the server's own address.
 *
 * @module
 */

import {
  getOAuthProtectedResourceMetadataUrl,
  OAuthError,
  OAuthErrorCode,
  type OAuthMetadata,
  oauthMetadataResponse,
  requireBearerAuth,
} from "@modelcontextprotocol/server";
import { type AuthorizationServer, SCOPE } from "./authorization_server.ts";

/** A server that wants tokens. */
export interface GuardedServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
  /** What it was asked for at the well-known paths. */
  readonly asked: readonly string[];
  /** What it has let through: the method and the session that was named. */
  readonly passed: readonly string[];
}

/** Guards the server at `url`. */
export async function guardServer(
  url: string,
  authorizationServer: AuthorizationServer,
): Promise<GuardedServer> {
  const address = `${authorizationServer.issuer}/.well-known/oauth-authorization-server`;
  const oauthMetadata: OAuthMetadata = await (await fetch(address)).json();
  const asked: string[] = [];
  const passed: string[] = [];
  const gone = new AbortController();
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(listening, async (request) => {
    const { pathname } = new URL(request.url);
    const documents = {
      oauthMetadata,
      resourceServerUrl,
      resourceName: "Guarded",
      scopesSupported: [SCOPE],
    };
    if (pathname.startsWith("/.well-known/")) {
      asked.push(pathname);
      return oauthMetadataResponse(request, documents) ?? new Response(null, { status: 404 });
    }
    const auth = await gate(request);
    if (auth instanceof Response) return auth;
    passed.push(`${request.method} ${request.headers.get("mcp-session-id") ?? "-"}`);
    return await passOn(request, url, gone.signal);
  });
  const resourceServerUrl = new URL(`http://127.0.0.1:${server.addr.port}/mcp`);
  const gate = requireBearerAuth({
    verifier: { verifyAccessToken: (token) => verify(authorizationServer, token) },
    requiredScopes: [SCOPE],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resourceServerUrl),
  });
  return {
    url: resourceServerUrl.href,
    asked,
    passed,
    async [Symbol.asyncDispose]() {
      gone.abort();
      await server.shutdown();
    },
  };
}

/** The audience is held by the server itself: it knows under which address it is public. */
async function verify(authorizationServer: AuthorizationServer, token: string) {
  const found = await authorizationServer.find(token);
  if (found === undefined || found.audience !== authorizationServer.resource) {
    throw new OAuthError(OAuthErrorCode.InvalidToken, "The token is unknown");
  }
  return { token, ...found };
}

async function passOn(request: Request, url: string, gone: AbortSignal): Promise<Response> {
  const { method, headers } = request;
  const body = request.body === null ? null : await request.arrayBuffer();
  const signal = AbortSignal.any([request.signal, gone]);
  try {
    return await fetch(url, { method, headers, body, signal });
  } catch {
    return new Response(null, { status: 502 });
  }
}
