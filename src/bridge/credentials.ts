/**
 * What in the header fields of a call may say who the caller is, beyond the principal that the proxy knows.
 *
 * The proxy cannot know which fields a server goes by. One too many costs a session or a question more; one
 * too few would give a caller what belongs to another (R72, R98).
 *
 * @module
 */

import type { FieldReader } from "../http/mod.ts";

/** Names of fields that may say who the caller is, and so what it may see. */
const MAY_TELL =
  /auth|cookie|token|key|secret|credential|user|tenant|account|email|identity|subject|principal|customer|client/;

/** Names that look like that and say nothing of the kind: what the caller runs on, and where it is from. */
const TELLS_NOTHING = /^(?:mcp-|sec-|user-agent$)/;

/** No fields. */
const NONE: ReadonlySet<string> = new Set();

/**
 * What says in header fields who calls, as text; the same for the same fields in whatever order.
 *
 * @param withheld fields for the proxy, as `withDashes` gives them: what they say is the principal, and they never go
 * upstream, so that a token that was refreshed is no other caller
 */
export function credentialsIn(
  headers: FieldReader,
  withheld: ReadonlySet<string> = NONE,
): string {
  const found: string[] = [];
  headers.forEach((value, name) => {
    if (!MAY_TELL.test(name) || TELLS_NOTHING.test(name)) return;
    // With underscores it does not go upstream either (`requestFields`).
    if (!withheld.has(name.replaceAll("_", "-"))) found.push(`${name}: ${value}`);
  });
  return found.sort().join("\n");
}
