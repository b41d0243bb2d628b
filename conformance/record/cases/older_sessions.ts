/**
 * The session era before 2025-11-25: 2025-06-18, 2025-03-26 with its batches, and 2024-11-05
 * negotiated over Streamable HTTP.
 *
 * Source: 2025-06-18 and 2025-03-26 basic/transports, basic/lifecycle; 2025-03-26 basic "Batching".
 *
 * @module
 */

import type { Revision } from "../../../fixtures/format/mod.ts";
import { casesOf, type RecordCase } from "../case.ts";
import { EventReader } from "../events.ts";
import { type Answers, type ConnectedV2, fails, v2 } from "../official.ts";
import { expectStatus, finish, scripted, type ScriptedSession } from "../scripted.ts";
import { delay, SETTLE_MS } from "../waiting.ts";

const WATCHED = "test://watched-resource";
const ELICITED: Answers = { elicited: { response: "Gunta Stölzl" } };
const SAMPLED: Answers = { sampled: "Anni Albers" };

function call(name: string, args: Record<string, unknown> = {}) {
  return ({ client }: ConnectedV2) => client.callTool({ name, arguments: args });
}

async function lists({ client }: ConnectedV2): Promise<void> {
  await client.listTools();
  await client.callTool({ name: "test_simple_text", arguments: {} });
}

async function progress({ client }: ConnectedV2): Promise<void> {
  await client.callTool({ name: "test_tool_with_progress" }, { onprogress: () => {} });
}

async function errors({ client }: ConnectedV2): Promise<void> {
  await client.callTool({ name: "test_error_handling" });
  await fails(client.callTool({ name: "no-such-tool" }));
  await fails(client.readResource({ uri: "test://no-such-resource" }));
}

async function updated({ client, received, signal }: ConnectedV2): Promise<void> {
  await client.subscribeResource({ uri: WATCHED });
  await client.callTool({ name: "test_touch_watched_resource" });
  await received.first(({ method }) => method === "notifications/resources/updated", signal);
}

async function cancel({ client, watch, signal }: ConnectedV2): Promise<void> {
  const abort = new AbortController();
  const ended = fails(
    client.callTool({ name: "test_wait", arguments: { ms: 60_000 } }, { signal: abort.signal }),
  );
  await watch.answered("tools/call", signal);
  abort.abort("changed my mind");
  await ended;
  await watch.answered("notifications/cancelled", signal);
  await client.ping();
}

/**
 * Before 2025-11-25 there is no first event without data; only a message has an id. The connection
 * breaks after the server's question, which is answered all the same.
 */
async function resume(session: ScriptedSession): Promise<void> {
  const broken = await session.streamCall("test_sampling", { prompt: "Name a weaver." });
  const { id: lastEventId, data } = await broken.containing("sampling/createMessage");
  await broken.leave();
  await delay(SETTLE_MS, session.signal);
  await sampled(session, data);
  const resumed = await session.stream(lastEventId);
  await resumed.containing('"result"');
  await resumed.leave();
}

/** Answers a request for the client's model. */
async function sampled(session: ScriptedSession, question: string): Promise<void> {
  const { id } = JSON.parse(question) as { id: unknown };
  await session.answer(id, {
    role: "assistant",
    model: "test-model",
    content: { type: "text", text: "Anni Albers" },
  });
}

async function deleteSession(session: ScriptedSession): Promise<void> {
  await expectStatus(200, session.delete());
  await expectStatus(404, session.request("tools/list"));
}

async function unsupportedVersion(session: ScriptedSession): Promise<void> {
  const other = { "mcp-protocol-version": "2024-13-32" };
  await expectStatus(400, session.request("ping", undefined, other));
}

async function listChanged(session: ScriptedSession): Promise<void> {
  const stream = await session.stream();
  await finish(session.call("test_change_lists"));
  await stream.containing("resources/list_changed");
  await stream.leave();
}

async function sampleByHand(session: ScriptedSession): Promise<void> {
  const events = await session.streamCall("test_sampling", { prompt: "Name a weaver." });
  const { data } = await events.containing("sampling/createMessage");
  await sampled(session, data);
  await events.rest();
}

/** Requests, and a notification among them. */
async function batch(session: ScriptedSession): Promise<void> {
  const list = session.message("resources/templates/list");
  const echo = session.message("tools/call", { name: "test_echo", arguments: { value: "weft" } });
  const unknown = session.message("test/unknown");
  const notification = { jsonrpc: "2.0", method: "notifications/roots/list_changed" };
  await expectStatus(200, session.post([list, notification, echo, unknown]));
}

async function jsonBatch(session: ScriptedSession): Promise<void> {
  const first = session.message("ping");
  const second = session.message("tools/call", { name: "test_simple_text", arguments: {} });
  await expectStatus(200, session.post([first, second]));
}

