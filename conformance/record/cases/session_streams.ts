/**
 * 2025-11-25 over Streamable HTTP: the server speaks first, and streams that break or end early.
 *
 * Source: 2025-11-25 basic/transports "Sending Messages to the Server", "Listening for Messages
 * from the Server", "Resumability and Redelivery"; client/*.
 *
 * @module
 */

import { casesOf, type RecordCase } from "../case.ts";
import { EventReader } from "../events.ts";
import { type ConnectedV1, fails, v1 } from "../official.ts";
import { expectStatus, finish, scripted, type ScriptedSession } from "../scripted.ts";
import { delay, SETTLE_MS } from "../waiting.ts";

const REVISION = "2025-11-25";
const WATCHED = "test://watched-resource";

function call(name: string, args: Record<string, unknown> = {}) {
  return ({ client }: ConnectedV1) => client.callTool({ name, arguments: args });
}

async function updated({ client, received, signal }: ConnectedV1): Promise<void> {
  await client.subscribeResource({ uri: WATCHED });
  await client.callTool({ name: "test_touch_watched_resource", arguments: {} });
  await received.first(({ method }) => method === "notifications/resources/updated", signal);
}

async function listChanged({ client, received, signal }: ConnectedV1): Promise<void> {
  await client.callTool({ name: "test_change_lists", arguments: {} });
  await received.first(({ method }) => method === "notifications/resources/list_changed", signal);
}

/** The reference server asks for roots on the GET stream, and tells there how many it got. */
async function roots({ client, received, signal }: ConnectedV1): Promise<void> {
  const told = ({ method }: { method: string }) => method === "notifications/message";
  await received.first(told, signal);
  await client.callTool({ name: "get-roots-list", arguments: {} });
}

/** The connection breaks before the answer; the client waits for it on the resumed stream. */
async function resumeBeforeAnswer(session: ScriptedSession): Promise<void> {
  const broken = await session.streamCall("test_wait", { ms: 600 });
  const { id } = await broken.next(({ id }) => id !== undefined);
  await broken.leave();
  await delay(SETTLE_MS, session.signal);
  const resumed = await session.stream(id);
  await resumed.rest();
}

/**
 * The connection breaks, and the client comes back when all it missed is long there: the server's
 * question, of which it knows already, and the result.
 */
async function resumeAfterAnswer(session: ScriptedSession): Promise<void> {
  const broken = await session.streamCall("test_sampling", { prompt: "Name a weaver." });
  const { id: lastEventId } = await broken.next(({ id }) => id !== undefined);
  const { data } = await broken.containing("sampling/createMessage");
  await broken.leave();
  await delay(SETTLE_MS, session.signal);
  const { id } = JSON.parse(data) as { id: unknown };
  const content = { type: "text", text: "Anni Albers" };
  await session.answer(id, { role: "assistant", model: "test-model", content });
  const resumed = await session.stream(lastEventId);
  await resumed.containing('"result"');
  await resumed.leave();
}

/** What is said on the GET stream while nobody listens is there for who comes back. */
async function resumeGetStream(session: ScriptedSession): Promise<void> {
  const first = await session.stream();
  await finish(session.call("test_change_lists"));
  const { id } = await first.containing("resources/list_changed");
  await first.leave();
  await delay(SETTLE_MS, session.signal);
  await finish(session.call("test_change_lists"));
  const resumed = await session.stream(id);
  await resumed.containing("resources/list_changed");
  await resumed.leave();
}

async function resumeUnknownEvent(session: ScriptedSession): Promise<void> {
  await expectStatus(400, session.get({ "last-event-id": "no-such-event" }));
}

async function secondGetStream(session: ScriptedSession): Promise<void> {
  const first = await session.stream();
  await expectStatus(409, session.get());
  await first.leave();
}

/** The reference server resumes what is past; see its own event store. */
async function resumeEverything(session: ScriptedSession): Promise<void> {
  const message = session.message("tools/call", {
    name: "trigger-long-running-operation",
    arguments: { duration: 0.6, steps: 2 },
    _meta: { progressToken: 1 },
  });
  const broken = new EventReader(await session.post(message));
  const { id } = await broken.containing("notifications/progress");
  await broken.leave();
  await delay(5 * SETTLE_MS, session.signal);
  const resumed = await session.stream(id);
  await resumed.containing('"result"');
  await resumed.leave();
}

