/**
 * Session ids: unguessable, and only visible ASCII (2025-11-25 basic/transports, "Session Management").
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Random bytes in a session id: 256 bits. */
export const SESSION_ID_BYTES = 32;

/** A new session id in base64url. */
export function sessionId(clock: Clock): string {
  const binary = String.fromCharCode(...clock.randomBytes(SESSION_ID_BYTES));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
