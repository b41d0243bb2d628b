/**
 * What is wrong with bytes that claim to be an HTTP/1.1 answer.
 *
 * @module
 */

/** The bytes are no answer that RFC 9112 allows, or they pass a limit. The message is for the log. */
export class HttpSyntaxError extends Error {
  /** Because of `reason`. */
  constructor(reason: string) {
    super(reason);
    this.name = "HttpSyntaxError";
  }
}
