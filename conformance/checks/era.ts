/**
 * Revisions: the fields of 2026-07-28 against the body, and what exists in one revision alone.
 *
 * @module
 */

import { type MockScript, modernServer } from "../mock/mod.ts";
import {
  type Answer,
  type Call,
  callRequest,
  type Context,
  expect,
  expectEqual,
  expectOneOf,
  initializeRequest,
  type Scenario,
} from "../suite/mod.ts";
import { inSession, MARK, marked, reached } from "./probe.ts";

const STREAMABLE = "2026-07-28 basic/transports/streamable-http";
const VALIDATION = `${STREAMABLE}, Server Validation`;
const HEADER_MISMATCH = -32020;
const INVALID_PARAMS = -32602;
const INVALID_REQUEST = -32600;
const UNSUPPORTED_VERSION = -32022;

/** A modern request whose fields are changed; null leaves one out. */
interface Variant {
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly fields?: Readonly<Record<string, string | null>>;
}

const ARGUMENTS = { mark: MARK };
const TOOL = "get weather";
const CALL = { method: "tools/call", params: { name: TOOL, arguments: ARGUMENTS } };
const PROMPT = { method: "prompts/get", params: { name: TOOL, arguments: ARGUMENTS } };
const RESOURCE = { method: "resources/read", params: { uri: `file:///${MARK}` } };

function modernCall(context: Context, variant: Variant): Call {
  const { method = CALL.method, params = CALL.params, fields } = variant;
  const call = context.modern(method, params);
  return { ...call, fields: { ...call.fields, ...fields } };
}

/** Sends each; an intermediary may say why it refuses as it likes (4xx), but only truly. */
function refusing(
  variants: Readonly<Record<string, Variant>>,
  codes: readonly number[] = [HEADER_MISMATCH],
): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer());
    for (const [what, variant] of Object.entries(variants)) {
      expectRefusal(context, await context.send(modernCall(context, variant)), what, codes);
    }
  };
}

function expectRefusal(
  context: Context,
  answer: Answer,
  what: string,
  codes: readonly number[],
): void {
  const { status } = answer;
  expect(status >= 400 && status < 500, `${what} got ${status}, expected 400`);
  const code = codeOf(answer);
  if (code !== undefined) expectOneOf(code, codes, `the error code for ${what}`);
  expect(reached(context).length === 0, `${what} was refused, but reached the server`);
}

/** Sends each; the server has to answer it. */
function serving(variants: Readonly<Record<string, Variant>>): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer({ "prompts/get": done, "resources/read": done }));
    for (const [what, variant] of Object.entries(variants)) {
      const { status, text } = await context.send(modernCall(context, variant));
      expect(status === 200, `${what} got ${status}, expected 200: ${text.slice(0, 200)}`);
    }
  };
}

const done: MockScript = (_, reply) =>
  reply.json({ jsonrpc: "2.0", id: 1, result: { resultType: "complete" } });

function codeOf({ message }: Answer): unknown {
  if (typeof message !== "object" || message === null || !("error" in message)) return undefined;
  const { error } = message;
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return error.code;
}

/** The form in which a name travels that a field cannot hold (Value Encoding). */
function base64(text: string): string {
  return `=?base64?${new TextEncoder().encode(text).toBase64()}?=`;
}

/** Sends a body under the fields of 2026-07-28. */
function refusingBodies(
  bodies: Readonly<Record<string, unknown>>,
  codes: readonly number[],
): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer());
    const { fields } = modernCall(context, {});
    for (const [what, body] of Object.entries(bodies)) {
      const answer = await context.send({ body, ...(fields && { fields }) });
      expectRefusal(context, answer, what, codes);
    }
  };
}

const version = (value: unknown) => ({ "io.modelcontextprotocol/protocolVersion": value });
const bodyWith = (params: unknown) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params,
});
const named = { name: TOOL, arguments: ARGUMENTS };

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

const BATCH = `[${marked(MARK, "1")},${marked(MARK, "2")}]`;
const RESULTS = '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]';
const answerBatch: MockScript = (_, reply) => reply.json(RESULTS);

