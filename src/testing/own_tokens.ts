/**
 * An authorization server that gives tokens to clients with a secret, and a server that wants them.
 *
 * @module
 */

import { passOn } from "./token_gate.ts";

/** What the proxy is registered with. */
export const CLIENT = { clientId: "switchyard", clientSecret: "canary-secret" };

/** The scope that a guarded server asks for. */
export const SCOPE = "mcp:use";

const METADATA = "/.well-known/oauth-protected-resource";

/** A request for a token. */
export interface TokenRequest {
  readonly form: URLSearchParams;
  readonly authorization: string | null;
  /** Aborted when its client has gone. */
  readonly signal: AbortSignal;
}

/** What such an authorization server does, and what it was asked. */
export interface TokenIssuer extends AsyncDisposable {
  /** Its name, which is its URL. */
  readonly issuer: string;
  /** Requests for tokens, as they came. */
  readonly requests: readonly TokenRequest[];
  /** The paths of all requests. */
  readonly paths: readonly string[];
  /** Resolves when it was asked for so many tokens. */
  wanted(count: number): Promise<void>;
  /** Tokens that are good, which are `canary-token-1` and so on. */
  readonly good: Set<string>;
  /** How long tokens live, in seconds; undefined for what it does not say. */
  lifetimeS: number | undefined;
  /** Answers in place of a token, or of a document. */
  instead:
    | ((
      path: string,
      request?: TokenRequest,
    ) => Response | undefined | Promise<Response | undefined>)
    | undefined;
  /** What its metadata have beside. */
  more: Readonly<Record<string, unknown>>;
  /** Setting `oauth` of an upstream, with it. */
  readonly oauth: Readonly<Record<string, unknown>>;
}

/** Listens on a free loopback port until it is aborted, whatever is under way then. */
function listening(signal: AbortSignal) {
  return { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal };
}

/** Starts one on a free loopback port. */
export function tokenIssuer(): TokenIssuer {
  const requests: TokenRequest[] = [];
  const paths: string[] = [];
  const arrivals = new Arrivals();
  const over = new AbortController();
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    listening(over.signal),
    async (request) => {
      const { pathname } = new URL(request.url);
      paths.push(pathname);
      if (pathname !== "/token") {
        const document = { issuer: name, token_endpoint: `${name}/token`, ...issuer.more };
        const isThere = pathname === "/.well-known/oauth-authorization-server";
        const special = await issuer.instead?.(pathname);
        return special ?? (isThere ? Response.json(document) : new Response(null, { status: 404 }));
      }
      const form = new URLSearchParams(await request.text());
      const { headers, signal } = request;
      const asked = { form, authorization: headers.get("authorization"), signal };
      requests.push(asked);
      arrivals.tell();
      const special = await issuer.instead?.(pathname, asked);
      if (special !== undefined) return special;
      const token = `canary-token-${requests.length}`;
      issuer.good.add(token);
      return Response.json({
        access_token: token,
        token_type: "Bearer",
        expires_in: issuer.lifetimeS,
      });
    },
  );
  const name = `http://127.0.0.1:${server.addr.port}`;
  const issuer: TokenIssuer = {
    issuer: name,
    requests,
    paths,
    wanted: (count) => arrivals.until(() => requests.length >= count),
    good: new Set(),
    lifetimeS: 3_600,
    instead: undefined,
    more: {},
    oauth: { issuer: name, ...CLIENT, allowPrivateAddresses: true },
    async [Symbol.asyncDispose]() {
      over.abort();
      await server.finished;
    },
  };
  return issuer;
}

/** A server that wants tokens. */
export interface GuardedServer extends AsyncDisposable {
  /** Its endpoint. */
  readonly url: string;
  /** What it was asked, each with the token that came: `POST ping none`, `GET canary-token-1`. */
  readonly asked: string[];
  /** Resolves when it was asked something of the kind so often. */
  wasAsked(kind: RegExp, times: number): Promise<void>;
  /** Paths of metadata that it was asked for. */
  readonly looked: string[];
  /** Fields of the requests that it has let through. */
  readonly passed: Headers[];
  /** What its metadata say beside; undefined where it has none. */
  metadata: Readonly<Record<string, unknown>> | undefined;
  /** The challenge of a 401, behind `Bearer `. */
  challenge: string;
  /** Answers in place of what is behind it. */
  instead:
    | ((
      request: Request,
      text: string,
      token: string,
    ) => Response | undefined | Promise<Response | undefined>)
    | undefined;
}

/** Guards the server at `url`, or one that answers each request with its own `params`. */
export function guardedServer(issuer: TokenIssuer, url?: string): GuardedServer {
  const [asked, looked, passed]: [string[], string[], Headers[]] = [[], [], []];
  const arrivals = new Arrivals();
  const gone = new AbortController();
  const server = Deno.serve(listening(gone.signal), async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(METADATA)) {
      looked.push(pathname);
      if (guarded.metadata === undefined) return new Response(null, { status: 404 });
      const own = { resource: guarded.url, authorization_servers: [issuer.issuer] };
      return Response.json({ ...own, ...guarded.metadata });
    }
    const text = await request.text();
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "none";
    asked.push([request.method, ...methodIn(text), token].join(" "));
    arrivals.tell();
    const special = await guarded.instead?.(request, text, token);
    if (special !== undefined) return special;
    if (!issuer.good.has(token)) {
      const challenge = `Bearer ${guarded.challenge}`;
      return Response.json({ error: "invalid_token" }, {
        status: 401,
        headers: { "www-authenticate": challenge },
      });
    }
    passed.push(request.headers);
    const body = text === "" ? null : text;
    if (url !== undefined) return await passOn(request, body, url, gone.signal);
    const { id, params = {} } = JSON.parse(text);
    return Response.json({ jsonrpc: "2.0", id, result: params });
  });
  const path = url === undefined ? "/mcp" : new URL(url).pathname;
  const guarded: GuardedServer = {
    url: `http://127.0.0.1:${server.addr.port}${path}`,
    asked,
    wasAsked: (kind, times) =>
      arrivals.until(() => asked.filter((one) => kind.test(one)).length >= times),
    looked,
    passed,
    metadata: { scopes_supported: [SCOPE] },
    challenge: 'error="invalid_token"',
    instead: undefined,
    async [Symbol.asyncDispose]() {
      gone.abort();
      await server.finished;
    },
  };
  return guarded;
}

/** Waiting for what comes. */
class Arrivals {
  #waiting: (() => void)[] = [];

  tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

function methodIn(text: string): string[] {
  if (text === "") return [];
  const { method } = JSON.parse(text) as { method?: string };
  return [method ?? "response"];
}
