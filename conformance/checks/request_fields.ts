/**
 * The fields of a request reach the server as they were written.
 *
 * @module
 */

import { modernServer } from "../mock/mod.ts";
import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { inSession, marked, reached, utf8 } from "./probe.ts";

const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";
const GOOD = marked();

/** Fails unless the last request at the server has these fields, once and as they were sent. */
function expectFields(context: Context, sent: Readonly<Record<string, string>>): void {
  const request = context.mock.requests.at(-1);
  for (const [name, value] of Object.entries(sent)) {
    expectEqual(request?.values(name), [value], `the list of ${name} at the server`);
  }
}

async function mirroredFields(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const params = { name: "Köln", arguments: { city: "Köln", n: 42 } };
  const encoded = `=?base64?${utf8("Köln").toBase64()}?=`;
  const call = context.modern("tools/call", params);
  const fields = { ...call.fields, "mcp-name": encoded } as Record<string, string>;
  await context.send({ ...call, fields });
  expectFields(context, fields);
}

async function paramFields(context: Context): Promise<void> {
  context.mock.use(modernServer());
  const call = context.modern("tools/call", { name: "echo", arguments: { region: "us-west1" } });
  const sent = {
    "mcp-param-region": "us-west1",
    "mcp-param-text": `=?base64?${utf8(" padded ").toBase64()}?=`,
    "mcp-param-val": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
    "mcp-param-number": "-7",
    "mcp-param-flag": "true",
    "mcp-param-unknown": 'a, b; c="d"',
  };
  await context.send({ ...call, fields: { ...call.fields, ...sent } });
  expectFields(context, sent);
}

async function versionField(context: Context): Promise<void> {
  for (const revision of ["2025-06-18", "2025-11-25"]) {
    context.mock.reset();
    const { fields } = await inSession(context, {}, revision);
    await context.send({ body: GOOD, fields });
    expectFields(context, { "mcp-protocol-version": revision });
  }
}

async function oddVersion(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const sent = { ...fields, "mcp-protocol-version": "2025-13-32" };
  const { status } = await context.send({ body: GOOD, fields: sent });
  if (status >= 400 && status < 500) return;
  expectEqual(
    reached(context)[0]?.field("mcp-protocol-version"),
    "2025-13-32",
    "an MCP-Protocol-Version that nobody knows, at the server",
  );
}

async function unknownFields(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  const sent = {
    "x-unknown": 'a, b; c="d"',
    "x-tenant-id": "7f",
    "x-empty": "",
    "user-agent": "some-client/1.0 (x; y)",
    "accept-language": "de-CH, en;q=0.5",
  };
  await context.send({ body: GOOD, fields: { ...fields, ...sent } });
  expectFields(context, sent);
}

async function acceptField(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: GOOD, fields });
  const accept = reached(context)[0]?.field("accept") ?? "";
  const listed = ["application/json", "text/event-stream"].filter((type) => accept.includes(type));
  expect(listed.length === 2, `Accept at the server is ${accept}, expected one that lists both`);
}

async function typeField(context: Context): Promise<void> {
  const { fields } = await inSession(context);
  await context.send({ body: GOOD, fields });
  const type = reached(context)[0]?.field("content-type") ?? "";
  expect(/^application\/json\b/i.test(type), `Content-Type at the server is ${type}`);
}

/** The checks of the fields of requests, without their group. */
export const FIELDS: readonly Omit<Scenario, "group">[] = [
  {
    id: "request.mirrored-fields",
    title: "MCP-Protocol-Version, Mcp-Method and Mcp-Name reach the server as they were written",
    source: "2026-07-28 basic/transports/streamable-http, Request Metadata; R33",
    run: mirroredFields,
  },
  {
    id: "request.param-fields",
    title: "Mcp-Param fields reach the server as they were written, known or not",
    source: "2026-07-28 basic/transports/streamable-http, Server Behavior for Custom Headers; R33",
    run: paramFields,
  },
  {
    id: "request.version-field",
    title: "A session's MCP-Protocol-Version reaches the server",
    source: "2025-11-25 basic/transports, Protocol Version Header",
    run: versionField,
  },
  {
    id: "request.odd-version-field",
    title: "A session's MCP-Protocol-Version that nobody knows is refused or reaches the server",
    source: "2025-11-25 basic/transports, Protocol Version Header",
    run: oddVersion,
  },
  {
    id: "request.unknown-fields",
    title: "Fields that a proxy does not know reach the server as they were written",
    source: "RFC 9110 section 5.1",
    run: unknownFields,
  },
  {
    id: "request.accept",
    title: "Accept at the server lists both types",
    source: `${TRANSPORT}, item 2; R31`,
    run: acceptField,
  },
  {
    id: "request.content-type",
    title: "Content-Type at the server is that of JSON",
    source: TRANSPORT,
    run: typeField,
  },
];
