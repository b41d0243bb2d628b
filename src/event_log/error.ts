/**
 * What can be wrong with an event log that is kept outside of the process.
 *
 * @module
 */

/** Why the file of an event log cannot be used, or what Redis did not do for one. */
export class EventLogError extends Error {
  /** A failure, told in a sentence that names the file or the store. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "EventLogError";
  }
}
