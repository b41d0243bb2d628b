/**
 * A modern client's request as it goes to a server of the session era: its message and its header fields. Pure.
 *
 * @module
 */

import { PROTOCOL_VERSION_KEY } from "../../era/mod.ts";
import { type FieldReader, Fields } from "../../http/mod.ts";
import { textAt, withTexts } from "../../rpc/mod.ts";
import { type ClientRequest, RETRY_MEMBERS } from "./client_request.ts";
import { CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY } from "./meta_keys.ts";
import { isObjectText, memberOf, withMembers, withoutMembers } from "./text_edits.ts";

/** Under which names a request goes up. */
export interface UpstreamNames {
  /** The text of its id. */
  readonly idText: string;
  /** The text of its progress token; undefined where it has none. */
  readonly tokenText: string | undefined;
}

/** What `_meta` says to a modern server, and a session says once for all. */
const RESERVED: readonly string[] = [
  PROTOCOL_VERSION_KEY,
  CLIENT_CAPABILITIES_KEY,
  CLIENT_INFO_KEY,
  LOG_LEVEL_KEY,
];

/** The first session revision with the version header (2025-06-18 basic/transports). */
const FIRST_REVISION_WITH_HEADER = "2025-06-18";

/** The text of a request in a session. */
export function towardServer({ message }: ClientRequest, names: UpstreamNames): string {
  const params = textAt(message, ["params"]);
  const id = [["id"], names.idText] as const;
  if (!isObjectText(params)) return withTexts(message, id);
  const told = memberOf(params, "_meta");
  let meta = isObjectText(told) ? withoutMembers(told, RESERVED) : "{}";
  if (names.tokenText !== undefined) meta = withMembers(meta, [["progressToken", names.tokenText]]);
  const bare = withoutMembers(params, [...RETRY_MEMBERS, "_meta"]);
  const own = meta === "{}" ? bare : withMembers(bare, [["_meta", meta]]);
  return withTexts(message, id, [["params"], own]);
}

/**
 * The header fields of a client's call without those that belong to its own revision, and with those of a
 * session of `revision`; of none where it is undefined.
 */
export function sessionFields(headers: FieldReader, revision: string | undefined): Fields {
  const fields = new Fields();
  headers.forEach((value, name) => {
    const isOwn = name.startsWith("mcp-") || name === "last-event-id" || name === "content-type";
    if (!isOwn) fields.append(name, value);
  });
  fields.append("content-type", "application/json");
  if (revision !== undefined && revision >= FIRST_REVISION_WITH_HEADER) {
    fields.append("mcp-protocol-version", revision);
  }
  return fields;
}
