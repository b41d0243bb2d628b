/**
 * What checks and cases are, what they work with, and how they are run. May import `wire`, `mock` and
 * the format of fixtures.
 *
 * @module
 */

export * from "./check.ts";
export * from "./context.ts";
export * from "./run.ts";
