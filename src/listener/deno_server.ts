/**
 * The runtime's own server, `Deno.serve`, as a server for clients.
 *
 * It has no cap on connections and no deadline for heads, and does not always tell that a client has
 * gone (ARCHITECTURE.md, "What Deno does"); it is here to be chosen where something in front of the
 * proxy does that.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type ClientAnswer, type Handler, streamOf } from "../http/mod.ts";
import { readBody } from "./deno_body.ts";
import type { BodyLimits, HttpServer, ServerOptions } from "./server.ts";

/**
 * A handler in the form that `Deno.serve` takes.
 *
 * @param isDraining whether answers say `Connection: close`; the runtime leaves the closing to the client
 */
export function denoHandler(
  handler: Handler,
  limits: BodyLimits,
  clock: Clock,
  isDraining: () => boolean = () => false,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { method, url, headers } = request;
    const found = await handler({
      method,
      // For a target that is a path the runtime puts the Host in front, unread and unchanged.
      target: url,
      headers,
      get signal() {
        return request.signal;
      },
      body: () => readBody(request, limits, clock),
    });
    const response = toResponse(found);
    // In an answer of HTTP/2, which has no such field, the runtime leaves it out.
    if (isDraining()) response.headers.set("connection", "close");
    return response;
  };
}

/** An answer as a `Response`; its fields are set on it afterwards, a fifth of handing them over. */
function toResponse({ status, fields, body }: ClientAnswer): Response {
  const content = body === null || body instanceof Uint8Array
    ? body as Uint8Array<ArrayBuffer> | null
    : streamOf(body);
  const response = status === 200 ? new Response(content) : new Response(content, { status });
  fields.forEach((value, name) => response.headers.append(name, value));
  return response;
}

/** Listens with `Deno.serve`; of the limits it holds those of bodies alone. */
export function denoServer(options: ServerOptions): HttpServer {
  const { hostname, port, handler, limits, clock, events, isDraining } = options;
  const server = Deno.serve({
    hostname,
    port,
    onListen: () => {},
    // Only a body that broke off in the middle comes here: the handler itself never rejects.
    onError: (error) => {
      events.cutShort(error);
      return new Response(null, { status: 500 });
    },
  }, denoHandler(handler, limits, clock, isDraining));
  return {
    address: server.addr,
    connections: null,
    shutdown: () => server.shutdown(),
    // Aborting the server after `shutdown` throws; what is left ends with the process.
    cut: () => {},
  };
}
