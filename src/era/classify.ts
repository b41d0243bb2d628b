/**
 * The ladder that gives each request its era, evaluated once, on the parsed body.
 *
 * The body decides (2026-07-28 basic/versioning, "Backward Compatibility"): a request that carries the
 * protocol version in `_meta` is modern; headers are then checked against it and never change it.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { type Message, metaOf, type ParsedBody } from "../json/mod.ts";
import { checkMethodHeader, checkMirroredHeaders, mismatch } from "./headers.ts";
import { isModernRevision, PROTOCOL_VERSION_KEY, SESSION_REVISIONS } from "./revisions.ts";

/** `modern` is 2026-07-28 and later; `session` is 2025-03-26 to 2025-11-25 with `initialize`. */
export type Era = "modern" | "session";

/** The era of a request, and the revision where the request names one. */
export interface Classified {
  /** The era. */
  readonly era: Era;
  /** The revision that the request names, if it names one. */
  readonly revision: string | null;
}

/** The headers that the ladder reads; null where absent. */
export interface EraHeaders {
  /** `MCP-Protocol-Version`. */
  readonly protocolVersion: string | null;
  /** `Mcp-Method`. */
  readonly method: string | null;
  /** `Mcp-Name`, as it came. */
  readonly name: string | null;
}

/**
 * The era of a POST.
 *
 * @throws {ProxyError} `header_mismatch` where headers and body disagree, `invalid_params` where a
 * modern request lacks its metadata, `invalid_request` where a message cannot exist in its era.
 */
export function classifyPost(body: ParsedBody, headers: EraHeaders): Classified {
  if (body.batch) return classifyBatch(body.messages, headers);
  const message = body.messages[0]!;
  switch (message.kind) {
    case "request":
      return classifyRequest(message, headers);
    case "notification":
      return classifyNotification(message, headers);
    case "response":
      return classifyResponse(message, headers);
  }
}

/**
 * The era of a GET or DELETE, which only the session era has.
 *
 * @throws {ProxyError} `method_not_allowed` where the version header names a modern revision
 * (2026-07-28 streamable-http, "Earlier Streamable HTTP Revisions").
 */
export function classifyBodyless(httpMethod: string, headers: EraHeaders): Classified {
  if (namesModern(headers)) {
    throw new ProxyError(
      "method_not_allowed",
      `${httpMethod} does not exist in revision ${headers.protocolVersion}; use POST.`,
      { headers: { allow: "POST" } },
    );
  }
  return session(headers);
}

function classifyRequest(message: Message, headers: EraHeaders): Classified {
  const claim = claimOf(message);
  if (claim === undefined) {
    if (!namesModern(headers)) return session(headers);
    throw withoutClaim(message, headers);
  }
  const revision = checkClaim(message, claim, headers);
  if (SESSION_REVISIONS.includes(revision)) return session(headers);
  checkMirroredHeaders(message, headers.method, headers.name);
  return { era: "modern", revision };
}

/** A modern version header over a body without the metadata that makes a request modern. */
function withoutClaim(message: Message, headers: EraHeaders): ProxyError {
  if (message.method === "initialize") {
    return mismatch(
      `MCP-Protocol-Version names ${headers.protocolVersion}, which has no initialize.`,
      message,
    );
  }
  return new ProxyError(
    "invalid_params",
    `params._meta lacks "${PROTOCOL_VERSION_KEY}", which revision ${headers.protocolVersion} requires.`,
    { idText: message.idText },
  );
}

function classifyNotification(message: Message, headers: EraHeaders): Classified {
  const claim = claimOf(message);
  if (claim === undefined && !namesModern(headers)) return session(headers);
  // Without a claim the header decides: 2026-07-28 defines no metadata for a posted notification,
  // nor that its headers must be there; one that is there must be true all the same.
  const revision = claim === undefined ? headers.protocolVersion : claimText(message, claim);
  if (headers.protocolVersion !== null && headers.protocolVersion !== revision) {
    throw mismatch("MCP-Protocol-Version differs from the version in params._meta.", message);
  }
  if (headers.method !== null) checkMethodHeader(message, headers.method);
  return { era: "modern", revision };
}

function classifyResponse(message: Message, headers: EraHeaders): Classified {
  if (!namesModern(headers)) return session(headers);
  throw new ProxyError(
    "invalid_request",
    `Clients send no JSON-RPC responses in revision ${headers.protocolVersion}.`,
    { idText: message.idText },
  );
}

function classifyBatch(messages: readonly Message[], headers: EraHeaders): Classified {
  if (namesModern(headers) || messages.some((message) => claimOf(message) !== undefined)) {
    throw new ProxyError(
      "invalid_request",
      "Batches exist in revision 2025-03-26 alone; send one JSON-RPC message in each POST.",
    );
  }
  return session(headers);
}

/** The value under the protocol version key of `params._meta`; undefined where there is no such key. */
function claimOf(message: Message): unknown {
  const meta = metaOf(message);
  if (typeof meta !== "object" || meta === null || !Object.hasOwn(meta, PROTOCOL_VERSION_KEY)) {
    return undefined;
  }
  return (meta as Record<string, unknown>)[PROTOCOL_VERSION_KEY];
}

function claimText(message: Message, claim: unknown): string {
  if (typeof claim === "string") return claim;
  throw new ProxyError(
    "invalid_params",
    `params._meta["${PROTOCOL_VERSION_KEY}"] must be a string such as "2026-07-28".`,
    { idText: message.idText },
  );
}

function checkClaim(message: Message, claim: unknown, headers: EraHeaders): string {
  const revision = claimText(message, claim);
  if (headers.protocolVersion === null) {
    throw mismatch("The MCP-Protocol-Version header is missing.", message);
  }
  if (headers.protocolVersion !== revision) {
    throw mismatch("MCP-Protocol-Version differs from the version in params._meta.", message);
  }
  return revision;
}

function namesModern(headers: EraHeaders): boolean {
  return headers.protocolVersion !== null && isModernRevision(headers.protocolVersion);
}

function session(headers: EraHeaders): Classified {
  return { era: "session", revision: headers.protocolVersion };
}
