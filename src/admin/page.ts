/**
 * What a page is: a path with names in it, and what answers each method.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { type ClientAnswer, jsonAnswer } from "../http/mod.ts";
import type { AdminSources } from "./sources.ts";

/** What a page is asked for. */
export interface Asked {
  /** The query with its `?`, or empty. */
  readonly query: string;
  /** What stands in the path for each part in capitals, decoded. */
  readonly names: readonly string[];
}

/** Answers one method of a page; throws nothing but a `ProxyError`. */
export type Act = (sources: AdminSources, asked: Asked) => ClientAnswer | Promise<ClientAnswer>;

/** What answers the methods of a page. HEAD is answered as GET is. */
export interface Page {
  /** What tells something and changes nothing. */
  readonly GET?: Act;
  /** What does something. */
  readonly POST?: Act;
}

/** An answer of JSON. */
export function json(status: number, value: unknown): ClientAnswer {
  return jsonAnswer(status, JSON.stringify(value));
}

/**
 * The names in a path, where it has the form of `pattern`: parts of a pattern in capitals stand for any text, the
 * others for themselves. A name with a slash, as that of a route may be, is percent-encoded: `%2Fgithub%2Fmcp`.
 *
 * @returns undefined where the path has another form
 * @throws {ProxyError} `bad_request` where a part is not percent-encoded as it should be
 */
export function namesIn(path: string, pattern: string): readonly string[] | undefined {
  const parts = path.split("/");
  const wanted = pattern.split("/");
  if (parts.length !== wanted.length) return undefined;
  const names: string[] = [];
  for (const [at, part] of parts.entries()) {
    if (/^[A-Z]+$/.test(wanted[at]!)) {
      if (part === "") return undefined;
      names.push(part);
    } else if (part !== wanted[at]) {
      return undefined;
    }
  }
  return names.map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ProxyError(
      "bad_request",
      "A part of this path is not percent-encoded UTF-8; a slash in a name is written %2F.",
    );
  }
}
