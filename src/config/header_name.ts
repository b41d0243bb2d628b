/**
 * The names of header fields.
 *
 * @module
 */

/** What the name of a header field is: a token (RFC 9110 section 5.1). */
export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The same in words. */
export const HEADER_NAME_WANTED: string =
  "a field name such as X-Api-Key: letters, digits and any of " +
  "! # $ % & ' * + - . ^ _ ` | ~, without spaces (RFC 9110 section 5.1)";
