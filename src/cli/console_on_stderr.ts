/**
 * The console where stdout carries messages.
 *
 * @module
 */

import { Console } from "node:console";
import { stderr } from "node:process";

/** What of the console writes to stdout. */
const ON_STDOUT = [
  "log",
  "info",
  "debug",
  "dir",
  "dirxml",
  "table",
  "group",
  "groupCollapsed",
  "groupEnd",
  "count",
  "countReset",
  "time",
  "timeLog",
  "timeEnd",
] as const satisfies readonly (keyof Console)[];

/** What a method of the console is to whoever puts another one in its place. */
type Methods = Record<typeof ON_STDOUT[number], (...data: unknown[]) => void>;

/**
 * Has what modules write with the console go to stderr until it is disposed of. The methods of the one console are
 * replaced and not the console, which a module may have taken hold of.
 */
export function consoleOnStderr(): Disposable {
  const target = globalThis.console as Methods;
  // One console for all of them: the state of groups, counts and times is in it.
  const other = new Console(stderr, stderr) as Methods;
  const before = ON_STDOUT.map((name) => [name, target[name]] as const);
  for (const name of ON_STDOUT) target[name] = other[name].bind(other);
  return {
    [Symbol.dispose]() {
      for (const [name, method] of before) target[name] = method;
    },
  };
}
