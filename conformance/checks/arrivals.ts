/**
 * How often a call has reached the server: what the checks that count requests share.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { type Context, expectEqual } from "../suite/mod.ts";
import { modernByKey, modernCall, sessionByKey, sessionCall, soon, withKey } from "./upstreams.ts";

/** How long an answer may take that a proxy owes after its timeouts. */
export const ANSWER_MS = 4_000;

/** A key of this case alone: what an earlier one left behind, and comes late, is not counted. */
export function ownKey(name: string): string {
  return `${name} ${crypto.randomUUID()}`;
}

/** Has the mock answer by key, and gives calls of an era. */
export async function prepared(
  context: Context,
  era: "modern" | "session",
  scripts: Readonly<Record<string, MockScript>>,
) {
  context.mock.use(era === "modern" ? modernByKey(scripts) : sessionByKey(scripts));
  if (era === "modern") return { call: (key: string) => modernCall(context, key) };
  const session = await context.openSession();
  return { call: (key: string) => sessionCall(session, key) };
}

/** Fails unless a call with this key, one between two others, reaches the server once. */
export async function expectOnce(
  context: Context,
  call: (key: string) => Parameters<Context["send"]>[0],
  key: string,
): Promise<void> {
  await soon(context.send(call("before")), ANSWER_MS);
  await soon(context.send(call(key)), ANSWER_MS);
  // Whatever would follow the answer at once is there when the next call is answered.
  await soon(context.send(call("behind")), ANSWER_MS);
  expectEqual(arrivals(context, key), 1, "the number of times that the call reached the server");
}

/** The number of times that the call with this key has reached the server. */
export function arrivals(context: Context, key: string): number {
  return context.mock.requests.filter(withKey(key)).length;
}
