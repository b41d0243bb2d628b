/**
 * Responses to requests of the bridge's own.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { type Key, keyOf, kindOf, type RpcText, textAt } from "../../rpc/mod.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import { MessageSource } from "./message_source.ts";
import type { Settings } from "./options.ts";

/** How an answer is read. */
export interface ResponseOptions {
  /** The largest event or body. */
  readonly settings: Pick<Settings, "maxEventBytes">;
  /** Messages that come beside the response. */
  readonly onOther: (message: RpcText) => void;
}

/**
 * The response to the request with this id.
 *
 * @throws {ProxyError} `upstream_protocol` where the answer ends without one; what broke it off
 */
export async function responseIn(
  answer: UpstreamAnswer,
  idText: string,
  { settings: { maxEventBytes }, onOther }: ResponseOptions,
): Promise<RpcText> {
  const source = new MessageSource(answer, { maxEventBytes });
  try {
    for (let some = await source.next(); some !== undefined; some = await source.next()) {
      for (const message of some) {
        if (isResponseTo(message, keyOf(idText)!)) return message;
        onOther(message);
      }
      if (answer.kind !== "sse") break;
    }
  } finally {
    source.discard();
  }
  const sentence = answer.status === 200
    ? "The upstream server ended its answer without a response."
    : `The upstream server answered with HTTP status ${answer.status} and no response.`;
  throw new ProxyError("upstream_protocol", sentence);
}

/** Whether a message is the response to the request with this id, or an error that names no request. */
export function isResponseTo(message: RpcText, key: Key): boolean {
  if (kindOf(message) !== "response") return false;
  const idText = textAt(message, ["id"]);
  if (idText === undefined || idText === "null") return Object.hasOwn(message.value, "error");
  return keyOf(idText) === key;
}
