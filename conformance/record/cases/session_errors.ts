/**
 * 2025-11-25 over Streamable HTTP: the life of a session, and requests that are refused.
 *
 * Source: 2025-11-25 basic/transports "Session Management", "Protocol Version Header", "Security
 * Warning"; JSON-RPC 2.0 section 5.1.
 *
 * @module
 */

import { casesOf, type RecordCase } from "../case.ts";
import { v1 } from "../official.ts";
import {
  expectStatus,
  finish,
  POST_FIELDS,
  SCRIPTED,
  scripted,
  type ScriptedSession,
} from "../scripted.ts";

const REVISION = "2025-11-25";

function talk(run: (session: ScriptedSession) => Promise<unknown>) {
  return scripted(REVISION, run);
}

async function deleteSession(session: ScriptedSession): Promise<void> {
  await expectStatus(200, session.delete());
  await expectStatus(404, session.request("tools/list"));
  await expectStatus(404, session.get());
  await expectStatus(404, session.delete());
}

async function unknownSession(session: ScriptedSession): Promise<void> {
  const other = { "mcp-session-id": "11111111-2222-4333-8444-555555555555" };
  await expectStatus(404, session.request("tools/list", undefined, other));
  await expectStatus(404, session.get(other));
}

async function missingSession(session: ScriptedSession): Promise<void> {
  const none = { "mcp-session-id": null };
  await expectStatus(400, session.request("tools/list", undefined, none));
  await expectStatus(400, session.get(none));
}

async function badJson(session: ScriptedSession): Promise<void> {
  await expectStatus(400, session.postText('{"jsonrpc":"2.0","id":1,"method":"ping"'));
  await expectStatus(400, session.postText(""));
}

async function notJsonRpc(session: ScriptedSession): Promise<void> {
  await expectStatus(400, session.post({ id: 1, method: "ping" }));
  await expectStatus(400, session.post({ jsonrpc: "2.0", id: null, method: "ping" }));
  await expectStatus(400, session.postText('"ping"'));
}

async function invalidParams(session: ScriptedSession): Promise<void> {
  await finish(session.request("tools/call", { arguments: {} }));
  await finish(session.request("resources/read", { uri: 7 }));
  await finish(session.request("logging/setLevel", { level: "loud" }));
}

async function unsupportedVersion(session: ScriptedSession): Promise<void> {
  const other = { "mcp-protocol-version": "1999-12-31" };
  await expectStatus(400, session.request("ping", undefined, other));
  await expectStatus(400, session.get(other));
}

async function wrongMedia(session: ScriptedSession): Promise<void> {
  await expectStatus(406, session.request("ping", undefined, { accept: "application/json" }));
  await expectStatus(406, session.get({ accept: "application/json" }));
  await expectStatus(415, session.request("ping", undefined, { "content-type": "text/plain" }));
}

async function ids(session: ScriptedSession): Promise<void> {
  for (const id of ["1", "", "ünï", 0, -7, 9_007_199_254_740_991]) {
    await expectStatus(200, session.post({ jsonrpc: "2.0", id, method: "ping" }));
  }
}

/** The same request, as a program may write it that formats what it sends. */
async function formattedBody(session: ScriptedSession): Promise<void> {
  const message = session.message("tools/call", {
    name: "test_echo",
    arguments: { value: "two\r\nlines" },
  });
  const text = JSON.stringify(message, null, 2).replaceAll("\n", "\r\n");
  await expectStatus(200, session.postText(`${text}\r\n`));
}

async function initializeAgain(session: ScriptedSession): Promise<void> {
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo: SCRIPTED };
  await expectStatus(400, session.request("initialize", params));
}

async function notAllowed(session: ScriptedSession): Promise<void> {
  await expectStatus(405, session.send("PUT", POST_FIELDS, "{}"));
}

async function notifications(session: ScriptedSession): Promise<void> {
  await session.notify("notifications/roots/list_changed");
  await session.notify("notifications/progress", { progressToken: "none", progress: 1 });
  await session.notify("notifications/test/unknown");
}

const SESSION = casesOf(REVISION, "session", [
  ["delete-session", "DELETE ends the session; its id gets 404 from then on", talk(deleteSession)],
  [
    "terminate-session",
    "The official client ends its session",
    v1(({ transport }) => transport.terminateSession()),
  ],
  ["unknown-session", "A session id the server does not know: 404", talk(unknownSession)],
  ["missing-session", "A request without the session id: 400", talk(missingSession)],
  ["bad-json", "Bodies that are no JSON: 400, -32700", talk(badJson)],
  ["not-json-rpc", "JSON that is no JSON-RPC message: 400", talk(notJsonRpc)],
  ["invalid-params", "Params that are not what the method wants", talk(invalidParams)],
  ["unsupported-version", "MCP-Protocol-Version of no revision: 400", talk(unsupportedVersion)],
  ["wrong-media-types", "Accept and Content-Type that will not do: 406 and 415", talk(wrongMedia)],
  ["request-ids", "Ids that are strings, empty, negative and as large as they get", talk(ids)],
  [
    "formatted-body",
    "A request body with white space and CRLF between tokens",
    talk(formattedBody),
  ],
  ["initialize-again", "A second initialize in one session: 400", talk(initializeAgain)],
  ["method-not-allowed", "PUT: 405", talk(notAllowed)],
  ["notifications", "Notifications are accepted with 202, known or not", talk(notifications)],
  [
    "initialize-unknown-version",
    "The client offers a revision of the future",
    scripted(
      REVISION,
      (session) => finish(session.request("ping")),
      { offers: "2099-01-01" },
    ),
  ],
]);

const STATELESS = casesOf(REVISION, "stateless", [
  [
    "stateless-refusals",
    "A server without sessions refuses GET and DELETE: 405",
    talk(
      async (session) => {
        await expectStatus(405, session.get());
        await expectStatus(405, session.delete());
      },
    ),
  ],
]);

const EVERYTHING = casesOf(REVISION, "everything", [
  [
    "everything-session-errors",
    "What the reference server says of sessions it does not have",
    talk(
      async (session) => {
        const other = { "mcp-session-id": "11111111-2222-4333-8444-555555555555" };
        await finish(session.request("ping", undefined, other));
        await finish(session.get(other));
        await finish(session.request("ping", undefined, { "mcp-session-id": null }));
        await finish(session.delete());
        await finish(session.request("ping"));
      },
    ),
  ],
]);

/** The cases of this module. */
export const SESSION_ERRORS: readonly RecordCase[] = [...SESSION, ...STATELESS, ...EVERYTHING];
