/**
 * Short ASCII bytes as text.
 *
 * @module
 */

/** The methods of MCP that clients send again and again. */
export const USUAL_METHODS: readonly string[] = [
  "completion/complete",
  "initialize",
  "logging/setLevel",
  "notifications/cancelled",
  "notifications/initialized",
  "notifications/progress",
  "ping",
  "prompts/get",
  "prompts/list",
  "resources/list",
  "resources/read",
  "resources/subscribe",
  "resources/templates/list",
  "resources/unsubscribe",
  "server/discover",
  "subscriptions/listen",
  "tools/call",
  "tools/list",
];

const USUAL_BY_LENGTH = byLength(USUAL_METHODS);

/** Texts of up to so many characters are put together by hand. */
const SHORT_CHARACTERS = 12;

const CHARACTERS = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes from `start` to `end`, which are ASCII, as text. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_CHARACTERS) return decoder.decode(bytes.subarray(start, end));
  let text = "";
  for (let at = start; at < end; at++) text += CHARACTERS[bytes[at]!]!;
  return text;
}

/** Whether what stands from `start` to `end` is `text`. */
export function isThere(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) {
    if (bytes[start + at] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** The method that stands from `start` to `end`, if it is one of those that most messages have. */
export function usualMethod(bytes: Uint8Array, start: number, end: number): string | undefined {
  const candidates = USUAL_BY_LENGTH[end - start] ?? [];
  for (let at = 0; at < candidates.length; at++) {
    if (isThere(bytes, start, end, candidates[at]!)) return candidates[at];
  }
  return undefined;
}

function byLength(texts: readonly string[]): string[][] {
  const found: string[][] = [];
  for (const text of texts) (found[text.length] ??= []).push(text);
  return found;
}
