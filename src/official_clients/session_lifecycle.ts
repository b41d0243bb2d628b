/**
 * Session-era cases about the session itself.
 *
 * Source: 2025-11-25 basic/transports, "Session Management".
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Relay } from "./relay.ts";
import type { SessionCase, Setup } from "./session_case.ts";

const SESSION_ID = "mcp-session-id";

/** The ids the server gave out. */
function upstreamIds({ exchanges }: Relay): string[] {
  return exchanges.items
    .filter(({ message }) => message?.method === "initialize")
    .map(({ answerHeaders }) => answerHeaders.get(SESSION_ID)!);
}

async function separateIds({ client, relay, target }: Setup): Promise<void> {
  await client.call(target.fixed);
  const [upstreamId, ...more] = upstreamIds(relay);
  assertEquals(more, []);
  assert(upstreamId !== undefined && client.sessionId !== undefined);
  assertNotEquals(client.sessionId, upstreamId);
  const sent = relay.arrived.items
    .filter(({ message }) => message?.method !== "initialize")
    .map(({ headers }) => headers.get(SESSION_ID));
  assertEquals(new Set(sent), new Set([upstreamId]));
}

async function terminate({ client, another, relay, target }: Setup): Promise<void> {
  const ended = client.sessionId!;
  const [upstreamId] = upstreamIds(relay);
  await client.terminate();
  assertEquals(client.sessionId, undefined);
  const deleted = relay.arrived.items.filter(({ method }) => method === "DELETE");
  assertEquals(deleted.map(({ headers }) => headers.get(SESSION_ID)), [upstreamId!]);

  const stale = await another(ended);
  await assertRejects(() => stale.call(target.fixed));
  assertEquals(stale.watch.statuses, [404]);

  const renewed = await another();
  assertNotEquals(renewed.sessionId, ended);
  await renewed.call(target.fixed);
}

async function goOn({ client, another, target, relay }: Setup): Promise<void> {
  const same = await another(client.sessionId);
  const expected = await client.call(target.fixed);
  assertEquals(await same.call(target.fixed), expected);
  assertEquals(same.sessionId, client.sessionId);
  assertEquals(upstreamIds(relay).length, 1);
}

async function endOne({ client, another, target }: Setup): Promise<void> {
  const other = await another();
  assertNotEquals(other.sessionId, client.sessionId);
  await other.terminate();
  const result = await client.call(target.fixed);
  assert(result.isError !== true);
}

/** Cases about the session itself. */
export const LIFECYCLE: readonly SessionCase[] = [
  { name: "the client's session id is not the server's, and never reaches it", run: separateIds },
  {
    name: "terminateSession ends the session: its id gets 404, a new one works",
    dedicated: true,
    run: terminate,
  },
  { name: "a second transport goes on with the session of the first", run: goOn },
  { name: "ending one client's session leaves the other's alone", run: endOne },
];
