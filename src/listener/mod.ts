/**
 * Servers for clients: the proxy's own, and the runtime's. Each brings requests to a handler and writes
 * its answers, within limits.
 *
 * May import `clock.ts`, `deadlines.ts`, `errors.ts`, `http` and `http1`.
 *
 * @module
 */

export type {
  BodyLimits,
  HttpServer,
  ServerEvents,
  ServerFactory,
  ServerLimits,
  ServerOptions,
} from "./server.ts";
export { denoHandler, denoServer } from "./deno_server.ts";
export { switchyardServer } from "./switchyard_server.ts";
