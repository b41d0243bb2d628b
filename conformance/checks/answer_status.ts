/**
 * The answer reaches the client as the server sent it: its status, whether the server serves, refuses,
 * fails or points elsewhere, and what belongs to that.
 *
 * @module
 */

import { type MockScript, MockUpstream, modernServer } from "../mock/mod.ts";
import { type Context, expectEqual, type Scenario } from "../suite/mod.ts";
import { inSession } from "./probe.ts";
import { call } from "./scripted_answer.ts";

const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";
const STREAMABLE = "2026-07-28 basic/transports/streamable-http";

/** Statuses with which servers refuse; not 404, which ends a session: a proxy may open another. */
const REFUSALS: readonly number[] = [400, 403, 405, 409, 413, 422, 429];

const FAILURES: readonly number[] = [500, 501, 503];

function statuses(refusals: readonly number[]): Scenario["run"] {
  return async (context) => {
    for (const status of refusals) {
      context.mock.reset();
      const body = `{"jsonrpc":"2.0", "id":1,"error":{"code":-32099,"message":"no ${status}"}}`;
      const answer = await call(context, (reply) => reply.json(body, status));
      expectEqual([answer.status, answer.text], [status, body], `an error with status ${status}`);
    }
  };
}

/** An error of 2026-07-28 by which clients tell what the server is. */
function modernError(status: number, error: unknown): Scenario["run"] {
  return async (context) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, error }, null, 1);
    const script: MockScript = (_, reply) => reply.json(body, status);
    context.mock.use(modernServer({ "tools/call": script }));
    const answer = await context.send(context.modern("tools/call", { name: "echo" }));
    expectEqual([answer.status, answer.text], [status, body], "status and body of the error");
  };
}

async function retryAfter(context: Context): Promise<void> {
  for (const [status, value] of [[429, "17"], [503, "Wed, 21 Oct 2026 07:28:00 GMT"]] as const) {
    context.mock.reset();
    const body = { jsonrpc: "2.0", id: 1, error: { code: -32099, message: "later" } };
    const answer = await call(
      context,
      (reply) => reply.json(body, status, [["retry-after", value]]),
    );
    const told = [answer.status, answer.field("retry-after")];
    expectEqual(told, [status, value], "status and Retry-After");
  }
}

async function accepted(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const bodies = {
    "a notification": { jsonrpc: "2.0", method: "notifications/x" },
    "a response": { jsonrpc: "2.0", id: 7, result: {} },
  };
  for (const [what, body] of Object.entries(bodies)) {
    const { status, text } = await context.send({ body, fields });
    expectEqual([status, text], [202, ""], `status and body for ${what}`);
  }
}

async function modernAccepted(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const body = { jsonrpc: "2.0", method: "notifications/x" };
  const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "notifications/x" };
  const { status, text } = await context.send({ body, fields });
  expectEqual([status, text], [202, ""], "status and body for a notification");
}

async function refusedNotification(context: Context): Promise<void> {
  const refuse: MockScript = (_, reply) => reply.json('{"jsonrpc":"2.0","error":{}}', 400);
  const { fields } = await inSession(context, { "notifications/x": refuse });
  const body = { jsonrpc: "2.0", method: "notifications/x" };
  const { status } = await context.send({ body, fields });
  expectEqual(status, 400, "the status for a notification that the server refused");
}

async function notAllowed(context: Context): Promise<void> {
  const refuse: MockScript = (_, reply) => reply.empty(405, [["allow", "POST"]]);
  const { fields } = await inSession(context, { GET: refuse });
  const { status } = await context.send({ method: "GET", fields });
  expectEqual(status, 405, "the status of GET, which the server does not have");
}

async function redirect(context: Context): Promise<void> {
  await using other = await MockUpstream.listen();
  for (const status of [301, 302, 307, 308]) {
    context.mock.reset();
    const location = `http://${other.host}/mcp`;
    // What the client gets instead is no matter of this check.
    await call(context, (reply) => reply.empty(status, [["location", location]]));
    expectEqual(other.connections, 0, `the number of calls to where a ${status} pointed`);
  }
}

/** The checks of the statuses of answers, without their group. */
export const STATUSES: readonly Omit<Scenario, "group">[] = [
  {
    id: "answer.refusals",
    title: "A refusal in JSON comes with its status and byte for byte",
    source: `${TRANSPORT}; RFC 9110 section 15.5`,
    run: statuses(REFUSALS),
  },
  {
    id: "answer.failures",
    title: "A failure told in JSON-RPC comes with its status and byte for byte",
    source: "RFC 9110 section 15.6; R64",
    run: statuses(FAILURES),
  },
  {
    id: "answer.unknown-method",
    title: "404 with -32601, by which clients know a modern server, comes as it is",
    source: `${STREAMABLE}, Protocol Version Header, Backward Compatibility`,
    run: modernError(404, { code: -32601, message: "Method not found" }),
  },
  {
    id: "answer.missing-capability",
    title: "400 with -32021 comes as it is",
    source: "2026-07-28 basic/index, Error Codes",
    run: modernError(400, {
      code: -32021,
      message: "Missing required client capability",
      data: { requiredCapabilities: { sampling: {} } },
    }),
  },
  {
    id: "answer.header-mismatch",
    title: "400 with -32020 by the server comes as it is",
    source: `${STREAMABLE}, Server Validation`,
    run: modernError(400, { code: -32020, message: "Header mismatch: Mcp-Param-Region" }),
  },
  {
    id: "answer.retry-after",
    title: "429 and 503 keep Retry-After",
    source: "RFC 9110 section 10.2.3; R64",
    run: retryAfter,
  },
  {
    id: "answer.accepted",
    title: "A notification and a response that the server accepts get 202 without a body",
    source: `${TRANSPORT}, item 4`,
    run: accepted,
  },
  {
    id: "answer.accepted-modern",
    title: "A notification of 2026-07-28 that the server accepts gets 202 without a body",
    source: `${STREAMABLE}, Sending Messages, item 5`,
    run: modernAccepted,
  },
  {
    id: "answer.refused-notification",
    title: "A notification that the server refuses is told to be refused",
    source: `${TRANSPORT}, item 4`,
    run: refusedNotification,
  },
  {
    id: "answer.not-allowed",
    title: "405 for GET, by which servers say that they have no stream, comes through",
    source: "2025-11-25 basic/transports, Listening for Messages from the Server",
    run: notAllowed,
  },
  {
    id: "answer.redirect",
    title: "A redirect of the server is not followed",
    source: "RFC 9110 section 15.4; R70",
    run: redirect,
  },
];
