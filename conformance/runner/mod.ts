/**
 * Runs the suite against one target: which checks and cases there are, which are asked for, the proxy
 * and the mock of each phase. May import every other folder of the suite.
 *
 * @module
 */

export * from "./catalogue.ts";
export * from "./run.ts";
export * from "./select.ts";
export * from "./source.ts";
