/**
 * Who may do something by the admin address: no web page, whatever its origin.
 *
 * What a page can have a browser send to another origin without that origin's consent is a "simple" request
 * (Fetch standard, "CORS-safelisted"): a POST by script, by a form, or by a beacon. The admin address has no
 * pages of its own and never consents, so it is enough to know the request of a browser, by any of three signs:
 *
 * 1. `Origin`, which browsers send with every POST (Fetch standard, "append a request `Origin` header"), also as
 *    `null`. Here it is refused whatever it says, `allowedOrigins`, loopback and the own host included: those
 *    pages may call MCP servers, not take the proxy out of service.
 * 2. `Sec-Fetch-Site`, which browsers send to addresses that they trust, loopback among them, and which no page
 *    can set or leave out.
 * 3. A body of the kinds that a form sends: browsers from before 2020 sent forms without either field. What is
 *    asked for here stands in the path and the query, so that nobody needs a body.
 *
 * A name that was made to point here (DNS rebinding) is refused by its Host before.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";

/** Content types of a form (WHATWG HTML 4.10.18.6, "enctype"). */
const FORM_TYPES: readonly string[] = [
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "text/plain",
];

/**
 * Sees to it that no web page does something.
 *
 * @throws {ProxyError} `forbidden_origin`, `unsupported_media_type`
 */
export function refusePages(headers: FieldReader): void {
  if (headers.get("origin") !== null || headers.get("sec-fetch-site") !== null) {
    throw new ProxyError(
      "forbidden_origin",
      "Web pages may do nothing here; send this from a program, without Origin and Sec-Fetch-Site.",
    );
  }
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== undefined && FORM_TYPES.includes(type)) {
    throw new ProxyError(
      "unsupported_media_type",
      "Forms are not taken here; send the request without a body, as curl -X POST does.",
    );
  }
}
