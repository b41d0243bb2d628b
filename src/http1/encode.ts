/**
 * Heads as bytes. Pure.
 *
 * @module
 */

// deno-lint-ignore no-control-regex -- control characters are what is looked for
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/**
 * A field as a line of a head.
 *
 * @throws {TypeError} where it holds a line break or another control character (R16), or more than a
 * byte can.
 */
export function fieldLine(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (UNSAFE.test(line)) throw new TypeError(`the field ${name} holds control characters`);
  return line + "\r\n";
}

/** The text of a head as bytes, one for each character, and room for `more` bytes behind it. */
export function encodeHead(text: string, more = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length + more);
  // By hand: the text is short, and calling the runtime's encoder costs more than this.
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
