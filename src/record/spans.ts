/**
 * Places in a text that stand for something, and putting a placeholder there. Pure.
 *
 * @module
 */

/** What a place stands for; where two overlap, the earlier in this list wins. */
export const SPAN_KINDS = [
  "redacted",
  "state",
  "event",
  "session",
  "uuid",
  "time",
  "host",
] as const;

/** What a place stands for. */
export type SpanKind = typeof SPAN_KINDS[number];

/** A place in a text. */
export interface Span {
  /** Index of its first character. */
  readonly start: number;
  /** Index behind its last character. */
  readonly end: number;
  /** What it stands for. */
  readonly kind: SpanKind;
}

/** The spans that remain when those that overlap are sorted out, from left to right. */
export function settleSpans(spans: readonly Span[], length: number): Span[] {
  const taken = new Uint8Array(length);
  const settled: Span[] = [];
  for (const kind of SPAN_KINDS) {
    const own = spans.filter((span) => span.kind === kind && span.end > span.start)
      .toSorted((a, b) => a.start - b.start);
    // Secrets that overlap are one: none of their characters may be left over.
    for (const span of kind === "redacted" ? union(own) : own) {
      if (taken[span.start] === 1 || taken[span.end - 1] === 1) continue;
      if (taken.subarray(span.start, span.end).includes(1)) continue;
      taken.fill(1, span.start, span.end);
      settled.push(span);
    }
  }
  return settled.sort((a, b) => a.start - b.start);
}

function union(sorted: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && span.start < last.end) {
      merged[merged.length - 1] = { ...last, end: Math.max(last.end, span.end) };
    } else merged.push(span);
  }
  return merged;
}

/**
 * The part of `text` from `from` to `to` with `replace` called for each span that begins there. What
 * reaches in from the left was replaced there already.
 */
export function replaceWithin(
  text: string,
  spans: readonly Span[],
  from: number,
  to: number,
  replace: (span: Span, value: string) => string,
): string {
  let result = "";
  let at = from;
  for (const span of spans) {
    if (span.end <= from) continue;
    if (span.start >= to) break;
    if (span.start >= from) {
      result += text.slice(at, span.start) + replace(span, text.slice(span.start, span.end));
    }
    at = Math.min(to, span.end);
  }
  return result + text.slice(at, to);
}

/** Every place where `literal` stands in `text`. */
export function literalSpans(text: string, literal: string, kind: SpanKind): Span[] {
  const spans: Span[] = [];
  for (let at = text.indexOf(literal); at !== -1; at = text.indexOf(literal, at + literal.length)) {
    spans.push({ start: at, end: at + literal.length, kind });
  }
  return spans;
}

/** Every place that `pattern` matches, or its group `group`. The pattern needs the flags `g` and `d`. */
export function patternSpans(text: string, pattern: RegExp, kind: SpanKind, group = 0): Span[] {
  return [...text.matchAll(pattern)].map((match) => {
    const [start, end] = match.indices![group]!;
    return { start, end, kind };
  });
}
