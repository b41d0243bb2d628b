/**
 * Members of JSON objects put in and taken out, while every other character stays as it was. Pure.
 *
 * @module
 */

import { members, type Span } from "../../json/mod.ts";
import type { Edit } from "../../rpc/mod.ts";

/** A member to be put in: its key, and the text of its value. */
export type NewMember = readonly [key: string, valueText: string];

/** What takes members out of the object at `span` and puts others in ahead of those that stay. */
export function objectEdits(
  text: string,
  span: Span,
  drops: (key: string) => boolean,
  adds: readonly NewMember[] = [],
): Edit[] {
  const found = members(text, span.start);
  const kept = found.filter(({ key }) => !drops(key)).length;
  const inside = text.indexOf("{", span.start) + 1;
  const edits: Edit[] = [];
  if (adds.length > 0) {
    const added = adds.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",");
    edits.push({ span: { start: inside, end: inside }, text: kept > 0 ? `${added},` : added });
  }
  if (kept === found.length) return edits;
  if (kept === 0) return [...edits, cut(inside, found.at(-1)!.end)];
  // Each is cut with the comma ahead of it; those ahead of all that stay with the comma behind them.
  let from = inside;
  let isAhead = true;
  for (const { key, end } of found) {
    const dropped = drops(key);
    const to = dropped && isAhead ? text.indexOf(",", end) + 1 : end;
    if (dropped) edits.push(cut(from, to));
    else isAhead = false;
    from = to;
  }
  return edits;
}

/** What takes some elements out of an array. */
export function arrayEdits(spans: readonly Span[], drops: (index: number) => boolean): Edit[] {
  const dropped = spans.map((_, index) => drops(index));
  const firstKept = dropped.indexOf(false);
  if (firstKept === -1) return spans.length === 0 ? [] : [cut(spans[0]!.start, spans.at(-1)!.end)];
  return spans.flatMap((span, index) => {
    if (!dropped[index]) return [];
    if (index < firstKept) return [cut(span.start, spans[index + 1]!.start)];
    return [cut(spans[index - 1]!.end, span.end)];
  });
}

function cut(start: number, end: number): Edit {
  return { span: { start, end }, text: "" };
}
