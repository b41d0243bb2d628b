/**
 * Bodies as strings of one character a byte, so that what is looked for is found in bytes that are no
 * UTF-8 too, and so that places in the string are places in the bytes. Pure.
 *
 * @module
 */

const STEP = 8_192;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as a string of one character a byte. */
export function toBinary(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP) {
    text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  }
  return text;
}

/** The bytes of a string made by `toBinary`. */
export function fromBinary(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What the bytes say in UTF-8; undefined where they are none. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text behind a string made by `toBinary`: in UTF-8, or as it is where it is none. */
export function readable(binary: string): string {
  return utf8Text(fromBinary(binary)) ?? binary;
}
