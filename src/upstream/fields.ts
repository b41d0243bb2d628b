/**
 * Which header fields pass the proxy, each way.
 *
 * Sources: RFC 9110 section 7.6.1 (connection-specific fields), R14, R15, R17, R20, R77, R93, R99.
 *
 * @module
 */

import { type FieldReader, Fields } from "../http/mod.ts";

/** Fields that belong to one connection (RFC 9110 section 7.6.1, RFC 9112). */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** What says of a request where it comes from or what it is for, in words that are for what stands in front. */
const SPOOFS: readonly string[] = [
  "cf-connecting-ip",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
];

/** Request fields that the proxy answers itself or sets anew. */
const REQUEST_DROPPED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...SPOOFS, // R20
  "accept-encoding", // answers are relayed as they are, so none may be compressed (R56)
  "access-control-request-headers",
  "access-control-request-method",
  "access-control-request-private-network",
  "content-length", // set from the bytes that are sent
  "expect", // R17
  "forwarded", // R20
  "host",
  "mcp-session-id", // the upstream's own is set instead (R77)
  "origin", // checked here; the proxy is no web page
  "referer",
  "via",
]);

/** What says who the client is; passed on only where configured (R93). */
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie"]);

/** Answer fields that stay between the proxy and the upstream. */
const RESPONSE_DROPPED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "alt-svc",
  "content-location", // may name the upstream's host (R99)
  "content-length", // set from the bytes that are sent
  "date",
  "location", // redirects are not followed, and not told (R70, R99)
  "mcp-session-id",
  "server",
  "via",
  "www-authenticate", // names the server; what a client may have of it is told apart (`tellChallenges`)
  "x-powered-by",
]);

/** What lets the upstream set a credential. */
const CREDENTIAL_ANSWERS: ReadonlySet<string> = new Set(["set-cookie"]);

/** What must not be taken away by naming it in `Connection` (R14). */
const NEVER_NOMINATED = /^(mcp-|accept$|content-type$|last-event-id$|authorization$|host$)/;

const NONE: ReadonlySet<string> = new Set();

/** The fields that `Connection` names, and that therefore end here. */
function nominated(connection: string | null): ReadonlySet<string> {
  if (connection === null || connection === "keep-alive") return NONE;
  const names = connection.toLowerCase().split(",").map((name) => name.trim());
  return new Set(names.filter((name) => !NEVER_NOMINATED.test(name)));
}

/** What follows is the name of a parameter (2026-07-28 streamable-http, "Custom Headers from Tool Parameters"). */
const PARAMETER = "mcp-param-";

/** What is the proxy's to say beside `REQUEST_DROPPED`, or decides how a request is read. */
const DECISIVE = /^(accept|content-|last-event-id$|mcp-|x-forwarded-)/;

/** `mcp_session_id` and the like, which some servers take for the name with dashes (R15). */
function shadows(name: string, withheld: ReadonlySet<string>): boolean {
  if (!name.includes("_") || name.startsWith(PARAMETER)) return false;
  const dashed = name.replaceAll("_", "-");
  return DECISIVE.test(dashed) || REQUEST_DROPPED.has(dashed) || CREDENTIALS.has(dashed) ||
    withheld.has(dashed);
}

/** Names as they are and with dashes for underscores, which is how `requestFields` looks them up. */
export function withDashes(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => [name, name.replaceAll("_", "-")]));
}

/**
 * The client's header fields that go upstream, as a flat list of names and values; none of `withheld`
 * (see `withDashes`), whatever becomes of other credentials.
 */
export function requestFields(
  headers: FieldReader,
  forwardCredentials: boolean,
  withheld: ReadonlySet<string> = NONE,
): string[] {
  const dropped = nominated(headers.get("connection"));
  const fields: string[] = [];
  headers.forEach((value, name) => {
    if (REQUEST_DROPPED.has(name) || dropped.has(name) || shadows(name, withheld)) return;
    if (withheld.has(name)) return;
    if (name.startsWith("x-forwarded-") || name.startsWith("sec-fetch-")) return;
    if (!forwardCredentials && CREDENTIALS.has(name)) return;
    fields.push(name, value);
  });
  return fields;
}

/** The upstream's header fields that go to the client. */
export function responseFields(
  received: FieldReader,
  forwardCredentials: boolean,
): Fields {
  const dropped = nominated(received.get("connection"));
  const fields = new Fields();
  received.forEach((value, name) => {
    if (RESPONSE_DROPPED.has(name) || dropped.has(name)) return;
    // Which web pages may read an answer is for the proxy to say, which checked the origin.
    if (name.startsWith("access-control-")) return;
    if (!forwardCredentials && CREDENTIAL_ANSWERS.has(name)) return;
    fields.append(name, value);
  });
  return fields;
}
