/**
 * The values of `--header`: a field each, with variables of the environment in it.
 *
 * Everybody on a machine can read the command lines of its processes, but not their environment: so a secret
 * may stand there, and its name on the command line.
 *
 * @module
 */

import {
  ConfigError,
  type ConfigProblem,
  HEADER_FLAG,
  HEADER_NAME,
  HEADER_NAME_WANTED,
  type Overrides,
  shownName,
  withVariables,
} from "../config/mod.ts";

const VALUE = /^[\t\x20-\x7e]*$/;

/**
 * The fields that flags such as `Authorization: Bearer ${TOKEN}` give; none where there are no flags.
 *
 * @throws {ConfigError} with all that is wrong with them; no value is shown (R96)
 */
export function headerOverrides(
  flags: readonly string[],
  env: (name: string) => string | undefined,
): Pick<Overrides, "headers"> {
  if (flags.length === 0) return {};
  const problems: ConfigProblem[] = [];
  const headers: Record<string, string> = {};
  for (const flag of flags) {
    const colon = flag.indexOf(":");
    const name = flag.slice(0, Math.max(colon, 0)).trim();
    if (!HEADER_NAME.test(name)) {
      problems.push(nameProblem(name));
      continue;
    }
    headers[name] = expanded(name, flag.slice(colon + 1).trim(), env, problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { headers };
}

function nameProblem(name: string): ConfigProblem {
  if (name !== "") {
    return { path: HEADER_FLAG, found: `the name ${shownName(name)}`, wanted: HEADER_NAME_WANTED };
  }
  return {
    path: HEADER_FLAG,
    found: "a value without the name of a field ahead of a colon",
    wanted: `a field such as ${HEADER_FLAG} "X-Api-Key: \${API_KEY}"`,
  };
}

function expanded(
  name: string,
  text: string,
  env: (name: string) => string | undefined,
  problems: ConfigProblem[],
): string {
  const path = `${HEADER_FLAG} ${name}`;
  const value = withVariables(text, env, (variable) => {
    const wanted = "a variable of the environment, with the value of the field or a part of it";
    problems.push({ path, found: `no variable ${variable}`, wanted });
  });
  if (!VALUE.test(value)) {
    const found = "characters that a field cannot have";
    problems.push({ path, found, wanted: "printable ASCII without line breaks" });
  }
  return value;
}
