/**
 * The names of header fields.
 *
 * @module
 */

/** What the name of a header field is: a token (RFC 9110 section 5.1). */
export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Fields that are not for a config to give: those that frame a message or belong to one connection (RFC 9110
 * section 7.6.1, RFC 9112 section 6), what the endpoint's URL says, and those by which MCP's transports work.
 */
const OF_THE_PROXY: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether the proxy sends a field of this name by itself, and once. */
export function isOfTheProxy(name: string): boolean {
  return OF_THE_PROXY.has(name.toLowerCase());
}

/** What is wanted in its place, in words. */
export const OWN_HEADER_WANTED: string =
  "a field such as Authorization or X-Api-Key: Host is that of the url, and what frames a message, tells its type or " +
  "is MCP's own goes with each message";

/** What the name of a header field is, in words. */
export const HEADER_NAME_WANTED: string =
  "a field name such as X-Api-Key: letters, digits and any of " +
  "! # $ % & ' * + - . ^ _ ` | ~, without spaces (RFC 9110 section 5.1)";
