/**
 * The bodies of a recording, put together from their pieces. Pure.
 *
 * @module
 */

import { toBinary } from "./bytes.ts";
import type { RawEntry, Side } from "./recorder.ts";
import type { Field } from "./redact.ts";

/** One side's body in one exchange. */
export interface Body {
  readonly exchange: number;
  readonly from: Side;
  /** One character a byte. */
  readonly text: string;
  /** Where its pieces begin and end. */
  readonly pieces: readonly { readonly start: number; readonly end: number }[];
  readonly contentType: string | undefined;
  /** The coding it is in, where it is in one. */
  readonly contentCoding: string | undefined;
  /** Whether its end was seen. */
  readonly whole: boolean;
}

/** Bodies by exchange and side. */
export type Bodies = ReadonlyMap<string, Body>;

/** The key of an entry's body. */
export function bodyKey({ exchange, from }: { exchange: number; from: Side }): string {
  return `${exchange} ${from}`;
}

/** The bodies that have at least one byte, in the order in which they began. */
export function bodiesOf(entries: readonly RawEntry[]): Bodies {
  const heads = new Map<string, readonly Field[]>();
  const pieces = new Map<string, { exchange: number; from: Side; bytes: Uint8Array[] }>();
  const ended = new Set<string>();
  for (const entry of entries) {
    const key = bodyKey(entry);
    if (entry.type === "request" || entry.type === "response") heads.set(key, entry.fields);
    if (entry.type === "end") ended.add(key);
    if (entry.type !== "data") continue;
    const body = pieces.get(key) ?? { exchange: entry.exchange, from: entry.from, bytes: [] };
    pieces.set(key, body);
    body.bytes.push(entry.bytes);
  }
  return new Map([...pieces].map(([key, { exchange, from, bytes }]) => {
    let at = 0;
    return [key, {
      exchange,
      from,
      text: bytes.map(toBinary).join(""),
      pieces: bytes.map(({ length }) => ({ start: at, end: at += length })),
      ...contentOf(heads.get(key) ?? []),
      whole: ended.has(key),
    }];
  }));
}

/** What a body is, by the head before it. */
export function contentOf(
  fields: readonly Field[],
): Pick<Body, "contentType" | "contentCoding"> {
  const coding = valueOf(fields, "content-encoding")?.trim().toLowerCase();
  return {
    contentType: valueOf(fields, "content-type"),
    contentCoding: coding === undefined || coding === "identity" ? undefined : coding,
  };
}

/** The value of a field. */
export function valueOf(fields: readonly Field[], name: string): string | undefined {
  return fields.find(([own]) => own.toLowerCase() === name)?.[1];
}
