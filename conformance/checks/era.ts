/**
 * Revisions: the fields of 2026-07-28 against the body, and what exists in one revision alone.
 *
 * @module
 */

import { type MockScript, modernServer } from "../mock/mod.ts";
import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { BATCHES } from "./batches.ts";
import { MIRRORED } from "./mirrored_fields.ts";
import { CALL, codeOf, modernCall, serving, version } from "./modern_variants.ts";
import { inSession } from "./probe.ts";

const STREAMABLE = "2026-07-28 basic/transports/streamable-http";
const UNSUPPORTED_VERSION = -32022;

async function unsupportedVersion(context: Context): Promise<void> {
  const error = {
    code: UNSUPPORTED_VERSION,
    message: "Unsupported protocol version",
    data: { supported: ["2026-07-28"], requested: "2099-01-01" },
  };
  const refuse: MockScript = (_, reply) => reply.json({ jsonrpc: "2.0", id: 1, error }, 400);
  context.mock.use(modernServer({ "tools/call": refuse }));
  const answer = await context.send(modernCall(context, {
    params: { ...CALL.params, _meta: version("2099-01-01") },
    fields: { "mcp-protocol-version": "2099-01-01" },
  }));
  expectEqual([answer.status, codeOf(answer)], [400, UNSUPPORTED_VERSION], "status and error code");
}

async function withoutBody(context: Context): Promise<void> {
  context.mock.use(modernServer());
  for (const method of ["GET", "DELETE"]) {
    const fields = { "mcp-protocol-version": "2026-07-28" };
    const { status } = await context.send({ method, fields });
    expectEqual(status, 405, `the status of ${method} in 2026-07-28`);
  }
}

async function invalidVersion(context: Context): Promise<void> {
  // A server as it should be; whether it or the proxy refuses is the same to the client.
  const strict: MockScript = (request, reply) =>
    /^202\d-(11-05|03-26|06-18|11-25)$/.test(request.field("mcp-protocol-version") ?? "2025-03-26")
      ? reply.json({ jsonrpc: "2.0", id: 1, result: { content: [] } })
      : reply.json({ jsonrpc: "2.0", id: 1, error: { code: -32600, message: "version" } }, 400);
  const { fields } = await inSession(context, { "tools/call": strict });
  for (const value of ["banana", "1.0", "2025-11-25x", "2025-11-25, 2025-06-18"]) {
    const sent = { ...fields, "mcp-protocol-version": value };
    const { status } = await context.send({ body: callRequest(1), fields: sent });
    const seen = context.mock.requests.some((one) => one.field("mcp-protocol-version") === value);
    // A proxy that hides the field from the server fails a check of `request`.
    const right = status === 400 || (status < 500 && !seen);
    expect(right, `MCP-Protocol-Version: ${value} got ${status}, expected 400`);
  }
}

async function versionAbsent(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const sent = { ...fields, "mcp-protocol-version": null };
  const { status } = await context.send({ body: callRequest(1), fields: sent });
  expectEqual(status, 200, "the status of a call without MCP-Protocol-Version");
}

async function everyRevision(context: Context): Promise<void> {
  for (const revision of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
    context.mock.reset();
    const { fields } = await inSession(context, {}, revision);
    const { status } = await context.send({ body: callRequest(1), fields });
    expectEqual(status, 200, `the status of a call in ${revision}`);
  }
}

const REVISIONS: readonly Omit<Scenario, "group">[] = [
  {
    id: "era.unsupported-version",
    title: "A version that the server does not know is answered with 400 and -32022",
    source: `${STREAMABLE}, Protocol Version Header; 2026-07-28 basic/versioning`,
    run: unsupportedVersion,
  },
  {
    id: "era.no-get-no-delete",
    title: "GET and DELETE in 2026-07-28 are answered with 405",
    source: `${STREAMABLE}, Earlier Streamable HTTP Revisions`,
    run: withoutBody,
  },
  {
    id: "era.session-fields-ignored",
    title: "Mcp-Session-Id and Last-Event-ID mean nothing in 2026-07-28",
    source: `${STREAMABLE}, Earlier Streamable HTTP Revisions`,
    run: serving({
      "a session id": { fields: { "mcp-session-id": "no-such-session" } },
      "an event id": { fields: { "last-event-id": "no-such-event" } },
    }),
  },
  {
    id: "era.invalid-version",
    title: "A session's request with an invalid MCP-Protocol-Version gets 400",
    source: "2025-06-18 and 2025-11-25 basic/transports, Protocol Version Header",
    run: invalidVersion,
  },
  {
    id: "era.version-absent",
    title: "A session's request without MCP-Protocol-Version is served",
    source: "2025-06-18 and 2025-11-25 basic/transports, Protocol Version Header",
    run: versionAbsent,
  },
  {
    id: "era.every-revision",
    title: "Sessions of every revision are opened and used",
    source: "2025-11-25 basic/lifecycle, Version Negotiation",
    run: everyRevision,
  },
];

/** The checks of revisions. */
export const ERA: readonly Scenario[] = [...MIRRORED, ...REVISIONS, ...BATCHES]
  .map((rule) => ({ ...rule, group: "era" }));
