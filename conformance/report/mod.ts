/**
 * Reports: pure functions from what a run found to text. May import `suite`, `expected`, the tables of
 * `latency` and of `bench`.
 *
 * @module
 */

export * from "./assess.ts";
export * from "./json.ts";
export * from "./junit.ts";
export * from "./markdown.ts";
export * from "./pretty.ts";
