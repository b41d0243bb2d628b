/**
 * What is kept of an `initialize` message, so that a session that the upstream has lost can be made anew. Pure.
 *
 * @module
 */

import { detached } from "../http/mod.ts";
import { at, decode, isRecord, readBody, type RpcText, textAt } from "../rpc/mod.ts";

/** So much of one is kept for each session, in bytes or characters. Usual ones have some 300. */
export const MAX_KEPT_INITIALIZE = 16_384;

/** What says who the client is and what it can do (2025-11-25 basic/lifecycle, "Initialization"). */
const KEPT_PARAMS = ["protocolVersion", "capabilities", "clientInfo"];

/**
 * An `initialize` as it went upstream, to be sent again; of a large one what the protocol knows of it, if need be
 * without the client's icons. Undefined where that is too large too.
 */
export function keptInitialize(bytes: Uint8Array): string | undefined {
  const text = decode(bytes);
  if (bytes.length <= MAX_KEPT_INITIALIZE) return text;
  const message = readBody(text)?.messages[0];
  if (message === undefined) return undefined;
  const params = KEPT_PARAMS.flatMap((name): [string, string][] => {
    const value = textAt(message, ["params", name]);
    return value === undefined ? [] : [[name, value]];
  });
  const whole = initialize(params);
  if (whole.length <= MAX_KEPT_INITIALIZE) return detached(whole);
  const plain = initialize(params.map(([name, value]): [string, string] => [
    name,
    name === "clientInfo" ? withoutIcons(message, value) : value,
  ]));
  return plain.length <= MAX_KEPT_INITIALIZE ? detached(plain) : undefined;
}

/** Under an id of its own: the client's may be of any size, and nobody but the proxy sees the answer. */
function initialize(params: readonly [string, string][]): string {
  const all = params.map(([name, value]) => `"${name}":${value}`);
  return `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{${all.join(",")}}}`;
}

function withoutIcons(message: RpcText, text: string): string {
  const info = at(message.value, "params", "clientInfo");
  return isRecord(info) ? JSON.stringify({ ...info, icons: undefined }) : text;
}
