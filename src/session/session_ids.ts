/**
 * The session ids that clients have: sealed tokens that any instance can open without asking another
 * (R72, R74, R75, R77).
 *
 * Sealed in an id: when it was made (milliseconds since 1970, 6 bytes), its key (16 random bytes), the name
 * of its route (behind its length, 2 bytes) and the upstream's session id. The principal is not in it: the
 * id is bound to it, and does not open for another.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { Sealer } from "./seal.ts";

/** Longest session id of an upstream, in bytes of UTF-8. */
export const MAX_UPSTREAM_ID_BYTES = 4_096;

/** Longest name of a route, in bytes of UTF-8. */
export const MAX_ROUTE_BYTES = 1_024;

/** Random bytes in the key of a session: 128 bits. */
const KEY_BYTES = 16;

const PURPOSE = "session id";
const CREATED_BYTES = 6;
const ROUTE_LENGTH_AT = CREATED_BYTES + KEY_BYTES;
const ROUTE_AT = ROUTE_LENGTH_AT + 2;

/** What a session id is made for. */
export interface SessionIdParts {
  /** Name of the route that the session belongs to, at most 1 KiB. */
  readonly route: string;
  /** Id of the principal that it belongs to, at most `MAX_BINDING_CHARACTERS`. */
  readonly principal: string;
  /** The upstream's session id, at most 4 KiB. */
  readonly upstreamId: string;
  /** When the session began, in whole milliseconds since 1970. */
  readonly createdMs: number;
}

/** A new session id. */
export interface MintedId {
  /** What the client is given: visible ASCII; 130 characters for an upstream id of 36 on the route `/mcp`. */
  readonly id: string;
  /** The random part, in base64url: what records are found by. The id cannot be made from it. */
  readonly key: string;
}

/** What stands in a session id. */
export interface OpenedId {
  /** The random part, in base64url: what records are found by. */
  readonly key: string;
  /** Name of the route that the session belongs to. */
  readonly route: string;
  /** The upstream's session id as it was when the id was made. Never sent to a client (R77). */
  readonly upstreamId: string;
  /** When the session began, in milliseconds since 1970. */
  readonly createdMs: number;
}

/** Makes session ids and opens them. */
export class SessionIds {
  readonly #sealer: Sealer;
  readonly #clock: Clock;

  /** Ids that `sealer` seals. */
  constructor(sealer: Sealer, clock: Clock) {
    this.#sealer = sealer;
    this.#clock = clock;
  }

  /**
   * A new id: 128 random bits inside and a nonce of 96 in front make it unlike all others.
   *
   * @throws {ProxyError} `upstream_protocol` for an upstream id over 4 KiB, or that is no Unicode text
   * @throws {RangeError} for a route, principal or time that cannot be written
   */
  mint({ route, principal, upstreamId, createdMs }: SessionIdParts): MintedId {
    const upstreamBytes = Buffer.byteLength(upstreamId);
    if (upstreamBytes > MAX_UPSTREAM_ID_BYTES || !upstreamId.isWellFormed()) {
      throw new ProxyError(
        "upstream_protocol",
        "The upstream gave a session id that cannot be used.",
      );
    }
    const routeBytes = Buffer.byteLength(route);
    if (routeBytes > MAX_ROUTE_BYTES || !route.isWellFormed()) {
      throw new RangeError("The name of the route is too long, or no Unicode text.");
    }
    if (!Number.isSafeInteger(createdMs)) throw new RangeError("The time is no whole number.");
    const key = this.#clock.randomBytes(KEY_BYTES);
    const payload = Buffer.allocUnsafe(ROUTE_AT + routeBytes + upstreamBytes);
    payload.writeUIntBE(createdMs, 0, CREATED_BYTES);
    payload.set(key, CREATED_BYTES);
    payload.writeUInt16BE(routeBytes, ROUTE_LENGTH_AT);
    payload.write(route, ROUTE_AT);
    payload.write(upstreamId, ROUTE_AT + routeBytes);
    return { id: this.#sealer.seal(PURPOSE, principal, payload), key: keyText(key) };
  }

  /**
   * What stands in an id that was made for this principal; undefined for every other text, whatever is wrong
   * with it (R81). Never throws. The route is the caller's to compare.
   */
  open(id: string, principal: string): OpenedId | undefined {
    const opened = this.#sealer.open(PURPOSE, principal, id);
    // Only what `mint` wrote opens; the check is for payloads that a later version may come to write.
    if (opened === undefined || opened.length < ROUTE_AT) return undefined;
    const payload = Buffer.from(opened.buffer, opened.byteOffset, opened.length);
    const routeEnd = ROUTE_AT + payload.readUInt16BE(ROUTE_LENGTH_AT);
    if (routeEnd > payload.length) return undefined;
    return {
      key: keyText(opened.subarray(CREATED_BYTES, ROUTE_LENGTH_AT)),
      route: payload.toString("utf8", ROUTE_AT, routeEnd),
      upstreamId: payload.toString("utf8", routeEnd),
      createdMs: payload.readUIntBE(0, CREATED_BYTES),
    };
  }
}

function keyText(key: Uint8Array): string {
  return key.toBase64({ alphabet: "base64url", omitPadding: true });
}
