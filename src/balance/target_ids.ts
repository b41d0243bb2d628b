/**
 * Upstream session ids with their target in front, so that whoever keeps the id knows where the session is.
 *
 * What comes out is longer than the server's id by at most 33 bytes. How long an id may be is checked where
 * sessions are opened and made anew (`MAX_UPSTREAM_ID_BYTES`), which tells of one that is too long.
 *
 * @module
 */

/** The name of the one target of an upstream that has a `url` and no `targets`: nothing stands in front then. */
export const UNNAMED = "";

/** What stands between the two: no name has it. */
const BETWEEN = ".";

/** A session id of the server as it is known above. */
export function outwardId(target: string, id: string): string {
  return target === UNNAMED ? id : target + BETWEEN + id;
}

/** The name in front of an id, and the server's own; undefined where none is in front. */
export function inwardId(id: string): { readonly target: string; readonly id: string } | undefined {
  const at = id.indexOf(BETWEEN);
  return at < 1 ? undefined : { target: id.slice(0, at), id: id.slice(at + 1) };
}
