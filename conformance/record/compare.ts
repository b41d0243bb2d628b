/**
 * Whether two recordings of a conversation say the same, and where they do not. Pure.
 *
 * What may differ is left out: times, where bodies were cut into pieces, and the order in which
 * things of different exchanges arrived.
 *
 * @module
 */

import { type Entry, type Fixture, placeholder } from "../../fixtures/format/mod.ts";

/** A line that only one of two recordings has. */
export interface DiffLine {
  readonly sign: "-" | "+";
  readonly line: string;
}

const NUMBERED = /\{\{(session|event|uuid|time|state):(\d{1,6})\}\}/g;

/** What a recording says, in lines to compare and to read. */
export function linesOf({ meta, entries }: Fixture): string[] {
  const { recorder: _, ...told } = meta;
  const lines = Object.entries(told).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  const exchanges = new Set(entries.map(({ exchange }) => exchange));
  for (const exchange of [...exchanges].toSorted((a, b) => a - b)) {
    const own = entries.filter((entry) => entry.exchange === exchange);
    lines.push(...sideLines(`${exchange} >`, own.filter(({ from }) => from === "client")));
    lines.push(...sideLines(`${exchange} <`, own.filter(({ from }) => from === "server")));
  }
  return renumbered(lines);
}

/** What one side of an exchange says. */
function sideLines(prefix: string, entries: readonly Entry[]): string[] {
  const heads: string[] = [];
  const ends: string[] = [];
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (const entry of entries) {
    if (entry.type === "request") heads.push(`${entry.method} ${entry.target}`);
    else if (entry.type === "response") heads.push(String(entry.status));
    else if (entry.type === "data") pieces.push(new TextEncoder().encode(entry.text));
    else if (entry.type === "bytes") pieces.push(Uint8Array.fromBase64(entry.base64));
    else ends.push(`(${entry.type})`);
    if ("fields" in entry) heads.push(...entry.fields.map((field) => field.join(": ")));
  }
  return [...heads, ...bodyLines(pieces), ...ends].map((line) => `${prefix} ${line}`);
}

function bodyLines(pieces: readonly Uint8Array<ArrayBuffer>[]): string[] {
  if (pieces.length === 0) return [];
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const whole = new Uint8Array(size);
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(whole);
  } catch {
    return [`| base64 ${whole.toBase64()}`];
  }
  // The characters that end lines, and others that cannot be seen, are shown as JSON shows them.
  return text.split("\n").map((line) => `| ${JSON.stringify(line).slice(1, -1)}`);
}

/** Placeholders are numbered as they are met, which depends on what arrived first. */
function renumbered(lines: readonly string[]): string[] {
  const numbers = new Map<string, number>();
  const counts = new Map<string, number>();
  return lines.map((line) =>
    line.replace(NUMBERED, (name, kind: "session") => {
      const number = numbers.get(name) ?? (counts.get(kind) ?? 0) + 1;
      if (!numbers.has(name)) counts.set(kind, number);
      numbers.set(name, number);
      return placeholder(kind, number);
    })
  );
}

/** What `before` says and `after` does not, and the other way round; empty where they agree. */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  const shorter = Math.min(before.length, after.length) - start;
  while (end < shorter && before.at(-1 - end) === after.at(-1 - end)) end++;
  const old = before.slice(start, before.length - end);
  const now = after.slice(start, after.length - end);
  const common = commonLengths(old, now);
  const found: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) [i, j] = [i + 1, j + 1];
    else if (i < old.length && (j === now.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      found.push({ sign: "-", line: old[i++]! });
    } else found.push({ sign: "+", line: now[j++]! });
  }
  return found;
}

/** For each pair of positions, how many lines from there on the two have in common. */
function commonLengths(old: readonly string[], now: readonly string[]): number[][] {
  const table = Array.from({ length: old.length + 1 }, () => Array<number>(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      table[i]![j] = old[i] === now[j]
        ? table[i + 1]![j + 1]! + 1
        : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

/** Most characters shown of a line. */
const SHOWN_CHARS = 300;

/** What is shown before the place where a line and its successor begin to differ. */
const LEAD_CHARS = 60;

/** A diff to read: long lines are cut to where they differ. */
export function formatDiff(diff: readonly DiffLine[]): string {
  return diff.map(({ sign, line }, index) => {
    const other = sign === "-" ? diff[index + 1] : diff[index - 1];
    const same = other !== undefined && other.sign !== sign ? sharedStart(line, other.line) : 0;
    const prefix = /^\d+ [<>] /.exec(line)?.[0] ?? "";
    const from = Math.max(same - LEAD_CHARS, 0);
    const shown = from <= prefix.length ? line : `${prefix}…${line.slice(from)}`;
    return `${sign} ${shown.length > SHOWN_CHARS ? `${shown.slice(0, SHOWN_CHARS)}…` : shown}`;
  }).join("\n");
}

function sharedStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
