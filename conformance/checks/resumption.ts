/**
 * Streams of a session that are taken up again, by the client or by the proxy: 2025-11-25
 * `basic/transports`, "Resumability and Redelivery". Where a check wants the proxy to keep events, the
 * server offers no GET, so that nobody else can give them.
 *
 * @module
 */

import type { EventToSend, MockRequest, MockScript, Reply } from "../mock/mod.ts";
import {
  type Context,
  expect,
  expectEqual,
  type OpenSession,
  type Scenario,
} from "../suite/mod.ts";
import { type Block, EventReader } from "../wire/mod.ts";
import { browserView, type Dispatched } from "./event_view.ts";
import {
  echoResult,
  messageIn,
  progress,
  progressCall,
  sessionByKey,
  soon,
  StrictSessions,
} from "./upstreams.ts";

const REDELIVERY = '2025-11-25 basic/transports "Resumability and Redelivery"';
const T11 = '2025-11-25 basic/transports "Sending Messages to the Server" 6';
const LAST_EVENT_ID = "last-event-id";

/** What a message is to these checks: the number of its progress, or what kind of answer it is. */
function labelOf(data: string): unknown {
  const message: Readonly<Record<string, unknown>> = { ...messageIn(data) };
  const { progress } = (message["params"] ?? {}) as { progress?: number };
  if (progress !== undefined) return progress;
  return ["result", "error"].find((name) => name in message) ?? data;
}

/** The messages of a stream, without the events that only prime the client. */
function labels(events: readonly Pick<Dispatched, "data">[]): unknown[] {
  return events.filter(({ data }) => data !== "").map(({ data }) => labelOf(data));
}

/** Four events of progress and the answer, each with an id. */
function eventsFor(request: MockRequest, name = "event"): readonly EventToSend[] {
  const data = [...[1, 2, 3, 4].map((number) => progress(number, name)), echoResult(request)];
  return data.map((value, at) => ({ id: `${name}-${at + 1}`, retry: 1, data: value }));
}

/** Sends events as a stream that ends cleanly. */
async function sendAll(reply: Reply, events: readonly EventToSend[]): Promise<void> {
  await reply.stream();
  for (const event of events) await reply.event(event);
  await reply.end();
}

/** Answers a GET with the events behind the one that it names, of those the server has sent. */
async function redeliver(
  request: MockRequest,
  reply: Reply,
  sent: readonly EventToSend[],
  send: (reply: Reply, rest: readonly EventToSend[]) => Promise<void> = sendAll,
): Promise<void> {
  const from = request.field(LAST_EVENT_ID);
  if (from === undefined) return await reply.empty(405, [["allow", "POST, DELETE"]]);
  const at = sent.findIndex(({ id }) => id === from);
  if (at === -1) return await reply.empty(400);
  await send(reply, sent.slice(at + 1));
}

/** Reads the whole stream that answers a call of a session. */
async function wholeCall(context: Context, session: OpenSession): Promise<readonly Dispatched[]> {
  const { client, response } = await context.begin(progressCall(session, "stream"));
  expectEqual(response.status, 200, "the status of the stream");
  const bytes = await context.within(response.body.bytes(), "the end of the stream");
  client.close();
  return browserView(bytes).events;
}

/** Reads the whole stream behind an event. */
async function resumed(
  context: Context,
  session: OpenSession,
  lastEventId: string,
): Promise<readonly Dispatched[]> {
  const fields = { ...session.fields, [LAST_EVENT_ID]: lastEventId };
  const { client, response } = await context.begin({ method: "GET", fields });
  expectEqual(response.status, 200, `the status of a GET with the event id ${lastEventId}`);
  const bytes = await context.within(response.body.bytes(), "the end of the stream");
  client.close();
  return browserView(bytes).events;
}

