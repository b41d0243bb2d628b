/**
 * What came of each cell, as a table to read.
 *
 * @module
 */

/** Marks for what is told in full below the table. */
const MARKS: readonly [string, string][] = [["n/a", "n/a"], ["FAILED", "FAIL"], ["STALE", "STALE"]];

/** Keeps what came of each feature of each cell. */
export class Table {
  readonly #features: readonly string[];
  readonly #cells = new Map<string, Map<string, string>>();

  /** @param features The columns, in order. */
  constructor(features: readonly string[]) {
    this.#features = features;
  }

  /** How many cells have something noted. */
  get rows(): number {
    return this.#cells.size;
  }

  /** Notes what came of one feature of one cell: `ok`, or a text that begins with n/a, FAILED or STALE. */
  note(cell: string, feature: string, text: string): void {
    const row = this.#cells.get(cell) ?? new Map<string, string>();
    this.#cells.set(cell, row.set(feature, text));
  }

  /** Notes that a cell failed as a whole: all that it did not come to failed with it. */
  fail(cell: string, reason: string): void {
    for (const feature of this.#features) {
      if (!this.#cells.get(cell)?.has(feature)) this.note(cell, feature, `FAILED ${reason}`);
    }
  }

  /** The table, and below it in full what is not ok. */
  render(): string {
    const width = Math.max(0, ...[...this.#cells.keys()].map(({ length }) => length));
    const line = (first: string, rest: readonly string[]) =>
      [
        first.padEnd(width),
        ...rest.map((text, at) => text.padEnd(this.#features[at]!.length)),
      ].join(" | ").trimEnd();
    const lines = [line("", this.#features)];
    const notes = new Map<string, Map<string, string[]>>();
    for (const [cell, row] of this.#cells) {
      lines.push(line(cell, this.#features.map((feature) => short(row.get(feature) ?? ""))));
      for (const [feature, text] of row) {
        if (text === "ok") continue;
        const cells = notes.get(text) ?? new Map<string, string[]>();
        notes.set(text, cells.set(cell, [...cells.get(cell) ?? [], feature]));
      }
    }
    return [...lines, "", ...[...notes].flatMap(([text, cells]) => [text, ...where(cells)])]
      .join("\n");
  }
}

function where(cells: ReadonlyMap<string, readonly string[]>): string[] {
  return [...cells].map(([cell, features]) => `    ${cell}: ${features.join(", ")}`);
}

function short(text: string): string {
  return MARKS.find(([start]) => text.startsWith(start))?.[1] ?? text;
}
