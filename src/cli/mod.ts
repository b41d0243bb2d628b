/**
 * The command line: `start`, `serve`, `stdio`, `record`, `check-config`, `new-key`.
 *
 * May import everything but tests.
 *
 * @module
 */

export { run } from "./run.ts";
export type { Hangup } from "./hangup.ts";
export { type CommandIo, type MessagePipes, type StopSignal, systemIo } from "./io.ts";
