/**
 * The command line of the suite: flags, lists, progress. May import every other folder of the suite.
 *
 * @module
 */

export * from "./main.ts";
