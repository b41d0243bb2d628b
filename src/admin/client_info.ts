/**
 * Who a client says that it is. Pure.
 *
 * @module
 */

/** Characters of a name or version that are told; a client may write what it likes. */
export const MAX_TOLD_CHARACTERS = 128;

/** Of a longer `initialize` nothing is told, so that a page of sessions costs little whatever they sent. */
export const MAX_READ_CHARACTERS = 16_384;

/** A client by its own word. */
export interface ClientInfo {
  /** Its name, shortened; null where it gave none. */
  readonly name: string | null;
  /** Its version, shortened; null where it gave none. */
  readonly version: string | null;
}

/**
 * `clientInfo` of an `initialize` message; null where there is none, or none that can be read.
 *
 * Source: 2025-11-25 basic/lifecycle, "Initialization".
 */
export function clientInfo(initialize: string | undefined): ClientInfo | null {
  if (initialize === undefined || initialize.length > MAX_READ_CHARACTERS) return null;
  let message: unknown;
  try {
    message = JSON.parse(initialize);
  } catch {
    return null;
  }
  const info = member(member(message, "params"), "clientInfo");
  if (typeof info !== "object" || info === null) return null;
  return { name: told(member(info, "name")), version: told(member(info, "version")) };
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function told(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, MAX_TOLD_CHARACTERS) : null;
}