async function batchServed(context: Context): Promise<void> {
  const { fields } = await inSession(context, { "": answerBatch }, "2025-03-26");
  const { status, message } = await context.send({ body: BATCH, fields });
  expectEqual(status, 200, "the status of a batch in 2025-03-26");
  const ids = Array.isArray(message) ? message.map(({ id }) => id).toSorted() : message;
  expectEqual(ids, [1, 2], "the list of ids that were answered");
}

async function batchRefused(context: Context): Promise<void> {
  for (const revision of ["2025-06-18", "2025-11-25"]) {
    context.mock.reset();
    const { fields } = await inSession(context, { "": answerBatch }, revision);
    for (const body of [BATCH, `[${marked()}]`]) {
      const answer = await context.send({ body, fields });
      expectRefusal(context, answer, `a batch in ${revision}`, [INVALID_REQUEST]);
    }
  }
}

async function batchOfInitialize(context: Context): Promise<void> {
  const { fields } = await inSession(context, { "": answerBatch }, "2025-03-26");
  const body = [initializeRequest("2025-03-26"), callRequest(1, { mark: MARK })];
  const answer = await context.send({ body, fields });
  expectRefusal(context, answer, "initialize in a batch", [INVALID_REQUEST]);
}

async function modernBatch(context: Context): Promise<void> {
  context.mock.use(modernServer({ "": answerBatch }));
  const call = modernCall(context, {});
  const answer = await context.send({ ...call, body: [call.body] });
  expectRefusal(context, answer, "a batch in 2026-07-28", [INVALID_REQUEST, HEADER_MISMATCH]);
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "era.version-mismatch",
    title: "MCP-Protocol-Version that differs from the version in _meta is refused",
    source: `${STREAMABLE}, Protocol Version Header; R33`,
    run: refusing({
      "the version of a session over a modern body": {
        fields: { "mcp-protocol-version": "2025-11-25" },
      },
      "a later version over the body": { fields: { "mcp-protocol-version": "2099-01-01" } },
      "a later version in the body": {
        params: { ...CALL.params, _meta: version("2099-01-01") },
      },
    }),
  },
  {
    id: "era.method-missing",
    title: "A request without Mcp-Method is refused",
    source: `${VALIDATION}; R33`,
    run: refusing({ "no Mcp-Method": { fields: { "mcp-method": null } } }),
  },
  {
    id: "era.method-mismatch",
    title: "Mcp-Method that differs from the method is refused; its case counts",
    source: `${VALIDATION}; ${STREAMABLE}, Case Sensitivity; R33`,
    run: refusing({
      "another Mcp-Method": { fields: { "mcp-method": "tools/list" } },
      "Mcp-Method in another case": { fields: { "mcp-method": "Tools/Call" } },
      "Mcp-Method with more behind it": { fields: { "mcp-method": "tools/call/x" } },
      "an empty Mcp-Method": { fields: { "mcp-method": "" } },
    }),
  },
  {
    id: "era.name-missing",
    title: "A request that needs Mcp-Name and has none is refused",
    source: `${STREAMABLE}, Standard Request Headers; R33`,
    run: refusing({
      "tools/call without Mcp-Name": { ...CALL, fields: { "mcp-name": null } },
      "prompts/get without Mcp-Name": { ...PROMPT, fields: { "mcp-name": null } },
      "resources/read without Mcp-Name": { ...RESOURCE, fields: { "mcp-name": null } },
    }),
  },
  {
    id: "era.name-mismatch",
    title: "Mcp-Name that differs from the name or URI is refused; its case counts",
    source: `${VALIDATION}; R33`,
    run: refusing({
      "another tool in Mcp-Name": { ...CALL, fields: { "mcp-name": "get time" } },
      "the tool in another case": { ...CALL, fields: { "mcp-name": "Get Weather" } },
      "another prompt in Mcp-Name": { ...PROMPT, fields: { "mcp-name": "get time" } },
      "another URI in Mcp-Name": { ...RESOURCE, fields: { "mcp-name": "file:///other" } },
    }),
  },
  {
    id: "era.base64-mismatch",
    title: "Mcp-Name in Base64 is decoded before it is compared; what does not decode is refused",
    source: `${STREAMABLE}, Value Encoding; R33`,
    run: refusing({
      "another name in Base64": { fields: { "mcp-name": base64("get time") } },
      "broken Base64": { fields: { "mcp-name": "=?base64?%%?=" } },
      "Base64 of no UTF-8": { fields: { "mcp-name": "=?base64?/w==?=" } },
      "the marks in capital letters": {
        fields: { "mcp-name": base64(TOOL).replace("base64", "BASE64") },
      },
      "a tool called like its own Base64": {
        params: { name: base64(TOOL), arguments: ARGUMENTS },
        fields: { "mcp-name": base64(TOOL) },
      },
    }),
  },
  {
    id: "era.base64-served",
    title: "Mcp-Name in Base64 that says what the body says is right",
    source: `${STREAMABLE}, Value Encoding; R33`,
    run: serving({
      "a plain name in Base64": { fields: { "mcp-name": base64(TOOL) } },
      "a name beyond ASCII": {
        params: { name: "Wetter in Köln 世界", arguments: {} },
        fields: { "mcp-name": base64("Wetter in Köln 世界") },
      },
      "a URI beyond ASCII": {
        method: "resources/read",
        params: { uri: "file:///ü" },
        fields: { "mcp-name": base64("file:///ü") },
      },
      "a name that looks like Base64": {
        params: { name: "=?base64?literal?=", arguments: {} },
        fields: { "mcp-name": base64("=?base64?literal?=") },
      },
    }),
  },
  {
    id: "era.fields-served",
    title: "Right fields are served: names in any case, others beside them",
    source: `${STREAMABLE}, Case Sensitivity, Server Behavior for Custom Headers; R33`,
    run: serving({
      "the usual fields": {},
      "names in capital letters": {
        fields: { "mcp-method": null, "MCP-METHOD": "tools/call" },
      },
      "a method that needs no name": { method: "tools/list", params: {} },
      "an unknown Mcp-Param": { fields: { "mcp-param-region": "us-west1" } },
    }),
  },
  {
    id: "era.doubled-fields",
    title: "A mirrored field that comes twice, once true and once false, is refused",
    source: `${VALIDATION}; RFC 9110 section 5.3; R33`,
    run: refusing({
      "two methods": { fields: { "Mcp-Method": "tools/list" } },
      "two names": { fields: { "Mcp-Name": "get time" } },
      "two versions": { fields: { "MCP-Protocol-Version": "2025-11-25" } },
    }),
  },
  {
    id: "era.missing-meta",
    title: "A body without the version that its field names is refused",
    source: `2026-07-28 basic/index, _meta; ${VALIDATION}; R33`,
    run: refusingBodies({
      "no _meta": bodyWith(named),
      "an empty _meta": bodyWith({ ...named, _meta: {} }),
      "a _meta that is a text": bodyWith({ ...named, _meta: "2026-07-28" }),
      "a version that is a number": bodyWith({ ...named, _meta: version(20260728) }),
      "a version that is null": bodyWith({ ...named, _meta: version(null) }),
    }, [INVALID_PARAMS, HEADER_MISMATCH, INVALID_REQUEST]),
  },
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
  {
    id: "era.batch",
    title: "A batch in a session of 2025-03-26 is served",
    source: "2025-03-26 basic/index, Batching; R29",
    run: batchServed,
  },
  {
    id: "era.no-batch",
    title: "A batch in a session of 2025-06-18 or 2025-11-25 is refused",
    source: "2025-06-18 changelog, item 1; 2025-11-25 basic/transports; R29",
    run: batchRefused,
  },
  {
    id: "era.no-batch-modern",
    title: "A batch in 2026-07-28 is refused",
    source: `${STREAMABLE}, Sending Messages, item 4; R29`,
    run: modernBatch,
  },
  {
    id: "era.no-initialize-in-batch",
    title: "initialize in a batch is refused",
    source: "2025-03-26 basic/lifecycle, Initialization; R29",
    run: batchOfInitialize,
  },
];

/** The checks of revisions. */
export const ERA: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "era" }));