/** An answer to a request that the client does not want to answer is an error. */
async function refuseElicitation(session: ScriptedSession): Promise<void> {
  const events = await session.streamCall("test_elicitation", { message: "Who are you?" });
  const { data } = await events.containing("elicitation/create");
  const { id } = JSON.parse(data) as { id: unknown };
  const error = { code: -1, message: "User rejected the request" };
  await expectStatus(202, session.post({ jsonrpc: "2.0", id, error }));
  await events.rest();
}

/** The client leaves during a call: in this era that does not cancel it. */
async function leaveDuringCall(session: ScriptedSession): Promise<void> {
  const events = await session.streamCall("test_wait", { ms: 60_000 });
  await events.next();
  await events.leave();
  await delay(SETTLE_MS, session.signal);
  await finish(session.request("ping"));
}

/** The server dies between its progress and its answer; the session goes on. */
async function breakOff(session: ScriptedSession): Promise<void> {
  const params = { name: "test_tool_with_progress", arguments: {}, _meta: { progressToken: 1 } };
  const events = new EventReader(await session.request("tools/call", params));
  await fails(events.rest());
  await finish(session.request("ping"));
}

const ELICITED = { answers: { elicited: { response: "Gunta Stölzl" } } };
const SAMPLED = { answers: { sampled: "Anni Albers" } };

const SESSION = casesOf(REVISION, "session", [
  [
    "elicitation",
    "The server asks the user during a call; the answer is POSTed",
    v1(call("test_elicitation", { message: "Who are you?" }), ELICITED),
  ],
  [
    "elicitation-declined",
    "The user declines",
    v1(
      call("test_elicitation", { message: "Who are you?" }),
      { answers: { elicited: null } },
    ),
  ],
  [
    "elicitation-refused",
    "The client answers the server's request with an error",
    scripted(REVISION, refuseElicitation, { capabilities: { elicitation: {} } }),
  ],
  [
    "elicitation-choices",
    "A form with choices of five kinds",
    v1(
      call("test_elicitation_sep1330_enums"),
      { answers: { elicited: { untitledSingle: "option2", titledSingle: "value1" } } },
    ),
  ],
  [
    "elicitation-unsupported",
    "The server needs elicitation, which the client did not declare",
    v1(call("test_elicitation", { message: "Who are you?" })),
  ],
  [
    "sampling",
    "The server asks the client's model during a call",
    v1(call("test_sampling", { prompt: "Name a weaver." }), SAMPLED),
  ],
  ["resource-updated", "notifications/resources/updated on the GET stream", v1(updated)],
  ["list-changed", "All lists changed, on the GET stream", v1(listChanged)],
  [
    "polling",
    "The server ends the stream after id and retry; the client comes back",
    v1(call("test_reconnection"), { resumes: true }),
  ],
  [
    "resume-before-answer",
    "A broken stream is resumed, and the answer comes there",
    scripted(REVISION, resumeBeforeAnswer),
  ],
  [
    "resume-after-answer",
    "A broken stream is resumed, and all that was missed comes again",
    scripted(REVISION, resumeAfterAnswer, { capabilities: { sampling: {} } }),
  ],
  [
    "resume-get-stream",
    "The GET stream is resumed after a break",
    scripted(REVISION, resumeGetStream),
  ],
  [
    "resume-unknown-event",
    "Last-Event-ID that the server never gave: 400",
    scripted(REVISION, resumeUnknownEvent),
  ],
  [
    "second-get-stream",
    "A second GET stream in one session: 409",
    scripted(REVISION, secondGetStream),
  ],
  [
    "leave-during-call",
    "The client leaves during a call and goes on with the session",
    scripted(REVISION, leaveDuringCall),
  ],
]);

const EVERYTHING = casesOf(REVISION, "everything", [
  [
    "everything-resume",
    "A broken stream of the reference server is resumed",
    scripted(REVISION, resumeEverything),
  ],
  [
    "everything-roots",
    "The reference server asks for the roots on the GET stream",
    v1(roots, {
      answers: { roots: [{ uri: "file:///projects/loom", name: "Loom" }] },
    }),
  ],
  [
    "everything-sampling",
    "The reference server asks the client's model",
    v1(
      call("trigger-sampling-request", { prompt: "Name a weaver.", maxTokens: 20 }),
      SAMPLED,
    ),
  ],
]);

const BREAKING = casesOf(REVISION, "breaking", [
  [
    "server-breaks-off",
    "The server breaks its stream off before the answer",
    scripted(REVISION, breakOff),
  ],
]);

/** The cases of this module. */
export const SESSION_STREAMS: readonly RecordCase[] = [...SESSION, ...EVERYTHING, ...BREAKING];
