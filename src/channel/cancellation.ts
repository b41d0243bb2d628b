/**
 * `notifications/cancelled`, read and written. Pure.
 *
 * Source: 2025-11-25 basic/utilities/cancellation.
 *
 * @module
 */

import { type RpcBody, textAt } from "../rpc/mod.ts";

/** The method of a cancellation. */
export const CANCELLED = "notifications/cancelled";

/** A cancellation of the proxy's own; `idText` is the text of the request's id. */
export function cancellation(idText: string, reason: string): string {
  const params = `{"requestId":${idText},"reason":${JSON.stringify(reason)}}`;
  return `{"jsonrpc":"2.0","method":"${CANCELLED}","params":${params}}`;
}

/** The texts of the ids of requests that a body cancels. */
export function cancelledIds({ messages }: RpcBody): string[] {
  return messages.filter(({ value }) => value.method === CANCELLED)
    .map((message) => textAt(message, ["params", "requestId"]))
    .filter((idText) => idText !== undefined);
}
