/**
 * Reading the text of a config file, and where in it what is not JSON stands.
 *
 * @module
 */

import { parse as parseJsonc } from "@std/jsonc";
import { ConfigError } from "./problems.ts";

/** How the parser names the place of what it did not expect. */
const POSITION = /at position (\d+)$/;

/**
 * The value in the text of a file, JSON or JSON with comments.
 *
 * @throws {ConfigError} with the line and the column of what is neither, counted from 1; never with the text that
 * stands there, which may be a secret that lacks its quotes (R96)
 */
export function parseText(file: string, text: string): unknown {
  try {
    return parseJsonc(text);
  } catch (error) {
    const wanted = "JSON, or JSON with comments";
    if (text.trim() === "") throw new ConfigError([{ path: file, found: "nothing in it", wanted }]);
    throw new ConfigError([{ path: file, found: told(error, text), wanted }]);
  }
}

/** What is wrong with a text, by the error of the parser. */
function told(error: unknown, text: string): string {
  if (!(error instanceof SyntaxError)) return "lists or objects too deep inside each other";
  const position = POSITION.exec(error.message)?.[1];
  return position === undefined
    ? `its end at ${placeOf(text, text.length)}, where more has to come`
    : `something unexpected at ${placeOf(text, Number(position))}`;
}

/** The line and the column of a position in a text. */
function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split(/\r\n|\r|\n/);
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}
