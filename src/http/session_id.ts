/**
 * Upstream session ids as they are known inside the proxy: with the name of the server's target in front where
 * there are several, so that whoever keeps the id knows where the session is.
 *
 * Between the two stands a line feed. No header field can bring one in (RFC 9110 section 5.5), so no id of a
 * server looks as if a name stood in front. What comes out is longer than the server's id by at most 33 bytes;
 * how long it may be is checked where sessions are opened and made anew (`MAX_UPSTREAM_ID_BYTES`).
 *
 * @module
 */

/** The name of the one target of an upstream that has a `url` and no `targets`: nothing stands in front then. */
export const UNNAMED = "";

const BETWEEN = "\n";

/** A session id of the server as it is known above. */
export function outwardId(target: string, id: string): string {
  return target === UNNAMED ? id : target + BETWEEN + id;
}

/** The name in front of an id, `UNNAMED` where none is. */
export function targetOfId(id: string): string {
  return id.slice(0, Math.max(0, id.indexOf(BETWEEN)));
}

/** The server's own id in one: what its messages may hold (R77). */
export function inwardId(id: string): string {
  return id.slice(id.indexOf(BETWEEN) + 1);
}
