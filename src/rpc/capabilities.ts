/**
 * What the proxy declares to a server on behalf of many clients, and which of them can take a request of
 * the server. Pure.
 *
 * Source: `ClientCapabilities` of schema 2025-03-26, 2025-06-18 and 2025-11-25.
 *
 * @module
 */

import { at, isRecord } from "./text.ts";

/** Capabilities as `initialize` tells them. */
export type Capabilities = Readonly<Record<string, unknown>>;

/**
 * All that clients of a revision can declare, so that the server may ask whoever of them did. No tasks:
 * their ids would have to be kept apart for as long as the server keeps them.
 */
export function allCapabilities(revision: string): Capabilities {
  const first = { roots: { listChanged: true }, sampling: {} };
  if (revision >= "2025-11-25") {
    return { ...first, sampling: { tools: {}, context: {} }, elicitation: { form: {}, url: {} } };
  }
  return revision >= "2025-06-18" ? { ...first, elicitation: {} } : first;
}

/** Of what a client declared in `initialize` only what `canTake` asks for: the rest may be of any size. */
export function declared(capabilities: unknown): Capabilities {
  const kept = ["roots", "sampling", "elicitation"].flatMap((name) => {
    const one = at(capabilities, name);
    if (!isRecord(one)) return [];
    const parts = ["tools", "form", "url"].filter((part) => isRecord(at(one, part)));
    return [[name, Object.fromEntries(parts.map((part) => [part, {}]))]];
  });
  return Object.fromEntries(kept);
}

/** Whether a client with these capabilities can take a request of the server; undefined for methods nobody knows. */
export function canTake(
  capabilities: Capabilities,
  method: string,
  params: unknown,
): boolean | undefined {
  const needed = Object.hasOwn(NEEDS, method) ? NEEDS[method] : undefined;
  return needed?.(capabilities, params);
}

/** Requests of a server, and what a client has to have declared for them. */
const NEEDS: Readonly<Record<string, (has: Capabilities, params: unknown) => boolean>> = {
  "roots/list": ({ roots }) => isRecord(roots),
  "sampling/createMessage": ({ sampling }, params) =>
    isRecord(sampling) && (at(params, "tools") === undefined || isRecord(sampling.tools)),
  "elicitation/create": ({ elicitation }, params) => {
    if (!isRecord(elicitation)) return false;
    if (at(params, "mode") === "url") return isRecord(elicitation.url);
    // An empty object stands for forms, as it did before there was anything else.
    return isRecord(elicitation.form) || !isRecord(elicitation.url);
  },
};
