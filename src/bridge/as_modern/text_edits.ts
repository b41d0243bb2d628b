/**
 * Putting members into JSON objects that are text, and taking them out, while every other character of them
 * stays as it was. Pure.
 *
 * @module
 */

import { members } from "../../json/mod.ts";

/** Whether a text is that of a JSON object. */
export function isObjectText(text: string | undefined): text is string {
  return text !== undefined && text.startsWith("{");
}

/** The text of a member of an object, the last where its key is repeated; undefined where there is none. */
export function memberOf(object: string, key: string): string | undefined {
  const found = members(object).findLast((member) => member.key === key);
  return found && object.slice(found.start, found.end);
}

/** The text of an object without some members; as it was where it has none of them. */
export function withoutMembers(object: string, keys: readonly string[]): string {
  const all = members(object);
  const kept = all.filter(({ key }) => !keys.includes(key));
  if (kept.length === all.length) return object;
  return `{${kept.map(({ key, start, end }) => written(key, object.slice(start, end))).join(",")}}`;
}

/** The text of an object with these members, in place of those that have their keys. */
export function withMembers(
  object: string,
  added: readonly (readonly [key: string, text: string])[],
): string {
  const bare = withoutMembers(object, added.map(([key]) => key));
  const texts = added.map(([key, text]) => written(key, text)).join(",");
  const end = bare.lastIndexOf("}");
  const separator = members(bare).length > 0 && texts !== "" ? "," : "";
  return `${bare.slice(0, end)}${separator}${texts}${bare.slice(end)}`;
}

/** The text of an object whose `_meta` has these members too. */
export function withMeta(
  object: string,
  added: readonly (readonly [key: string, text: string])[],
): string {
  const meta = memberOf(object, "_meta");
  return withMembers(object, [["_meta", withMembers(isObjectText(meta) ? meta : "{}", added)]]);
}

function written(key: string, text: string): string {
  return `${JSON.stringify(key)}:${text}`;
}
