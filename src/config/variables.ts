/**
 * Variables of the environment in values that may be secrets: `${NAME}`, and `$${NAME}` for the text itself.
 *
 * @module
 */

import type { ConfigProblem } from "./problems.ts";

const VARIABLE = /\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Gives a variable of the environment. */
export type ReadVariable = (name: string) => string | undefined;

/** The text with its variables in place; `missing` is told of each that there is not. */
export function withVariables(
  text: string,
  env: ReadVariable,
  missing: (name: string) => void,
): string {
  return text.replaceAll(VARIABLE, (found, name: string) => {
    if (found.startsWith("$$")) return found.slice(1);
    const value = env(name);
    if (value === undefined) missing(name);
    return value ?? "";
  });
}

/**
 * Puts variables into a config as it was read: into `headers`, `oauth` and `stdio.env` of each upstream, lists in
 * them included. What is of another shape is left to the schema.
 */
export function expandVariables(
  raw: Readonly<Record<string, unknown>>,
  env: ReadVariable,
  problems: ConfigProblem[],
): void {
  if (!Array.isArray(raw["routes"])) return;
  raw["routes"].forEach((route: unknown, at) => {
    const upstream = member(route, "upstream");
    const path = `routes[${at}].upstream`;
    expandAll(member(upstream, "headers"), `${path}.headers`, env, problems);
    expandAll(member(upstream, "oauth"), `${path}.oauth`, env, problems);
    expandAll(member(member(upstream, "stdio"), "env"), `${path}.stdio.env`, env, problems);
  });
}

function expandAll(values: unknown, path: string, env: ReadVariable, problems: ConfigProblem[]) {
  if (!isRecord(values)) return;
  for (const [name, value] of Object.entries(values)) {
    const at = `${path}.${name}`;
    const expand = (text: unknown, path: string) => expanded(text, path, env, problems);
    values[name] = Array.isArray(value)
      ? value.map((text, index) => expand(text, `${at}[${index}]`))
      : expand(value, at);
  }
}

/** A value with its variables; one that is no text as it is. */
function expanded(text: unknown, path: string, env: ReadVariable, problems: ConfigProblem[]) {
  if (typeof text !== "string") return text;
  return withVariables(text, env, (variable) =>
    problems.push({
      path,
      found: `no variable ${variable} in the environment`,
      wanted: "one that is set; $${NAME} stands for ${NAME} itself",
    }));
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
