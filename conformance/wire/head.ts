/**
 * Heads of HTTP/1.1 messages (RFC 9112), read strictly: what a proxy sends is judged by it.
 *
 * @module
 */

/** Header fields in the order and number in which they came, names in lower case. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** A peer sent what is no HTTP/1.1. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** A peer closed the connection where an answer was to begin. */
export class ConnectionClosed extends WireError {}

/** A head: its first line and its fields. */
export interface Head {
  readonly startLine: string;
  readonly fields: Fields;
}

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/;

/** Reads a head, given without the empty line that ends it. */
export function parseHead(text: string): Head {
  const [startLine = "", ...lines] = text.split("\r\n");
  const fields = lines.map((line): [string, string] => {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined || /[\0\r\n]/.test(value)) {
      throw new WireError(`not a header field: ${JSON.stringify(line)}`);
    }
    return [name.toLowerCase(), value];
  });
  return { startLine, fields };
}

/** The values of a field, as often as it came. */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([key]) => key === name).map(([, value]) => value);
}

/** The value of a field that came once; undefined where it did not come, joined where it came more. */
export function valueOf(fields: Fields, name: string): string | undefined {
  const values = valuesOf(fields, name);
  return values.length === 0 ? undefined : values.join(", ");
}

/** How a body ends: after so many bytes, with a last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/**
 * The framing that fields declare, by RFC 9112 section 6.3.
 *
 * @throws {WireError} where they contradict themselves
 */
export function framingOf(fields: Fields, otherwise: 0 | "close"): Framing {
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    if (lengths.length > 0) throw new WireError("both Content-Length and Transfer-Encoding");
    if (codings.join(",").toLowerCase() !== "chunked") {
      throw new WireError(`Transfer-Encoding: ${codings.join(", ")}`);
    }
    return "chunked";
  }
  if (lengths.length === 0) return otherwise;
  if (lengths.length > 1) throw new WireError("more than one Content-Length");
  if (!/^\d{1,15}$/.test(lengths[0]!)) throw new WireError(`Content-Length: ${lengths[0]}`);
  return Number(lengths[0]);
}
