/**
 * The header fields of an event stream that is passed on as it comes.
 *
 * @module
 */

import type { Fields } from "../http/mod.ts";

/** The media type of an event stream. */
export const EVENT_STREAM = "text/event-stream";

/** Whether a Content-Type is that of an event stream. */
export function isEventStream(contentType: string | null | undefined): boolean {
  if (contentType === EVENT_STREAM) return true;
  const type = (contentType ?? "").split(";", 1)[0]!;
  return type.trim().toLowerCase() === EVENT_STREAM;
}

/**
 * Sets what keeps proxies further down from holding events back (2026-07-28 streamable-http,
 * "Receiving Messages") and from storing them.
 */
export function streamFields(headers: Fields): Fields {
  headers.set("x-accel-buffering", "no");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-cache");
  return headers;
}