async function notificationBatch(session: ScriptedSession): Promise<void> {
  await expectStatus(
    202,
    session.post([
      { jsonrpc: "2.0", method: "notifications/roots/list_changed" },
      { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 77 } },
    ]),
  );
}

/** Both answers of a client come in one batch. */
async function answerBatch(session: ScriptedSession): Promise<void> {
  const calls = [1, 2].map((which) =>
    session.message("tools/call", { name: "test_sampling", arguments: { prompt: `No. ${which}` } })
  );
  const events = new EventReader(await session.post(calls));
  const answers: unknown[] = [];
  for (const _ of calls) {
    const { data } = await events.containing("sampling/createMessage");
    const { id } = JSON.parse(data) as { id: number };
    const content = { type: "text", text: `Answer ${id}` };
    const result = { role: "assistant", model: "test-model", content };
    answers.push({ jsonrpc: "2.0", id, result });
  }
  await expectStatus(202, session.postText(JSON.stringify(answers)));
  await events.rest();
}

async function brokenBatch(session: ScriptedSession): Promise<void> {
  await expectStatus(400, session.postText('[{"jsonrpc":"2.0","id":1,"method":"ping"},7]'));
}

/** What each of the two revisions has of the things they share. */
function common(revision: Revision): RecordCase[] {
  return [
    ...casesOf(revision, "session", [
      [
        "initialize-list-call",
        "A session begins, lists tools and calls one; answers by SSE",
        v2(revision, lists),
      ],
      ["call-progress", "Progress on the stream of the call", v2(revision, progress)],
      [
        "errors",
        "A tool that fails, an unknown tool and an unknown resource",
        v2(revision, errors),
      ],
      [
        "resource-updated",
        "notifications/resources/updated on the GET stream",
        v2(revision, updated),
      ],
      [
        "resume-by-event-id",
        "A stream that broke after an event is resumed",
        scripted(revision, resume, { capabilities: { sampling: {} } }),
      ],
      [
        "delete-session",
        "DELETE ends the session; its id gets 404",
        scripted(revision, deleteSession),
      ],
    ]),
    ...casesOf(revision, "json", [
      [
        "json-initialize-list-call",
        "A server that answers by application/json alone",
        v2(revision, lists),
      ],
    ]),
  ];
}

const JUNE = [
  ...common("2025-06-18"),
  ...casesOf("2025-06-18", "session", [
    [
      "elicitation",
      "The server asks the user during a call",
      v2(
        "2025-06-18",
        call("test_elicitation", { message: "Who are you?" }),
        { answers: ELICITED },
      ),
    ],
    [
      "sampling",
      "The server asks the client's model during a call",
      v2(
        "2025-06-18",
        call("test_sampling", { prompt: "Name a weaver." }),
        { answers: SAMPLED },
      ),
    ],
    ["cancel-call", "notifications/cancelled for a call", v2("2025-06-18", cancel)],
    [
      "unsupported-version",
      "MCP-Protocol-Version of no revision: 400",
      scripted("2025-06-18", unsupportedVersion),
    ],
  ]),
  ...casesOf("2025-06-18", "everything", [
    [
      "structured-content",
      "A result with structured content, from the reference server",
      v2("2025-06-18", call("get-structured-content", { location: "Chicago" })),
    ],
    [
      "resource-links",
      "A result with resource links, from the reference server",
      v2("2025-06-18", call("get-resource-links", { count: 2 })),
    ],
  ]),
];

const MARCH = [
  ...common("2025-03-26"),
  ...casesOf("2025-03-26", "session", [
    [
      "list-changed",
      "List changes on the GET stream; no version field in any request",
      scripted("2025-03-26", listChanged),
    ],
    [
      "sampling",
      "The server asks the client's model during a call",
      scripted("2025-03-26", sampleByHand, { capabilities: { sampling: {} } }),
    ],
    [
      "batch",
      "Requests and a notification in one batch, answered by SSE",
      scripted("2025-03-26", batch),
    ],
    [
      "batch-of-notifications",
      "A batch of notifications: 202",
      scripted("2025-03-26", notificationBatch),
    ],
    [
      "batch-of-answers",
      "A client's answers to two requests of the server, in one batch",
      scripted("2025-03-26", answerBatch, { capabilities: { sampling: {} } }),
    ],
    [
      "batch-broken",
      "A batch with something in it that is no message: 400",
      scripted("2025-03-26", brokenBatch),
    ],
  ]),
  ...casesOf("2025-03-26", "json", [
    ["batch-json", "A batch answered by a JSON array", scripted("2025-03-26", jsonBatch)],
  ]),
];

const OLDEST = casesOf("2024-11-05", "session", [
  ["streamable-list-call", "2024-11-05 negotiated over Streamable HTTP", v2("2024-11-05", lists)],
  ["streamable-progress", "Progress over Streamable HTTP", v2("2024-11-05", progress)],
]);

/** The cases of this module. */
export const OLDER_SESSIONS: readonly RecordCase[] = [...JUNE, ...MARCH, ...OLDEST];
