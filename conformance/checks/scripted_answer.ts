/**
 * A call that the server answers as a script says: what the checks of answers share.
 *
 * @module
 */

import type { Reply } from "../mock/mod.ts";
import { type Answer, callRequest, type Context } from "../suite/mod.ts";
import { inSession } from "./probe.ts";

/** An answer with this text for its result's `x`. */
export const resultWith = (text: string, id = "1") =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[],"x":${text}}}`;

/** A call that a script answers, in a session of its own. */
export async function call(
  context: Context,
  answer: (reply: Reply) => Promise<void>,
): Promise<Answer> {
  const { fields } = await inSession(context, { "tools/call": (_, reply) => answer(reply) });
  return await context.send({ body: callRequest(1), fields });
}
