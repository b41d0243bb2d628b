/**
 * What is wrong with bytes that claim to be HTTP/1.1.
 *
 * @module
 */

/** What kind of mistake it is: most are of syntax, some have a status of their own. */
export type SyntaxFault = "syntax" | "version" | "firstLineTooLong" | "headTooLarge";

/** The bytes are not what RFC 9112 allows, or they pass a limit. The message is for the log. */
export class HttpSyntaxError extends Error {
  /** What kind of mistake it is. */
  readonly fault: SyntaxFault;

  /** Because of `reason`. */
  constructor(reason: string, fault: SyntaxFault = "syntax") {
    super(reason);
    this.name = "HttpSyntaxError";
    this.fault = fault;
  }
}
