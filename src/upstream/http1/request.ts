/**
 * A request as bytes. Pure.
 *
 * @module
 */

import { encodeHead, fieldLines } from "../../http1/mod.ts";
import type { HttpRequest } from "../http_client.ts";

/** A body up to this length goes out in one write with its head. */
export const ONE_WRITE_BYTES = 65_536;

/**
 * What goes on the wire: one piece, or head and body apart where the body is large.
 *
 * @throws {TypeError} where a field holds a line break or another control character (R16).
 */
export function encodeRequest(request: HttpRequest, host: string): Uint8Array[] {
  const head = headText(request, host);
  const { body } = request;
  if (body === null || body.length === 0) return [encodeHead(head)];
  if (body.length > ONE_WRITE_BYTES) return [encodeHead(head), body];
  return [encodeHead(head, body)];
}

function headText(request: HttpRequest, host: string): string {
  const { method, path, fields, lines, body } = request;
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines ?? fieldLines(fields)}`;
  if (body !== null) text += `content-length: ${body.length}\r\n`;
  return text + "\r\n";
}
