/**
 * What is said while a run is under way: one line that changes on a terminal, few lines elsewhere.
 *
 * @module
 */

import type { CaseResult } from "../suite/mod.ts";

/** Where progress goes. */
export interface ProgressOutput {
  readonly isTerminal: boolean;
  /** The width of a line, where there is a terminal. */
  columns(): number;
  write(text: string): void;
}

/** Told what is being done. */
export interface Progress {
  result(result: CaseResult, done: number, of: number): void;
  phase(what: string): void;
  /** Takes the line away. */
  end(): void;
}

/** Without a terminal there is a line at each of so many parts of the way. */
const PARTS = 10;

/** Progress for this output. */
export function progressOn(output: ProgressOutput): Progress {
  return output.isTerminal ? changingLine(output) : plainLines(output);
}

function changingLine({ columns, write }: ProgressOutput): Progress {
  let failed = 0;
  const show = (text: string) => write(`\r\x1b[K${text.slice(0, Math.max(10, columns() - 1))}`);
  return {
    result: ({ id, verdicts }, done, of) => {
      if (verdicts.some(({ status }) => status === "fail")) failed++;
      show(`${String(done).padStart(String(of).length)}/${of} ${failed} failed  ${id}`);
    },
    phase: (what) => show(`${what} ...`),
    end: () => write("\r\x1b[K"),
  };
}

function plainLines({ write }: ProgressOutput): Progress {
  let part = 0;
  return {
    result: (_, done, of) => {
      const reached = Math.floor(done * PARTS / of);
      if (reached > part) write(`${done} of ${of} cases\n`);
      part = reached;
    },
    phase: (what) => write(`${what} ...\n`),
    end: () => {},
  };
}
