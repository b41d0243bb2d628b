/**
 * The command line: `start`, `serve`, `stdio`, `record`, `check-config`, `new-key`.
 *
 * May import everything but tests.
 *
 * @module
 */

export { run } from "./run.ts";
export { type CommandIo, type Hangup, type MessagePipes, type StopSignal, systemIo } from "./io.ts";
