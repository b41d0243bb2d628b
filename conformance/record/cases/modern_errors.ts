/**
 * 2026-07-28: requests that are refused, and streams that end early.
 *
 * Source: 2026-07-28 basic/transports/streamable-http "Server Validation", basic/index "Error
 * Codes", basic/patterns/mrtr.
 *
 * @module
 */

import { casesOf, type RecordCase } from "../case.ts";
import { expectStatus, type Fields, finish, POST_FIELDS, SCRIPTED } from "../scripted.ts";
import { MODERN, type ScriptedModern, scriptedModern } from "../scripted_modern.ts";

const CALL = { name: "test_simple_text", arguments: {} };

/** A request that goes through, so that the recording knows server and client. */
async function discover(client: ScriptedModern): Promise<void> {
  await expectStatus(200, client.request({ method: "server/discover" }));
}

function talk(run: (client: ScriptedModern) => Promise<unknown>) {
  return scriptedModern(async (client) => {
    await discover(client);
    await run(client);
  });
}

async function headerMismatch(client: ScriptedModern): Promise<void> {
  const method = "tools/call";
  const wrong = [
    { "mcp-method": "tools/list" },
    { "mcp-name": "test_error_handling" },
    { "mcp-name": "Test_Simple_Text" },
    { "mcp-protocol-version": "2025-11-25" },
  ];
  for (const fields of wrong) {
    await expectStatus(400, client.request({ method, params: CALL, fields }));
  }
}

async function headerMissing(client: ScriptedModern): Promise<void> {
  for (const name of ["mcp-protocol-version", "mcp-method", "mcp-name"]) {
    const fields = { [name]: null };
    await finish(client.request({ method: "tools/call", params: CALL, fields }));
  }
}

async function paramMismatch(client: ScriptedModern): Promise<void> {
  const params = { name: "test_x_mcp_header", arguments: { region: "eu-west" } };
  const send = (fields: Fields) => client.request({ method: "tools/call", params, fields });
  const region = "mcp-param-region";
  await expectStatus(400, send({ [region]: "us-east" }));
  await expectStatus(400, send({}));
  await expectStatus(200, send({ [region]: "eu-west", "mcp-param-other": "x" }));
  await expectStatus(200, send({ [region]: "=?base64?ZXUtd2VzdA==?=" }));
}

async function unsupportedVersion(client: ScriptedModern): Promise<void> {
  await expectStatus(
    400,
    client.request({
      method: "tools/list",
      meta: {
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
        "io.modelcontextprotocol/clientInfo": SCRIPTED,
        "io.modelcontextprotocol/clientCapabilities": {},
      },
      fields: { "mcp-protocol-version": "2099-01-01" },
    }),
  );
}

async function incompleteMeta(client: ScriptedModern): Promise<void> {
  const version = { "io.modelcontextprotocol/protocolVersion": MODERN };
  await finish(client.request({ method: "tools/list", meta: version }));
  await finish(client.request({
    method: "tools/list",
    meta: { ...version, "io.modelcontextprotocol/clientCapabilities": "all" },
  }));
}

async function badBodies(client: ScriptedModern): Promise<void> {
  const fields = { ...POST_FIELDS, "mcp-protocol-version": MODERN, "mcp-method": "tools/list" };
  await expectStatus(400, client.send("POST", fields, '{"jsonrpc":"2.0","id":1,'));
  await expectStatus(400, client.send("POST", fields, "[]"));
}

/** A client of the session era meets a server that speaks this revision alone. */
async function initialize(client: ScriptedModern): Promise<void> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: SCRIPTED };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await finish(client.send("POST", POST_FIELDS, body));
}

async function otherVerbs(client: ScriptedModern): Promise<void> {
  await expectStatus(405, client.send("GET", { accept: "text/event-stream" }));
  await expectStatus(405, client.send("DELETE", {}));
}

/** The SDK takes any Accept, which 2026-07-28 does not: a proxy may well refuse that one. */
async function wrongMedia(client: ScriptedModern): Promise<void> {
  await finish(client.request({ method: "tools/list", fields: { "content-type": "text/plain" } }));
}

/** Session id and Last-Event-ID mean nothing any more, and do no harm. */
async function ignoredFields(client: ScriptedModern): Promise<void> {
  const fields = { "mcp-session-id": "none", "last-event-id": "none" };
  await expectStatus(200, client.request({ method: "tools/call", params: CALL, fields }));
}

/** The server ends, and with it in good order what it has open. */
async function endSubscription(client: ScriptedModern): Promise<void> {
  const params = { notifications: { toolsListChanged: true } };
  const events = await client.stream({ method: "subscriptions/listen", params });
  await events.containing("acknowledged");
  await Promise.all([client.server.close(), events.rest()]);
}

interface InputRequired {
  readonly result: { readonly requestState: string };
}

async function changedState(client: ScriptedModern): Promise<void> {
  const capabilities = { elicitation: {} };
  const params = { name: "test_input_required_result_tampered_state", arguments: {} };
  const asked = await client.request({ method: "tools/call", params, capabilities });
  const { result } = await asked.json() as InputRequired;
  const inputResponses = { confirm: { action: "accept", content: { ok: true } } };
  const retry = { ...params, inputResponses, requestState: `${result.requestState}x` };
  await finish(client.request({ method: "tools/call", params: retry, capabilities }));
}

async function leaveSubscription(client: ScriptedModern): Promise<void> {
  const params = { notifications: { toolsListChanged: true } };
  const events = await client.stream({ method: "subscriptions/listen", params });
  await events.containing("acknowledged");
  const change = { name: "test_trigger_tool_change", arguments: {} };
  await finish(client.request({ method: "tools/call", params: change }));
  await events.containing("list_changed");
  await events.leave();
}

const REFUSALS = casesOf(MODERN, "modern", [
  [
    "unknown-method",
    "A method no server knows: 404, -32601",
    talk((client) => expectStatus(404, client.request({ method: "test/unknown" }))),
  ],
  ["header-mismatch", "Fields that are not what the body says: 400, -32020", talk(headerMismatch)],
  ["header-missing", "Fields that are not there", talk(headerMissing)],
  [
    "param-mismatch",
    "Mcp-Param fields that are wrong, missing, beside an unknown one, and encoded",
    talk(paramMismatch),
  ],
  [
    "unsupported-version",
    "A revision the server does not speak: 400, -32022",
    talk(unsupportedVersion),
  ],
  ["incomplete-meta", "_meta without what it has to have", talk(incompleteMeta)],
  ["bad-bodies", "Bodies that are no JSON, or no message: 400", talk(badBodies)],
  ["initialize-refused", "initialize, at a server of this revision alone", talk(initialize)],
  ["get-delete-refused", "GET and DELETE: 405", talk(otherVerbs)],
  ["wrong-media-types", "A Content-Type that will not do", talk(wrongMedia)],
  ["ignored-fields", "Fields of the session era are ignored", talk(ignoredFields)],
  ["input-changed-state", "A requestState that the client changed is refused", talk(changedState)],
]);

const STREAMS = casesOf(MODERN, "modern-own", [
  [
    "leave-subscription",
    "The client leaves a subscription after a change",
    talk(leaveSubscription),
  ],
  [
    "subscription-ended",
    "The server ends a subscription: a result on its stream, then the end",
    scriptedModern(endSubscription),
  ],
]);

/** The cases of this module. */
export const MODERN_ERRORS: readonly RecordCase[] = [...REFUSALS, ...STREAMS];
