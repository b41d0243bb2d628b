/**
 * A request as bytes. Pure.
 *
 * @module
 */

import { encodeHead, type HeadParts } from "../../http1/mod.ts";
import type { HttpRequest } from "../http_client.ts";

/** A body up to this length goes out in one write with its head. */
export const ONE_WRITE_BYTES = 65_536;

const HOST = " HTTP/1.1\r\nhost: ";
const LENGTH = "content-length: ";
const END = "\r\n\r\n";

/**
 * What goes on the wire: one piece, or head and body apart where the body is large.
 *
 * @throws {TypeError} where a field holds a line break or another control character (R16).
 */
export function encodeRequest(request: HttpRequest, host: string): Uint8Array[] {
  const head = headParts(request, host);
  const { body } = request;
  if (body === null || body.length === 0) return [encodeHead(head)];
  if (body.length > ONE_WRITE_BYTES) return [encodeHead(head), body];
  return [encodeHead(head, body)];
}

function headParts({ method, path, fields, lines, body }: HttpRequest, host: string): HeadParts {
  return {
    before: [method, " ", path, HOST, host, "\r\n", lines ?? ""],
    fields: lines === undefined ? fields : undefined,
    behind: body === null ? ["\r\n"] : [LENGTH, `${body.length}`, END],
  };
}
