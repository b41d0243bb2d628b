/**
 * When a server wants to be asked again. Pure.
 *
 * Source: RFC 9110 section 10.2.3.
 *
 * @module
 */

import type { FieldReader } from "./fields.ts";

/**
 * What `Retry-After` asks for, in milliseconds: seconds or a date; undefined for what is neither.
 *
 * @param nowMs the wall clock's time, in milliseconds since 1970
 */
export function retryAfterMs(fields: FieldReader, nowMs: number): number | undefined {
  const value = fields.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const atMs = /[A-Za-z]/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
