/**
 * What a browser needs so that a web page of an allowed origin can use the proxy (Fetch standard, CORS).
 *
 * @module
 */

import { type ClientAnswer, type FieldReader, Fields } from "../http/mod.ts";

const EXPOSED = "mcp-session-id, mcp-protocol-version, retry-after, www-authenticate";
const METHODS = "GET, POST, DELETE, OPTIONS";
/** Names of fields (RFC 9110 section 5.6.2), as parameters of tools may be called as well (2026-07-28). */
const FIELD_LIST = /^[\w!#$%&'*+.^`|~-]+(\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/** How long a browser may remember the answer, in seconds. */
const MAX_AGE_SECONDS = 7_200;

/** The answer to OPTIONS; `origin` is the allowed origin, or null where no page is asking. */
export function preflight(headers: FieldReader, origin: string | null): ClientAnswer {
  const fields = new Fields(["allow", METHODS]);
  if (origin === null) return { status: 204, fields, body: null };
  const asked = headers.get("access-control-request-headers") ?? "";
  fields.append("access-control-allow-methods", METHODS);
  fields.append("access-control-max-age", String(MAX_AGE_SECONDS));
  fields.append("vary", "access-control-request-headers");
  if (FIELD_LIST.test(asked)) fields.append("access-control-allow-headers", asked);
  return { status: 204, fields, body: null };
}

/** Lets the page of `origin` read this answer; without an origin the answer stays as it is. */
export function withCors(answer: ClientAnswer, origin: string | null): ClientAnswer {
  if (origin === null) return answer;
  const { fields } = answer;
  const vary = fields.get("vary");
  fields.set("access-control-allow-origin", origin);
  fields.set("access-control-expose-headers", EXPOSED);
  fields.set("vary", vary === null ? "origin" : `${vary}, origin`);
  return answer;
}
