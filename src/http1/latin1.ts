/**
 * Bytes of heads as text.
 *
 * @module
 */

/** Bytes as text, one character a byte, as `Headers` wants it. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length <= 8_192) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    // `apply` takes a typed array as it is, which spreading it does ten times slower.
    const codes = bytes.subarray(at, at + 8_192) as unknown as number[];
    text += String.fromCharCode.apply(null, codes);
  }
  return text;
}
