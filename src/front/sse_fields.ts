/**
 * Header fields of a client of HTTP+SSE, as they go with its messages over Streamable HTTP.
 *
 * @module
 */

import { type FieldReader, Fields } from "../http/mod.ts";

/** The first revision in which each request names the revision (2025-06-18 basic/transports). */
const NAMING_REVISION = "2025-06-18";

/**
 * A client of 2024-11-05 knows none of the fields of Streamable HTTP: what it sends of them is left out, and
 * the revision that was settled is named as that revision wants it.
 */
export function withRevision(headers: FieldReader, revision: string | undefined): Fields {
  const fields = new Fields(["content-type", "application/json"]);
  headers.forEach((value, name) => {
    if (name.startsWith("mcp-") || name === "content-type" || name === "last-event-id") return;
    fields.append(name, value);
  });
  if (revision !== undefined && revision >= NAMING_REVISION) {
    fields.append("mcp-protocol-version", revision);
  }
  return fields;
}
