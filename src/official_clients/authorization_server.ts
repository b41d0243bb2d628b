/**
 * A real authorization server in this process (oidc-provider), and a user without a browser who agrees to all.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

/** A running server. */
export interface AuthorizationServer extends AsyncDisposable {
  /** Its issuer. */
  readonly issuer: string;
  /** Paths it was asked for, with their methods. */
  readonly asked: readonly string[];
  /** How long the access tokens live that it issues from now on, in seconds. */
  ttlSeconds: number;
}

/** Silences what the server says of being one for tests alone. */
function quietly<T>(make: () => T): T {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return make();
  } finally {
    Object.assign(console, { warn, info });
  }
}

/** Starts one on a free loopback port, for the scope `mcp:use`; it issues JWTs for any resource (RFC 8707). */
export async function authorizationServer(): Promise<AuthorizationServer> {
  const asked: string[] = [];
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url!.replace(/\?.*/, "")}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: AuthorizationServer = {
    issuer,
    asked,
    ttlSeconds: 3_600,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const provider = quietly(() =>
    new Provider(issuer, {
      scopes: ["openid", "mcp:use"],
      issueRefreshToken: () => true,
      cookies: { keys: ["of a test"] },
      features: {
        registration: { enabled: true },
        devInteractions: { enabled: true },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (_context: unknown, resource: string) => ({
            scope: "mcp:use",
            audience: resource,
            accessTokenTTL: running.ttlSeconds,
            accessTokenFormat: "jwt",
          }),
        },
      },
    })
  );
  answer = provider.callback();
  return running;
}

/** Steps from one page to the next before the user gives up. */
const MAX_STEPS = 20;

/**
 * Does what a user does in a browser: signs in, agrees, and is sent back to the client.
 *
 * @param backTo the client's own address, which nobody answers at
 * @returns what the client is told at its address: the code, and who has issued it
 */
export async function agree(authorizationUrl: URL, backTo: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>();
  let url = authorizationUrl;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < MAX_STEPS; step++) {
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") },
      ...(form && { method: "POST", body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    const text = await response.text();
    const location = response.headers.get("location");
    if (location !== null) {
      url = new URL(location, url);
      form = undefined;
      if (url.href.startsWith(backTo)) return url.searchParams;
      continue;
    }
    const [, action] = /<form[^>]* action="([^"]+)"/.exec(text) ?? [];
    if (action === undefined) throw new Error(`no form: ${response.status} ${text.slice(0, 500)}`);
    const [, prompt] = /name="prompt" value="(\w+)"/.exec(text)!;
    url = new URL(action, url);
    form = new URLSearchParams({ prompt: prompt!, login: "alice", password: "any" });
  }
  throw new Error("the user gave up");
}
