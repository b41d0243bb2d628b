/**
 * Names of methods in log lines and counts: anybody may send any text as one.
 *
 * @module
 */

/** What is told of a name that is told nowhere. */
export const ODD_METHOD = "(odd method name)";

const MAX_CHARACTERS = 64;
const UNDERSCORE = 0x5f;
const DOLLAR = 0x24;

/**
 * A method as it may be told (R96): its own name where it is short and of characters that names are made of;
 * undefined for what is no method.
 */
export function methodForLog(method: unknown): string | undefined {
  if (typeof method !== "string") return undefined;
  return isPlain(method) ? method : ODD_METHOD;
}

/** By hand, since each request asks and a regular expression is dear in a cold call (bench/NOTES.md). */
function isPlain(method: string): boolean {
  if (method.length === 0 || method.length > MAX_CHARACTERS) return false;
  for (let at = 0; at < method.length; at++) {
    const code = method.charCodeAt(at);
    const lower = code | 0x20;
    // A digit, or one of "-./" ahead of them.
    const isOther = (code >= 0x2d && code <= 0x39) || code === UNDERSCORE || code === DOLLAR;
    if (!isOther && !(lower >= 0x61 && lower <= 0x7a)) return false;
  }
  return true;
}