/** The messages that a GET gives where it should give none: what comes promptly, of any answer. */
async function givenTo(
  context: Context,
  session: OpenSession,
  lastEventId: string,
): Promise<unknown[]> {
  const fields = { ...session.fields, [LAST_EVENT_ID]: lastEventId };
  const { client, response } = await context.begin({ method: "GET", fields });
  const given: { data: string }[] = [];
  if (response.status === 200) {
    const events = new EventReader(response.body);
    for (let event = await soon(events.next()); event; event = await soon(events.next())) {
      if (event.data !== null) given.push({ data: event.data });
    }
  }
  client.close();
  return labels(given);
}

/** The ids that a client has seen, each once, in order. */
function idsOf(events: readonly Dispatched[]): string[] {
  const ids = events.map(({ lastEventId }) => lastEventId).filter((id) => id !== "");
  return [...new Set(ids)];
}

/** The numbers of the events behind which the server's connections break. */
const BREAKS: readonly number[] = [2, 3];

async function takenUp(context: Context): Promise<void> {
  // A reset may overtake what was sent: it waits until the client has it.
  const seen = new Map(BREAKS.map((number) => [number, Promise.withResolvers<void>()]));
  let sent: readonly EventToSend[] = [];
  const send = async (reply: Reply, events: readonly EventToSend[]) => {
    await reply.stream();
    for (const event of events) {
      await reply.event(event);
      const gate = seen.get(sent.indexOf(event) + 1);
      if (gate === undefined) continue;
      await gate.promise;
      return reply.reset();
    }
    await reply.end();
  };
  const stream: MockScript = (request, reply) => send(reply, sent = eventsFor(request));
  const GET: MockScript = (request, reply) => redeliver(request, reply, sent, send);
  context.mock.use(sessionByKey({ stream }, { GET }));
  const session = await context.openSession();
  const { response } = await context.begin(progressCall(session, "stream"));
  expectEqual(response.status, 200, "the status of the stream");
  const events = new EventReader(response.body);
  const wanted = [1, 2, 3, 4, "result"];
  const got: unknown[] = [];
  // One too many is enough to see: some would come again and again.
  while (got.length <= wanted.length) {
    const what = `what follows ${got.at(-1) ?? "the head"} on the client's stream`;
    const event = await context.within(events.nextEvent(), what);
    if (event === null) break;
    if (event.data === "" || event.data === null) continue;
    const label = labelOf(event.data);
    got.push(label);
    seen.get(label as number)?.resolve();
  }
  expectEqual(got, wanted, "what came on the one stream of the client");
  expect(response.body.complete, "the client's stream was cut");
}

async function goesOn(context: Context): Promise<void> {
  const left = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<Reply>();
  const stream: MockScript = async (request, reply) => {
    const [first, ...rest] = eventsFor(request);
    await reply.stream();
    await reply.event(first!);
    begun.resolve(reply);
    await left.promise;
    for (const event of rest) await reply.event(event);
    await reply.end();
  };
  context.mock.use(sessionByKey({ stream }));
  const session = await context.openSession();
  const { client, response } = await context.begin(progressCall(session, "stream"));
  expectEqual(response.status, 200, "the status of the stream");
  const events = new EventReader(response.body);
  let event: Block | null = null;
  while (labelOf(event?.data ?? "") !== 1) {
    event = await context.within(events.nextEvent(), "the first event");
    expect(event !== null, "the stream ended before its first event");
  }
  const lastEventId = event?.id ?? "";
  const reply = await begun.promise;
  client.close();
  const gone = await soon(reply.gone.then(() => true));
  expect(!gone, "the client left its stream, and the server's was closed: the call is cancelled");
  left.resolve();
  // Whether events are repeated, or come in another order, is for `events`.
  const got = labels(await resumed(context, session, lastEventId));
  const missing = [2, 3, 4, "result"].filter((label) => !got.includes(label));
  expectEqual(missing, [], "what is missing of the stream for the client that came back");
}

