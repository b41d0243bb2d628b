/**
 * What is wrong with a config, each problem with its path, what was found and what is wanted.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { z } from "zod";

/** One problem of a config. */
export interface ConfigProblem {
  /** Where: `routes[0].upstream.url`, or the flag or variable that set it. */
  readonly path: string;
  /** What stands there, or `nothing`; values of headers are never shown. */
  readonly found: string;
  /** What has to stand there, and how to mend it. */
  readonly wanted: string;
}

/** All problems of a config at once. */
export class ConfigError extends Error {
  /** The problems, in the order of the config. */
  readonly problems: readonly ConfigProblem[];

  /** An error for one or more problems. */
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** One line for one problem. */
export function formatProblem(problem: ConfigProblem): string {
  return `${problem.path}: found ${problem.found}, wanted ${problem.wanted}`;
}

/** The sentence part that names the nearest known word, or all of them where none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length === 0) return "no such key here";
  const nearest = closestString(word, known, { caseSensitive: false });
  const { length } = word.replace(/^-+/, "");
  const near = levenshteinDistance(word.toLowerCase(), nearest.toLowerCase()) <=
    Math.max(2, Math.ceil(length / 3));
  return near ? `did you mean ${nearest}?` : `one of ${known.join(", ")}`;
}

/** The problems that zod found in `input`, in words; `sourceOf` names the flag or variable behind a path. */
export function toProblems(
  error: z.ZodError,
  input: unknown,
  schema: z.ZodType,
  sourceOf: (path: string) => string | undefined,
): ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    const path = pathText(issue.path);
    const where = sourceOf(path) ?? (path === "" ? "(the whole config)" : path);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: path === "" ? key : `${path}.${key}`,
        found: "a key that does not exist",
        wanted: `a known key: ${didYouMean(key, knownKeys(schema, issue.path))}`,
      }));
    }
    if (issue.code === "invalid_key") return [nameProblem(issue)];
    return [{ path: where, found: foundText(input, issue.path), wanted: wantedText(issue) }];
  });
}

/** A name in a map that cannot be one, such as that of a header field. */
function nameProblem({ path, issues, message }: z.core.$ZodIssueInvalidKey): ConfigProblem {
  return {
    path: pathText(path.slice(0, -1)),
    found: `the name ${shownName(String(path.at(-1)))}`,
    wanted: issues[0]?.message ?? message,
  };
}

/** A name as a problem may show it: what stands behind a colon or an equals sign may be a secret (R96). */
export function shownName(name: string): string {
  return shown(name.replace(/([:=]).+$/s, "$1…"));
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null
        ? (value as Record<PropertyKey, unknown>)[part]
        : undefined,
    input,
  );
}

const MAX_SHOWN_CHARACTERS = 80;

function foundText(input: unknown, path: readonly PropertyKey[]): string {
  const value = at(input, path);
  if (value === undefined) return "nothing";
  if (path.some((part) => HIDDEN.has(part)) || mayBeSecret(path)) {
    return "a value that is not shown";
  }
  return shown(value);
}

/** Settings that are not shown, nor anything in them. */
const HIDDEN: ReadonlySet<PropertyKey> = new Set(["headers", "options", "stdio"]);

/** A value as a problem may name it: without what is a secret in a URL, and nothing of what an object holds (R96). */
export function shown(value: unknown): string {
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    return Array.isArray(value) ? "a list" : "an object";
  }
  if (typeof value !== "string") return JSON.stringify(value) ?? "nothing";
  const text = JSON.stringify(value.replace(/\/\/.*@/s, "//…@").replace(/([?#]).+/s, "$1…"));
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
}

/** Settings of `auth.oauth`, none of which is one. */
const OAUTH = [
  "issuer",
  "audience",
  "jwksUri",
  "clockToleranceSeconds",
  "nameClaim",
  "allowPrivateAddresses",
];

/** Settings beside which secrets stand, and those of them that are none. */
const SECRET_ROOMS: ReadonlyMap<PropertyKey | undefined, readonly string[]> = new Map([
  ["auth", ["name", "header", ...OAUTH]],
  ["sessions", ["store", "path"]],
  ["redis", ["prefix", "timeoutMs"]],
]);

/** Settings of `upstream.oauth` that are none. */
const UPSTREAM_OAUTH = [
  "issuer",
  "authentication",
  "privateKeyFile",
  "resource",
  "allowPrivateAddresses",
];

/** Whether a secret may stand there: also in the wrong form, or in the place of a whole object (R96). */
function mayBeSecret(path: readonly PropertyKey[]): boolean {
  const plain = path[0] === "routes" && path.includes("oauth")
    ? UPSTREAM_OAUTH
    : SECRET_ROOMS.get(path[0]);
  return plain !== undefined && !plain.includes(String(path.at(-1)));
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  string: "a string",
};

function wantedText(issue: z.core.$ZodIssue): string {
  const isPlain = issue.code === "invalid_type" && issue.message.startsWith("Invalid input");
  return isPlain ? TYPE_NAMES[issue.expected] ?? issue.expected : issue.message;
}

/** The keys that the object schema at `path` knows. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let nodes = [z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as SchemaNode];
  for (const part of path) {
    nodes = nodes.flatMap((node) =>
      (typeof part === "number" ? node.items : node.properties?.[String(part)]) ?? []
    ).flatMap((node) => node.oneOf ?? node.anyOf ?? node);
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** The part of a JSON Schema that is read here. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
}
