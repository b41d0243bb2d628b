/**
 * String members of JSON objects, found in any text: in a body, in the data of an event, in JSON that is
 * a string in JSON, and in JSON that breaks off. Pure.
 *
 * @module
 */

/** A member whose value is a string. */
export interface StringMember {
  /** Its key, with escapes resolved. */
  readonly key: string;
  /** Where the text of its value begins, behind the quotation mark. */
  readonly start: number;
  /** Where it ends, before the quotation mark or where the text breaks off. */
  readonly end: number;
}

/**
 * A key, a colon, and the quotation mark of a value, all escaped equally often. Bounded everywhere, so
 * that no text makes it slow. An event may break a message into lines of `data:` between tokens.
 */
const MEMBER =
  /(?<!\\)(\\{0,63})"((?:[^"\\]|\\{1,63}[^"\\]){1,128})\1"(?:\s|data:){0,64}:(?:\s|data:){0,64}\1"/g;

/** Every member of `text` whose value is a string. */
export function stringMembers(text: string): StringMember[] {
  const found: StringMember[] = [];
  MEMBER.lastIndex = 0;
  for (let match = MEMBER.exec(text); match !== null; match = MEMBER.exec(text)) {
    const start = MEMBER.lastIndex;
    const end = endOfString(text, start, match[1]!.length);
    found.push({ key: unescape(match[2]!), start, end });
    // A value may be JSON itself, so its inside is looked at too.
    MEMBER.lastIndex = start;
  }
  return found;
}

/**
 * Where a string ends whose quotation marks have `escapes` backslashes before them. A mark with k of
 * them is inside the string if k, counted in the units of this depth, is odd.
 */
function endOfString(text: string, start: number, escapes: number): number {
  const unit = escapes + 1;
  for (let quote = text.indexOf('"', start); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let first = quote;
    while (first > start && text[first - 1] === "\\") first--;
    const backslashes = quote - first;
    if (Math.floor(backslashes / unit) % 2 === 0) return Math.max(start, quote - escapes);
  }
  return text.length;
}

function unescape(key: string): string {
  return key.replace(
    /\\+u([0-9a-fA-F]{4})/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
}
