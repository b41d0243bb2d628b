/**
 * Field values that are lists. Pure.
 *
 * @module
 */

import { trimOws } from "./head.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** The elements of a list in lower case; an empty one stays, since what it means is doubtful. */
export function listOf(value: string): string[] {
  if (!value.includes(",")) return [trimOws(value).toLowerCase()];
  return value.split(",").map((part) => trimOws(part).toLowerCase());
}

/**
 * The length that all values of Content-Length give.
 *
 * @throws {HttpSyntaxError} where they are no length or differ (RFC 9112 section 6.3 rule 5).
 */
export function parseLength(lengths: readonly string[]): number {
  const [length] = lengths;
  if (!/^\d{1,15}$/.test(length ?? "") || lengths.some((other) => other !== length)) {
    throw new HttpSyntaxError("the content length is malformed or differs from itself");
  }
  return Number(length);
}
