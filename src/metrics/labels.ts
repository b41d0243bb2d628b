/**
 * What clients write, as labels: only what is known is told by its name.
 *
 * @module
 */

import { USUAL_METHODS } from "../json/mod.ts";

const HTTP_METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST"]);

/** Methods that clients send in any revision, 2024-11-05 to 2026-07-28, and what stands in place of one. */
const RPC_METHODS: ReadonlySet<string> = new Set([
  ...USUAL_METHODS,
  "batch",
  "notifications/roots/list_changed",
  "response",
  "tasks/cancel",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "tasks/update",
]);

/** What has another name: anybody may send any, and each new label costs memory here and at whoever gathers. */
export const OTHER = "other";

/** An HTTP method as a label. */
export function httpLabel(method: string): string {
  return HTTP_METHODS.has(method) ? method : OTHER;
}

/** What a message is, as a label; empty where there is none. */
export function rpcLabel(rpc: string | undefined): string {
  if (rpc === undefined) return "";
  return RPC_METHODS.has(rpc) ? rpc : OTHER;
}
