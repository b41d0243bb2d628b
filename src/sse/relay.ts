/**
 * The header fields of an event stream that is passed on as it comes.
 *
 * @module
 */

import type { Fields } from "../http/mod.ts";

/** The media type of an event stream. */
export const EVENT_STREAM = "text/event-stream";

/** The media type of JSON. */
export const JSON_TYPE = "application/json";

/** The media type in a Content-Type, in lower case and without parameters; empty where there is none. */
export function mediaTypeOf(contentType: string | null | undefined): string {
  // As nearly all servers write it.
  if (contentType === JSON_TYPE || contentType === EVENT_STREAM) return contentType;
  return (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

/** Whether a Content-Type is that of an event stream. */
export function isEventStream(contentType: string | null | undefined): boolean {
  return mediaTypeOf(contentType) === EVENT_STREAM;
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
