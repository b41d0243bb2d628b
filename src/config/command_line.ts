/**
 * A command line as words, as a shell splits it; no shell is run, and nothing is expanded. Pure.
 *
 * Source: POSIX.1-2024 XCU 2.2, "Quoting".
 *
 * @module
 */

/** Characters that a shell would take for more than themselves. */
const SHELL_ONLY = /[|&;<>()$`]/;

/** What a backslash keeps as it is inside double quotes. */
const ESCAPED_IN_DOUBLE = new Set(["$", "`", '"', "\\"]);

/** A command line that is none. */
export class CommandLineError extends Error {
  /** Because of `reason`, a part of a sentence such as "a quote that is not closed". */
  constructor(reason: string) {
    super(reason);
    this.name = "CommandLineError";
  }
}

/**
 * The words of a command line: at least one.
 *
 * @throws {CommandLineError} for a quote that is not closed, nothing at all, or what only a shell could do:
 * left as it is, it would go to the program as a word that nobody meant
 */
export function splitCommand(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const character = line[at]!;
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    const { text, end } = readPart(line, at);
    word = (word ?? "") + text;
    at = end;
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0 || words[0] === "") throw new CommandLineError("no command");
  return words;
}

/** A stretch of a word: quoted, escaped, or one character. */
function readPart(line: string, at: number): { text: string; end: number } {
  const character = line[at]!;
  if (character === "'") {
    const end = line.indexOf("'", at + 1);
    if (end === -1) throw new CommandLineError("a quote that is not closed");
    return { text: line.slice(at + 1, end), end: end + 1 };
  }
  if (character === '"') return readDouble(line, at + 1);
  if (character === "\\") {
    if (at + 1 === line.length) throw new CommandLineError("a backslash at the end");
    return { text: line[at + 1]!, end: at + 2 };
  }
  if (SHELL_ONLY.test(character)) {
    throw new CommandLineError(`${character} outside of quotes, which only a shell understands`);
  }
  return { text: character, end: at + 1 };
}

function readDouble(line: string, start: number): { text: string; end: number } {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"') return { text, end: at + 1 };
    const next = line[at + 1];
    const isEscape = character === "\\" && next !== undefined && ESCAPED_IN_DOUBLE.has(next);
    if (isEscape) at++;
    text += isEscape ? next : character;
  }
  throw new CommandLineError("a quote that is not closed");
}
