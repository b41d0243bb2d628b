/**
 * What each side is told that the other can do. Pure.
 *
 * Source: `ClientCapabilities`, `ServerCapabilities` and `Implementation` of all revisions' schemas.
 *
 * @module
 */

import {
  at,
  changingLists,
  isRecord,
  type ListName,
  type RpcText,
  spanOf,
  splice,
  textAt,
} from "../../rpc/mod.ts";
import { type NewMember, objectEdits } from "./edits.ts";

/** What a server of 2026-07-28 offers, as far as the bridge has to know it. */
export interface Offers {
  /** `notifications/message`, and with it `logging/setLevel`. */
  readonly logging: boolean;
  /** `resources/subscribe`. */
  readonly subscribe: boolean;
  /** Lists whose changes are told. */
  readonly listChanged: readonly ListName[];
}

/** Capabilities of a server with the revision that brought them, and the members of each that are flags. */
const SERVER: readonly (readonly [name: string, since: string, flags: readonly string[]])[] = [
  ["logging", "2024-11-05", []],
  ["completions", "2025-03-26", []],
  ["prompts", "2024-11-05", ["listChanged"]],
  ["resources", "2024-11-05", ["subscribe", "listChanged"]],
  ["tools", "2024-11-05", ["listChanged"]],
];

/** What an implementation says of itself, with the revision that brought it. */
const IMPLEMENTATION: Readonly<Record<string, string>> = {
  name: "2024-11-05",
  version: "2024-11-05",
  title: "2025-06-18",
  icons: "2025-11-25",
  description: "2025-11-25",
  websiteUrl: "2025-11-25",
};

/**
 * Capabilities of a modern server as `initialize` of a revision tells them. Experimental ones and extensions
 * are left out: nobody knows which messages they need.
 */
export function serverCapabilities(
  capabilities: unknown,
  revision: string,
): Readonly<Record<string, Readonly<Record<string, true>>>> {
  return Object.fromEntries(SERVER.flatMap(([name, since, flags]) => {
    const one = at(capabilities, name);
    if (revision < since || !isRecord(one)) return [];
    const set = flags.filter((flag) => at(one, flag) === true);
    return [[name, Object.fromEntries(set.map((flag) => [flag, true as const]))]];
  }));
}

/** The same, as far as the bridge has to know it. */
export function offersOf(capabilities: unknown): Offers {
  return {
    logging: isRecord(at(capabilities, "logging")),
    subscribe: at(capabilities, "resources", "subscribe") === true,
    listChanged: changingLists(capabilities),
  };
}

/** The text of a modern `serverInfo` as a revision knows it; what has no name or version gets one. */
export function serverInfo(result: RpcText, path: readonly string[], revision: string): string {
  const span = spanOf(result, path);
  const value = at(result.value, ...path);
  if (span === undefined || !isRecord(value)) return '{"name":"unknown","version":"unknown"}';
  const isKnown = (key: string) =>
    Object.hasOwn(IMPLEMENTATION, key) && IMPLEMENTATION[key]! <= revision;
  const needed = ["name", "version"].filter((key) => typeof value[key] !== "string");
  const drops = (key: string) => !isKnown(key) || needed.includes(key);
  const adds = needed.map((key): NewMember => [key, '"unknown"']);
  const text = result.text.slice(span.start, span.end);
  return splice(text, objectEdits(text, { start: 0, end: text.length }, drops, adds));
}

/**
 * The text of a client's capabilities as 2026-07-28 tells them: what the client declared in `initialize`, as
 * far as its revision has it and the bridge can carry it.
 */
export function clientCapabilities(initialize: RpcText, revision: string): string {
  const texts = CLIENT.flatMap(([name, since, translate]) => {
    const path = ["params", "capabilities", name];
    if (revision < since || !isRecord(at(initialize.value, ...path))) return [];
    const declared = textAt(initialize, path)!;
    return [`"${name}":${translate(declared, revision)}`];
  });
  return `{${texts.join(",")}}`;
}

/** Characters of the name and of the version of a client that says too much of itself. */
const MAX_NAME_CHARACTERS = 1_024;

/** The text of who a client says that it is, which goes with each of its requests; undefined where it says nothing. */
export function clientInfo(initialize: RpcText, maxCharacters: number): string | undefined {
  const path = ["params", "clientInfo"];
  const value = at(initialize.value, ...path);
  if (!isRecord(value)) return undefined;
  const text = textAt(initialize, path)!;
  if (text.length <= maxCharacters) return text;
  const short = (one: unknown) => typeof one === "string" ? one.slice(0, MAX_NAME_CHARACTERS) : "";
  return JSON.stringify({ name: short(value.name), version: short(value.version) });
}

type Translate = (text: string, revision: string) => string;

const asDeclared: Translate = (text) => text;

/** Tools in sampling, and modes of elicitation, came with 2025-11-25; an empty object stands for what was before. */
const plainBefore: Translate = (text, revision) => revision < "2025-11-25" ? "{}" : text;

/** Without `tasks`, whose ids belong to sessions, and with roots that do not change: nobody could be told. */
const CLIENT: readonly (readonly [name: string, since: string, translate: Translate])[] = [
  ["experimental", "2024-11-05", asDeclared],
  ["extensions", "2025-06-18", asDeclared],
  ["roots", "2024-11-05", () => "{}"],
  ["sampling", "2024-11-05", plainBefore],
  ["elicitation", "2025-06-18", plainBefore],
];
