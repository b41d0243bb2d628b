/**
 * The text format of Prometheus ("Exposition formats", version 0.0.4): pure.
 *
 * Written here since the library for it, prom-client 15.1.3, overflows the stack of `deno compile`, and takes a tenth
 * of a second to load.
 *
 * @module
 */

/** Media type of the text. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One value. */
export interface Sample {
  /** Behind the name of its family: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
  /** Names and values of its labels, in the order in which they are written. */
  readonly labels: Readonly<Record<string, string | number>>;
  /** The value. */
  readonly value: number;
}

/** Values of one name; without any it is left out. */
export interface Family {
  /** Its name, with the unit, and `_total` where it counts. */
  readonly name: string;
  /** What it is: a `counter` only grows. */
  readonly kind: "counter" | "gauge" | "histogram";
  /** What it tells, in a sentence. */
  readonly help: string;
  /** Its values. */
  readonly samples: readonly Sample[];
}

/** The text of families that have different names. */
export function exposition(families: readonly Family[]): string {
  return families.filter(({ samples }) => samples.length > 0).map(familyText).join("");
}

function familyText({ name, kind, help, samples }: Family): string {
  const lines = [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${kind}`];
  for (const { suffix = "", labels, value } of samples) {
    lines.push(`${name}${suffix}${labelText(labels)} ${numberText(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

function labelText(labels: Sample["labels"]): string {
  const pairs = Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value)).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
