/**
 * The command line: `start`, `serve`, `check-config`.
 *
 * May import everything but tests.
 *
 * @module
 */

export { run } from "./run.ts";
export { type CommandIo, systemIo } from "./io.ts";
