/**
 * A session with a server that holds its clients to their ids, and the uses of ids that nobody has.
 *
 * @module
 */

import {
  type Call,
  callRequest,
  type Context,
  expect,
  expectEqual,
  type OpenSession,
} from "../suite/mod.ts";
import { StrictSessions } from "./upstreams.ts";

/** The field of session ids. */
export const HEADER = "mcp-session-id";

/** Opens a session with a server that gives ids and holds clients to them. */
export async function strictSession(
  context: Context,
): Promise<{ server: StrictSessions; session: OpenSession }> {
  const server = new StrictSessions();
  context.mock.use(server.script);
  const session = await context.openSession();
  expect(session.id !== undefined, "the server gave a session id, and the client got none");
  return { server, session };
}

/** What a session id can be used for: a call, a GET stream, the end of the session. */
export function usesOf(fields: Readonly<Record<string, string>>): Readonly<Record<string, Call>> {
  return {
    POST: { body: callRequest(1, { key: "x" }), fields },
    GET: { method: "GET", fields },
    DELETE: { method: "DELETE", fields },
  };
}

/** Fails unless the id is refused with 404 wherever it is used. */
export async function expectUnknown(
  context: Context,
  id: string,
  what: string,
  methods: readonly string[] = ["POST", "GET", "DELETE"],
): Promise<void> {
  const uses = usesOf({ [HEADER]: id, "mcp-protocol-version": "2025-11-25" });
  for (const method of methods) {
    const { status } = (await context.begin(uses[method]!)).response;
    expectEqual(status, 404, `the status of a ${method} with ${what}`);
  }
}
