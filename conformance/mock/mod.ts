/**
 * The mock upstream, which plays the server's half. May import `wire`.
 *
 * @module
 */

export * from "./mock.ts";
export * from "./reply.ts";
export * from "./standard.ts";
