/**
 * A real authorization server on loopback: `oidc-provider`, with client registration, PKCE, refresh tokens and resource
 * indicators (RFC 7591, 7636, 8707), and its own pages for people. Its tokens are opaque, or JWTs.
 *
 * @module
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Provider, { type ClientMetadata, type Configuration, errors } from "oidc-provider";

/** A running authorization server. */
export interface AuthorizationServer extends AsyncDisposable {
  /** Its issuer identifier. */
  readonly issuer: string;
  /** The one resource for which it gives tokens; `ANY` at first. */
  resource: string;
  /** How long the access tokens live that it gives from now on, in seconds. */
  lifetimeS: number;
  /** What is known of an access token. */
  find(token: string): Promise<KnownToken | undefined>;
  /** No access token that was given is good any more. */
  revokeAccessTokens(): void;
  /** How many access tokens it has given, by the way they were asked for. */
  readonly grants: readonly string[];
  /** Methods and paths of its requests. */
  readonly asked: readonly string[];
}

/** An access token. */
export interface KnownToken {
  readonly clientId: string;
  readonly scopes: string[];
  /** In seconds since 1970. */
  readonly expiresAt: number;
  /** For which resource it was given. */
  readonly audience: string;
}

/** What is told of a grant. */
interface Granted {
  readonly oidc: { readonly params: { readonly grant_type: string } };
}

/** The scope that it knows. */
export const SCOPE = "mcp:tools";
/** Any resource. */
const ANY = "*";
const LIFETIME_S = 3_600;

/** What an authorization server is set up with; `settings` are asked whenever it gives a token. */
function configuration(
  settings: Pick<AuthorizationServer, "resource" | "lifetimeS">,
  accessTokenFormat: "opaque" | "jwt",
  clients: ClientMetadata[],
): Configuration {
  return {
    clients,
    scopes: [SCOPE, "offline_access"],
    pkce: { required: () => true },
    cookies: { keys: ["a key for tests alone"] },
    ttl: {
      AccessToken: () => settings.lifetimeS,
      RefreshToken: LIFETIME_S,
      Grant: LIFETIME_S,
      Interaction: 600,
      Session: LIFETIME_S,
    },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    features: {
      registration: { enabled: true },
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, resource: string) => {
          const { resource: only, lifetimeS } = settings;
          if (only !== ANY && only !== resource) throw new errors.InvalidTarget();
          return {
            scope: SCOPE,
            audience: resource,
            accessTokenFormat,
            accessTokenTTL: lifetimeS,
          };
        },
        useGrantedResource: () => true,
        // For clients that name none, where there is but one.
        defaultResource: () => settings.resource === ANY ? undefined : settings.resource,
      },
    },
    findAccount: (_ctx: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub }),
    }),
  };
}

/** Starts one on a free port, which knows some clients beforehand. */
export async function startAuthorizationServer(
  accessTokenFormat: "opaque" | "jwt" = "opaque",
  clients: ClientMetadata[] = [],
): Promise<AuthorizationServer> {
  const server = createServer();
  const asked: string[] = [];
  server.on("request", ({ method, url }) => asked.push(`${method} ${url!.replace(/\?.*/, "")}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const grants: string[] = [];
  const revoked = new Set<string>();
  const known = new Set<string>();
  const settings = { resource: ANY, lifetimeS: LIFETIME_S };
  const provider = new Provider(issuer, configuration(settings, accessTokenFormat, clients));
  provider.on("grant.success", (context: Granted) => {
    grants.push(context.oidc.params.grant_type);
  });
  server.on("request", provider.callback());
  return Object.assign(settings, {
    issuer,
    grants,
    asked,
    async find(token: string) {
      const found = await provider.AccessToken.find(token) ??
        await provider.ClientCredentials.find(token);
      if (found === undefined || revoked.has(token)) return undefined;
      known.add(token);
      const { clientId, scope, exp, aud } = found;
      return {
        clientId,
        scopes: (scope ?? "").split(" "),
        expiresAt: exp,
        audience: String(aud),
      };
    },
    revokeAccessTokens() {
      for (const token of known) revoked.add(token);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
