/**
 * What the header fields of an answer say.
 *
 * @module
 */

import type { FieldList, FieldReader, Fields } from "../http/mod.ts";
import { EVENT_STREAM, JSON_TYPE, mediaTypeOf } from "../sse/mod.ts";
import { responseFields } from "./fields.ts";
import type { HttpTarget } from "./http_client.ts";
import { tellChallenges, type ToldChallenges } from "./told_challenges.ts";
import type { UpstreamAnswer } from "./upstream.ts";

/** What the fields of an answer say. */
export interface ToldFields {
  /** Names and values in turn of those that its client sees. */
  readonly passed: readonly string[];
  /** The upstream's session id, where there is one. */
  readonly sessionId: string | undefined;
  /** What the body is. */
  readonly kind: UpstreamAnswer["kind"];
  /** Whether challenges came for them. */
  readonly challenged: boolean;
  /** Path and query of the server's metadata, where a challenge has named it. */
  readonly metadata?: string | undefined;
}

/** What these fields of the server at `target` say, to clients whose credentials go upstream or do not. */
export function toldBy(
  fields: FieldList,
  forwardsCredentials: boolean,
  target?: HttpTarget,
): ToldFields {
  const passed = responseFields(fields, forwardsCredentials);
  const challenged = forwardsCredentials && fields.has("www-authenticate");
  const metadata = challenged ? passChallenges(fields, target, passed) : undefined;
  return {
    passed: passed.list,
    challenged,
    metadata,
    sessionId: fields.first("mcp-session-id"),
    kind: kindOf(passed.get("content-type")),
  };
}

/** Adds to `passed` what a client may have of the challenges; the result is the path of the metadata they name. */
function passChallenges(
  fields: FieldList,
  target: HttpTarget | undefined,
  passed: Fields,
): string | undefined {
  const { values, metadata } = challengesIn(fields, target);
  for (const value of values) passed.append("www-authenticate", value);
  return metadata;
}

/** What a client may have of the challenges in these fields of the server at `target`. */
export function challengesIn(fields: FieldReader, target: HttpTarget | undefined): ToldChallenges {
  const came: string[] = [];
  fields.forEach((value, name) => name === "www-authenticate" && came.push(value));
  return tellChallenges(came, target);
}

function kindOf(contentType: string | null): UpstreamAnswer["kind"] {
  const type = mediaTypeOf(contentType);
  if (type === EVENT_STREAM) return "sse";
  return type === JSON_TYPE ? "json" : "other";
}
