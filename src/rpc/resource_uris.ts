/**
 * Which changes of resources a subscription is about. Pure.
 *
 * @module
 */

/**
 * Whether who subscribed to one URI has to hear of a change to another: also of what is a part of it ("this
 * might be a sub-resource of the one that the client actually subscribed to", schema 2025-11-25 and 2026-07-28).
 */
export function covers(subscribed: string, uri: string): boolean {
  if (!uri.startsWith(subscribed)) return false;
  const { length } = subscribed;
  return uri.length === length || /[/?#]$/.test(subscribed) || /[/?#]/.test(uri[length]!);
}
