/**
 * What a browser needs so that a web page of an allowed origin can use the proxy (Fetch standard, CORS).
 *
 * @module
 */

const EXPOSED = "mcp-session-id, mcp-protocol-version, retry-after, www-authenticate";
const METHODS = "GET, POST, DELETE, OPTIONS";
const FIELD_LIST = /^[A-Za-z0-9-]+(\s*,\s*[A-Za-z0-9-]+)*$/;

/** How long a browser may remember the answer, in seconds. */
const MAX_AGE_SECONDS = 7_200;

/** The answer to OPTIONS; `origin` is the allowed origin, or null where no page is asking. */
export function preflight(headers: Headers, origin: string | null): Response {
  if (origin === null) return new Response(null, { status: 204, headers: { allow: METHODS } });
  const asked = headers.get("access-control-request-headers") ?? "";
  const fields: Record<string, string> = {
    allow: METHODS,
    "access-control-allow-origin": origin,
    "access-control-allow-methods": METHODS,
    "access-control-max-age": String(MAX_AGE_SECONDS),
    vary: "origin, access-control-request-headers",
  };
  if (FIELD_LIST.test(asked)) fields["access-control-allow-headers"] = asked;
  return new Response(null, { status: 204, headers: fields });
}

/** Lets the page of `origin` read this answer; without an origin the answer stays as it is. */
export function withCors(response: Response, origin: string | null): Response {
  if (origin === null) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", EXPOSED);
  response.headers.append("vary", "origin");
  return response;
}
