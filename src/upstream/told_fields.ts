/**
 * What the header fields of an answer say.
 *
 * @module
 */

import type { FieldList } from "../http/mod.ts";
import { EVENT_STREAM, JSON_TYPE, mediaTypeOf } from "../sse/mod.ts";
import { responseFields } from "./fields.ts";
import type { UpstreamAnswer } from "./upstream.ts";

/** What the fields of an answer say. */
export interface ToldFields {
  /** Names and values in turn of those that its client sees. */
  readonly passed: readonly string[];
  /** The upstream's session id, where there is one. */
  readonly sessionId: string | undefined;
  /** What the body is. */
  readonly kind: UpstreamAnswer["kind"];
}

/** What these fields say, to clients whose credentials go upstream or do not. */
export function toldBy(fields: FieldList, forwardsCredentials: boolean): ToldFields {
  const passed = responseFields(fields, forwardsCredentials);
  return {
    passed: passed.list,
    sessionId: fields.first("mcp-session-id"),
    kind: kindOf(passed.get("content-type")),
  };
}

function kindOf(contentType: string | null): UpstreamAnswer["kind"] {
  const type = mediaTypeOf(contentType);
  if (type === EVENT_STREAM) return "sse";
  return type === JSON_TYPE ? "json" : "other";
}
