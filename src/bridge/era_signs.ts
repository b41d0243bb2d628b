/**
 * What answers and requests say of the era of a server, and of its clients.
 *
 * @module
 */

import { PROTOCOL_VERSION_KEY } from "../era/mod.ts";
import { at, decode, readBody, textAt } from "../rpc/mod.ts";
import { heldBody, type UpstreamAnswer } from "../upstream/mod.ts";
import { isModernError } from "./probe.ts";

/** The longest answer to `initialize`, and the longest refusal, that is looked into, in bytes. */
const MAX_LOOKED_INTO_BYTES = 1_048_576;

/** An answer, as if nobody had looked, and the message in it. */
export async function look(
  answer: UpstreamAnswer,
): Promise<{ answer: UpstreamAnswer; said: unknown }> {
  if (answer.kind !== "json") return { answer, said: undefined };
  const bytes = await answer.body.bytesWithin(MAX_LOOKED_INTO_BYTES);
  if (bytes === null) return { answer, said: undefined };
  const said = readBody(decode(bytes))?.messages[0]?.value;
  return { answer: { ...answer, body: heldBody(bytes) }, said };
}

/** Whether a server with this refusal of `initialize` does not have it, whatever the client has made of it. */
export function hasNoInitialize(status: number, said: unknown): boolean {
  return status === 404 || status === 405 || at(said, "error", "code") === -32601;
}

/** Whether a refusal is that of a server that misses the metadata of modern requests (basic/index "_meta"). */
export function wantsMetadata(said: unknown): boolean {
  const message = at(said, "error", "message");
  return at(said, "error", "code") === -32602 && typeof message === "string" &&
    message.includes(PROTOCOL_VERSION_KEY);
}

/** Whether a refusal is one that a modern server gives to a modern request. */
export function saysModern(said: unknown): boolean {
  const code = at(said, "error", "code");
  // -32000 is what servers of the session era say where a session is missing.
  return isModernError(said) || (typeof code === "number" && code !== -32000);
}

/** Whether a body is one request of this method. */
export function asks(method: string, body: Uint8Array): boolean {
  const text = decode(body);
  if (!text.includes(method)) return false;
  const read = readBody(text);
  return read?.batch === false && read.messages[0]!.value.method === method;
}

/** The exact text of the id of the one request in a body. */
export function idOf(body: Uint8Array): string | undefined {
  const read = readBody(decode(body));
  return read === undefined || read.batch ? undefined : textAt(read.messages[0]!, ["id"]);
}
