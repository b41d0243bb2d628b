/**
 * Stands in front of a server and lets nobody through without the token of the moment.
 *
 * @module
 */

/** Such a gate. */
export interface TokenGate extends AsyncDisposable {
  /** The address of the server behind it, through the gate. */
  readonly url: string;
  /** The token that opens it. */
  token: string;
  /** Messages that have this in them are let through by no token. */
  closesAt?: string | undefined;
  /** What it has asked for so far, each with the token that came: `POST good`. */
  readonly asked: readonly string[];
}

/** Where the server behind a gate says that its metadata is; nobody gives any. */
export const GATE_METADATA = "/.well-known/oauth-protected-resource/behind-the-gate";

/** Opens a gate on a free loopback port, in front of the server at `url`. */
export function tokenGate(url: string, token: string): TokenGate {
  const asked: string[] = [];
  const gone = new AbortController();
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(listening, async (request) => {
    const body = request.body === null ? null : await request.text();
    const came = request.headers.get("authorization")?.replace("Bearer ", "") ?? "none";
    asked.push(`${request.method} ${came}`);
    const isClosed = gate.closesAt !== undefined && body?.includes(gate.closesAt);
    if (came === gate.token && !isClosed) return await passOn(request, body, url, gone.signal);
    const metadata = new URL(GATE_METADATA, gate.url).href;
    const challenge = `Bearer error="invalid_token", resource_metadata="${metadata}"`;
    return Response.json({ error: "invalid_token" }, {
      status: 401,
      headers: { "www-authenticate": challenge },
    });
  });
  const gate: TokenGate = {
    url: `http://127.0.0.1:${server.addr.port}${new URL(url).pathname}`,
    token,
    asked,
    async [Symbol.asyncDispose]() {
      gone.abort();
      await server.shutdown();
    },
  };
  return gate;
}

/** The answer of the server at `url` to a request whose body was read; 502 where it has none. */
export async function passOn(
  request: Request,
  body: string | null,
  url: string,
  gone: AbortSignal,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const signal = AbortSignal.any([request.signal, gone]);
  const { method, headers } = request;
  try {
    return await fetch(new URL(pathname + search, url), { method, headers, body, signal });
  } catch {
    return new Response(null, { status: 502 });
  }
}
