/**
 * What a server says that will not have a session.
 *
 * @module
 */

import {
  at,
  decode,
  encode,
  isRecord,
  keep,
  type KeptAnswer,
  readBody,
  type RpcText,
} from "../../rpc/mod.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import type { Settings } from "./options.ts";
import { isModern } from "./toward_client.ts";

/** The longest refusal that is told, in bytes. */
const MAX_REFUSAL_BYTES = 65_536;
const METHOD_NOT_FOUND = -32601;

/** The server will not have a session. */
export class SessionRefused extends Error {
  /** What it said. */
  readonly kept: KeptAnswer;

  /** A refusal in the server's own words. */
  constructor(kept: KeptAnswer) {
    super("The upstream server refused to open a session.");
    this.name = "SessionRefused";
    this.kept = kept;
  }
}

/** An answer that is a refusal, which it reads. */
export async function refused(answer: UpstreamAnswer, settings: Settings): Promise<SessionRefused> {
  const kept = await keep(answer, MAX_REFUSAL_BYTES);
  return doubting(kept, settings);
}

/** A response that is no result. */
export function refusedWith(reply: RpcText, settings: Settings): SessionRefused {
  const fields = ["content-type", "application/json"];
  return doubting({ status: 200, fields, kind: "json", bytes: encode(reply.text) }, settings);
}

/** A refusal; one that only a server of the other era has says that this one may be of it. */
function doubting(kept: KeptAnswer, settings: Settings): SessionRefused {
  const refusal = new SessionRefused(kept);
  const said = refusalIn(kept);
  const isUnknown = said !== undefined && at(said.value, "error", "code") === METHOD_NOT_FOUND;
  if (said !== undefined && (isUnknown || isModern(said))) settings.onDoubt();
  return refusal;
}

/** The JSON-RPC error in a refusal, if there is one. */
export function refusalIn({ bytes, kind }: KeptAnswer): RpcText | undefined {
  if (kind !== "json") return undefined;
  const message = readBody(decode(bytes))?.messages[0];
  return isRecord(message?.value.error) ? message : undefined;
}
