/**
 * The command line: `start`, `serve`, `record`, `check-config`, `new-key`.
 *
 * May import everything but tests.
 *
 * @module
 */

export { run } from "./run.ts";
export { type CommandIo, type StopSignal, systemIo } from "./io.ts";
