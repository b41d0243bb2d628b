/**
 * Heads as bytes. Pure.
 *
 * @module
 */

const encoder = new TextEncoder();
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;
// deno-lint-ignore no-control-regex -- every ASCII character is what is looked for
const NOT_ASCII = /[^\x00-\x7f]/;

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

/** The text of a head as bytes, one for each character. */
export function encodeHeadText(text: string): Uint8Array<ArrayBuffer> {
  if (!NOT_ASCII.test(text)) return encoder.encode(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
