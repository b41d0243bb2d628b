/**
 * HTTP/1.1 and server-sent events on bare sockets, read strictly. Shared by the driver, which plays
 * clients, and the mock, which plays servers. May import nothing else of `conformance`.
 *
 * @module
 */

export * from "./client.ts";
export * from "./events.ts";
export * from "./head.ts";
export * from "./reader.ts";
