/**
 * The request reaches the server as the client sent it.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { callRequest, type Context, expectEqual, type Scenario } from "../suite/mod.ts";
import { inSession } from "./probe.ts";
import { BYTES } from "./request_bytes.ts";
import { FIELDS } from "./request_fields.ts";

/** The rest of a session: GET and DELETE. */
async function otherMethods(context: Context): Promise<void> {
  const open: MockScript = (_, reply) => reply.empty(405, [["allow", "POST, DELETE"]]);
  const { fields } = await inSession(context, { GET: open });
  for (const method of ["GET", "DELETE"]) {
    await context.send({ method, fields });
    const request = context.mock.requests.find((one) => one.method === method);
    // That GET has to come to the server is told by `streaming`, of DELETE by `sessions`.
    expectEqual(request?.body.length ?? 0, 0, `the length of the body of ${method}`);
  }
}

async function oneTarget(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: callRequest(1), fields });
  await context.send({ method: "DELETE", fields });
  const targets = new Set(context.mock.requests.map(({ target }) => target));
  expectEqual([...targets], ["/mcp"], "the list of targets at the server");
}

const METHODS: readonly Omit<Scenario, "group">[] = [
  {
    id: "request.get-and-delete",
    title: "GET and DELETE of a session have no body at the server either",
    source: "2025-11-25 basic/transports, Listening for Messages, Session Management",
    run: otherMethods,
  },
  {
    id: "request.one-target",
    title: "Every request of a session goes to the one endpoint of the server",
    source: "2025-11-25 basic/transports, Streamable HTTP",
    run: oneTarget,
  },
];

/** The checks of what reaches the server. */
export const REQUEST: readonly Scenario[] = [...BYTES, ...FIELDS, ...METHODS]
  .map((rule) => ({ ...rule, group: "request" }));
