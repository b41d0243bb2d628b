/**
 * The suite against other proxies, and conformance/RESULTS.md. May import every other folder of the
 * suite.
 *
 * @module
 */

export * from "./peers.ts";
export * from "./results.ts";
