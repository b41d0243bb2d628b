/**
 * The id of the upstream session where messages carry it: each member knows the session by an id of its own
 * (R77). Pure.
 *
 * @module
 */

import { inwardId } from "../http/mod.ts";

/** An id is looked for from this length on: a shorter one may be part of anything. */
const MIN_SEARCHED_CHARACTERS = 16;

/** An id as it stands in JSON; undefined for one that is not looked for. */
export function writtenId(id: string | undefined): string | undefined {
  const spoken = id === undefined ? "" : inwardId(id);
  if (spoken.length < MIN_SEARCHED_CHARACTERS) return undefined;
  return JSON.stringify(spoken).slice(1, -1);
}

/** A text with one id in place of another; as it is where there is none to look for. */
export function renamed(text: string, from: string | undefined, to: string | undefined): string {
  return from === undefined || to === undefined ? text : text.replaceAll(from, () => to);
}
