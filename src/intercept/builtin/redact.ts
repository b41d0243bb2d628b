/**
 * Takes secrets out of messages, in either direction or in one.
 *
 * What the protocol itself needs stays: the envelope, names and addresses of what is asked for,
 * cursors, `requestState`, progress tokens and the `_meta` members of the specification.
 *
 * @module
 */

import { z } from "zod";
import { isObject } from "../message.ts";
import type { Interceptor, JsonRpcMessage } from "../types.ts";
import { ExactNumber } from "../codec.ts";

/** Options of `redact`. */
export const redactOptions = z.strictObject({
  direction: z.enum(["both", "client", "server"], { error: "both, client or server" })
    .default("both").describe("Whose messages are redacted."),
  keys: z.array(z.string().min(1, { error: "the name of a member" })).default([]).describe(
    "Members, wherever they stand and in any case of letters, whose texts, numbers and booleans are " +
      "replaced. Objects under such a name are searched like any other, because schemas have them.",
  ),
  paths: z.array(
    z.string().regex(/^(params|result|error)(\.[^.[\]]+|\[\*\])+$/, {
      error: "a path such as params.arguments.password or result.content[*].text",
    }),
  ).default([]).describe(
    "Places whose whole value is replaced: member names joined by dots, * for any member, [*] for " +
      "any element of a list.",
  ),
  patterns: z.array(
    z.string().refine(isPattern, {
      error: "a regular expression of JavaScript that does not fit an empty text",
    }),
  )
    .default([]).describe(
      "Regular expressions; what they find in texts is replaced. Case counts unless they begin with (?i:",
    ),
  replacement: z.string().default("[redacted]").describe("What stands in the place of a secret."),
});

/** Options of `redact`, filled in. */
export type RedactOptions = z.output<typeof redactOptions>;

function isPattern(source: string): boolean {
  try {
    return !new RegExp(source, "u").test("");
  } catch {
    return false;
  }
}

/** An interceptor that redacts. */
export function createRedact(options: RedactOptions): Interceptor {
  const redact = redactor(options);
  const hook = (message: JsonRpcMessage) => {
    const redacted = redact(message);
    return redacted === message ? undefined : { replace: redacted };
  };
  return {
    name: "redact",
    ...(options.direction === "server" ? {} : { clientMessage: hook }),
    ...(options.direction === "client" ? {} : { serverMessage: hook }),
  };
}

interface Rules {
  readonly keys: ReadonlySet<string>;
  readonly paths: readonly (readonly string[])[];
  readonly patterns: readonly RegExp[];
  readonly replacement: string;
}

/** Takes the secrets out of a message; the same object where there are none. */
export function redactor(options: RedactOptions): (message: JsonRpcMessage) => JsonRpcMessage {
  const rules: Rules = {
    keys: new Set(options.keys.map((key) => key.toLowerCase())),
    paths: options.paths.map((path) => path.replaceAll("[*]", ".[]").split(".")),
    patterns: options.patterns.map((source) => new RegExp(source, "gu")),
    replacement: options.replacement,
  };
  return (message) =>
    changeMembers(
      message,
      (value, key) => PARTS.includes(key) ? redactValue(rules, value, [key]) : value,
    ) as JsonRpcMessage;
}

/** Members of the envelope that hold what the peers say to each other. */
const PARTS: readonly string[] = ["params", "result", "error"];

/** Members right under `params` and `result` that the protocol needs as they are. */
const PROTOCOL_MEMBERS: readonly string[] = [
  "cursor",
  "method",
  "name",
  "nextCursor",
  "progressToken",
  "protocolVersion",
  "requestState",
  "resultType",
  "uri",
];

const PROTOCOL_META = /^(progressToken|io\.modelcontextprotocol\/.*)$/;

function redactValue(rules: Rules, value: unknown, path: readonly string[]): unknown {
  if (isKept(path)) return value;
  if (rules.paths.some((pattern) => fits(pattern, path))) return rules.replacement;
  if (typeof value === "string") return redactText(rules, value);
  if (Array.isArray(value)) {
    return changeItems(value, (item) => redactValue(rules, item, [...path, "[]"]));
  }
  if (!isObject(value)) return value;
  return changeMembers(value, (member, key) => {
    const inside = [...path, key];
    if (!rules.keys.has(key.toLowerCase()) || isKept(inside)) {
      return redactValue(rules, member, inside);
    }
    return redactScalars(rules, member, inside);
  });
}

/** Replaces a text, number or boolean, and those of a list. */
function redactScalars(rules: Rules, value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return changeItems(value, (item) => redactScalars(rules, item, path));
  const isScalar = typeof value !== "object" || value instanceof ExactNumber;
  return isScalar ? rules.replacement : redactValue(rules, value, path);
}

function redactText(rules: Rules, text: string): string {
  // A function, because `$` in a replacement would have a meaning.
  return rules.patterns.reduce((left, p) => left.replace(p, () => rules.replacement), text);
}

function isKept(path: readonly string[]): boolean {
  const [part, member, key] = path;
  if (part === "error") return path.length === 2 && member === "code";
  if (member === "_meta") return key !== undefined && PROTOCOL_META.test(key);
  return path.length === 2 && PROTOCOL_MEMBERS.includes(member!);
}

function fits(pattern: readonly string[], path: readonly string[]): boolean {
  return pattern.length === path.length &&
    pattern.every((part, at) => part === path[at] || (part === "*" && path[at] !== "[]"));
}

function changeItems(
  items: readonly unknown[],
  change: (item: unknown) => unknown,
): readonly unknown[] {
  const changed = items.map(change);
  return changed.every((item, at) => item === items[at]) ? items : changed;
}

function changeMembers(
  value: Readonly<Record<string, unknown>>,
  change: (member: unknown, key: string) => unknown,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(value);
  const changed = entries.map(([key, member]) => [key, change(member, key)] as const);
  const isSame = changed.every(([, member], at) => member === entries[at]![1]);
  return isSame ? value : Object.fromEntries(changed);
}