async function fromTheLog(context: Context): Promise<void> {
  const stream: MockScript = (request, reply) => sendAll(reply, eventsFor(request));
  context.mock.use(sessionByKey({ stream }));
  const session = await context.openSession();
  const events = await wholeCall(context, session);
  expectEqual(labels(events), [1, 2, 3, 4, "result"], "what came on the stream");
  const ids = idsOf(events);
  expect(ids.length >= 5, `the client has the event ids ${ids} to come back with`);
  // Behind the last event there is nothing more, and nothing to say how that is told.
  for (const id of ids.slice(0, -1)) {
    const at = events.findLastIndex(({ lastEventId }) => lastEventId === id);
    const got = labels(await resumed(context, session, id));
    expectEqual(got, labels(events.slice(at + 1)), `what came behind the event id ${id}`);
  }
}

async function forgedId(context: Context): Promise<void> {
  let sent: readonly EventToSend[] = [];
  const stream: MockScript = (request, reply) => sendAll(reply, sent = eventsFor(request));
  const GET: MockScript = (request, reply) => redeliver(request, reply, sent);
  context.mock.use(sessionByKey({ stream }, { GET }));
  const session = await context.openSession();
  const ids = idsOf(await wholeCall(context, session));
  // An id behind all others of its stream, and ids of no stream.
  const forged = [...ids.slice(-1).map((id) => `${id}9`), crypto.randomUUID(), "999999"];
  for (const id of forged) {
    expectEqual(await givenTo(context, session, id), [], `what a GET with the id ${id} was given`);
  }
}

async function ofAnotherSession(context: Context): Promise<void> {
  const sent = new Map<string, readonly EventToSend[]>();
  const sessionOf = (request: MockRequest) => request.field("mcp-session-id") ?? "";
  const server = new StrictSessions(undefined, {
    "tools/call": async (request, reply) => {
      const events = eventsFor(request, `of-${sent.size}`);
      sent.set(sessionOf(request), events);
      await sendAll(reply, events);
    },
    GET: (request, reply) => redeliver(request, reply, sent.get(sessionOf(request)) ?? []),
  });
  context.mock.use(server.script);
  const mine = await context.openSession();
  const seen = idsOf(await wholeCall(context, mine)).slice(0, 2);
  const other = await context.openSession();
  const known = [...sent.values()].flat().slice(0, 2).map(({ id }) => id!);
  for (const id of new Set([...seen, ...known])) {
    const given = await givenTo(context, other, id);
    expectEqual(given, [], `what another session was given for the event id ${id}`);
  }
}

/** The checks of streams that are taken up again. */
export const RESUMPTION: readonly Scenario[] = [
  {
    id: "events.resume-from-the-log",
    group: "events",
    title: "a client that comes back to a stream gets what came behind its event, once, in order",
    source: `${REDELIVERY} 2, R57, R80`,
    revisions: ["2025-11-25"],
    assumes: ["resumes-streams"],
    run: fromTheLog,
  },
  {
    id: "events.forged-id",
    group: "events",
    title: "a Last-Event-ID that nobody gave is refused, or gets no event; never the whole history",
    source: `${REDELIVERY}, R80`,
    revisions: ["2025-11-25"],
    run: forgedId,
  },
  {
    id: "sessions.event-id-of-another-session",
    group: "sessions",
    title: "an event id of one session gives another session no event of its stream",
    source: `${REDELIVERY} 1 and 2, R79`,
    revisions: ["2025-11-25"],
    run: ofAnotherSession,
  },
  {
    id: "cancellation.session-call-goes-on",
    group: "cancellation",
    title:
      "in a session the call of a client that leaves goes on, and it can come back for the rest",
    source: `${T11}, ${REDELIVERY}, R54`,
    revisions: ["2025-11-25"],
    assumes: ["resumes-streams"],
    run: goesOn,
  },
  {
    id: "faults.broken-stream-taken-up",
    group: "faults",
    title:
      "a stream that breaks twice at the server is one stream for the client, and misses nothing",
    source: `${REDELIVERY} 2, R57`,
    revisions: ["2025-11-25"],
    assumes: ["resumes-streams"],
    run: takenUp,
  },
];
