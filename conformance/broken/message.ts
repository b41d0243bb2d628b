/**
 * Heads and bodies as bytes, for the messages that damage changes.
 *
 * @module
 */

import { binary, type Fields, joined } from "../wire/mod.ts";
import type { Passing } from "./damage.ts";

const encoder = new TextEncoder();

const FRAMING = new Set(["content-length", "transfer-encoding"]);

const LAST_CHUNK = encoder.encode("0\r\n\r\n");

/** Text as UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 as text; a byte order mark stays. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** What `binary` made of bytes as bytes again. */
export function unbinary(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The value of a field; undefined where there is none. */
export function fieldOf(fields: Fields, name: string): string | undefined {
  return fields.find(([key]) => key === name)?.[1];
}

/** Fields with one set, or taken away where the value is null. */
export function withField(fields: Fields, name: string, value: string | null): Fields {
  const others = fields.filter(([key]) => key !== name);
  return value === null ? others : [...others, [name, value]];
}

/** Fields without those that frame the body. */
export function unframed(fields: Fields): Fields {
  return fields.filter(([name]) => !FRAMING.has(name));
}

/** A head as bytes. */
export function headBytes(startLine: string, fields: Fields): Uint8Array {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const text = `${startLine}\r\n${lines}\r\n`;
  return unbinary(text);
}

/** The status line for a status. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} Status`;
}

/** A whole request with another body, or other fields; the framing is a length. */
export function requestWith(
  request: Passing,
  change: { readonly fields?: Fields; readonly body?: Uint8Array; readonly startLine?: string },
): Uint8Array {
  const body = change.body ?? request.body;
  const fields = unframed(change.fields ?? request.fields);
  const framed = request.method === "POST" || body.length > 0;
  const length: Fields = framed ? [["content-length", String(body.length)]] : [];
  return joined([
    headBytes(change.startLine ?? request.startLine, [...fields, ...length]),
    body,
  ]);
}

/** A whole answer. */
export function answerWith(status: number, fields: Fields, body: string): Uint8Array {
  const bytes = bytesOf(body);
  const length: Fields = [["content-length", String(bytes.length)]];
  return joined([headBytes(statusLine(status), [...fields, ...length]), bytes]);
}

/** A piece of a body as a chunk. */
export function chunk(piece: Uint8Array): Uint8Array {
  return joined([bytesOf(`${piece.length.toString(16)}\r\n`), piece, bytesOf("\r\n")]);
}

/** What ends a chunked body. */
export function lastChunk(): Uint8Array {
  return LAST_CHUNK;
}

/** What can be told of a request whose head is no sound HTTP. */
export function unsound(bytes: Uint8Array): Passing {
  const [head = ""] = binary(bytes).split(/\r?\n\r?\n/, 1);
  const [startLine = "", ...lines] = head.split(/\r?\n/);
  const [method = "", target = ""] = startLine.split(" ");
  const fields = lines.flatMap((line): [string, string][] => {
    const colon = line.indexOf(":");
    return colon <= 0 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]];
  });
  return { method, target, startLine, fields, bytes, body: new Uint8Array(), sound: false };
}

/** JSON written anew; what is no JSON stays. */
export function rewritten(
  body: Uint8Array,
  change: (value: unknown) => unknown = (value) => value,
): Uint8Array {
  const text = textOf(body);
  try {
    return bytesOf(JSON.stringify(change(JSON.parse(text))));
  } catch {
    return body;
  }
}
