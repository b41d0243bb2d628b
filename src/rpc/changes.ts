/**
 * What a server of any revision tells of its changes, and what clients are told where the proxy cannot know that
 * they have heard of all. Pure.
 *
 * Sources: `ServerCapabilities` of all revisions' schemas; 2025-11-25 server/tools, server/prompts and
 * server/resources, "List Changed Notification" and "Subscriptions"; 2026-07-28 basic/patterns/subscriptions.
 *
 * @module
 */

import { at, readBody, type RpcText } from "./text.ts";

/** A list whose changes a server can tell. */
export type ListName = "tools" | "prompts" | "resources";

const LISTS: readonly ListName[] = ["tools", "prompts", "resources"];

/** The notification that a resource has changed to which somebody has subscribed. */
export const RESOURCE_UPDATED = "notifications/resources/updated";

/** The lists whose changes a server with these capabilities tells. */
export function changingLists(capabilities: unknown): readonly ListName[] {
  return LISTS.filter((name) => at(capabilities, name, "listChanged") === true);
}

/** The notification that a list has changed. */
export function listChanged(name: string): string {
  return `notifications/${name}/list_changed`;
}

/**
 * The notifications behind a gap: whatever may have changed while nobody could be told is told to
 * have changed, so that clients ask for it anew. Without them they would keep for ever what they have.
 *
 * @param lists lists whose changes are told
 * @param uris resources that were subscribed to
 */
export function missedChanges(lists: readonly string[], uris: readonly string[]): RpcText[] {
  const texts = [
    ...lists.map((name) => `{"jsonrpc":"2.0","method":"${listChanged(name)}"}`),
    ...uris.map((uri) =>
      `{"jsonrpc":"2.0","method":"${RESOURCE_UPDATED}","params":${JSON.stringify({ uri })}}`
    ),
  ];
  return texts.map((text) => readBody(text)!.messages[0]!);
}
