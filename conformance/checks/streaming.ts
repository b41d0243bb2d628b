/**
 * Streams are delivered as they come; nobody has to wait, nothing is hoarded. Each of these holds the
 * server's next step back until the client has seen the one before.
 *
 * @module
 */

import { eventText, type MockScript, rpcOf } from "../mock/mod.ts";
import { type Call, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { EventReader } from "../wire/mod.ts";
import { HELD_BACK } from "./held_back.ts";
import { gated, gates, oneByOne, open, silent } from "./open_stream.ts";
import { SIDE_BY_SIDE } from "./side_by_side.ts";
import {
  echoResult,
  messageIn,
  modernByKey,
  modernProgressCall,
  progress,
  progressCall,
  sessionByKey,
  soon,
} from "./upstreams.ts";

const T11 = "2025-11-25 basic/transports";
const MODERN = "2026-07-28 basic/transports/streamable-http";

/** Within this time a comment has come that is due after four seconds. */
const COMMENT_MS = 6_000;

/** What comes within this time behind a head came with it. */
const WITH_HEAD_MS = 100;

/** How often it is looked whether a head comes by itself. */
const HEADS = 3;

const AT_ONCE: readonly Scenario[] = [
  {
    id: "streaming.each-event-before-the-next-is-sent",
    group: "streaming",
    title: "each event of a stream reaches the client before the server sends the next one",
    source: `${MODERN} "Receiving Messages", R51`,
    revisions: ["2026-07-28"],
    async run(context) {
      const steps = gates(20);
      context.mock.use(modernByKey({ stream: gated(steps) }));
      await oneByOne(context, await open(context, modernProgressCall(context, "stream")), steps);
    },
  },
  {
    id: "streaming.each-event-before-the-next-is-sent-session",
    group: "streaming",
    title: "so does each event of a stream in a session",
    source: `${T11} "Sending Messages to the Server" 6, R51`,
    revisions: ["2025-11-25"],
    async run(context) {
      const steps = gates(20);
      context.mock.use(sessionByKey({ stream: gated(steps) }));
      const session = await context.openSession();
      await oneByOne(context, await open(context, progressCall(session, "stream")), steps);
    },
  },
  {
    id: "streaming.get-stream-at-once",
    group: "streaming",
    title: "events of a GET stream reach the client one by one",
    source: `${T11} "Listening for Messages from the Server", R51`,
    revisions: ["2025-11-25"],
    async run(context) {
      const steps = gates(20);
      context.mock.use(sessionByKey({}, { GET: gated(steps) }));
      const { fields } = await context.openSession();
      await oneByOne(context, await open(context, { method: "GET", fields }), steps);
    },
  },
  {
    id: "streaming.ended-by-the-connection-at-once",
    group: "streaming",
    title: "so does each event of a stream without chunks, which the end of its connection ends",
    source: "RFC 9112 6.3, R51",
    revisions: ["2026-07-28"],
    async run(context) {
      const steps = gates(20);
      const unframed: MockScript = async (_, reply) => {
        await reply.raw(
          "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
        );
        for (const [at, gate] of steps.entries()) {
          await reply.raw(eventText({ data: progress(at + 1) }));
          await gate.promise;
        }
        reply.close();
      };
      context.mock.use(modernByKey({ stream: unframed }));
      await oneByOne(context, await open(context, modernProgressCall(context, "stream")), steps);
    },
  },
  {
    id: "streaming.head-before-the-first-event",
    group: "streaming",
    title: "the head of a stream that is silent yet reaches the client",
    source: `${T11} "Listening for Messages from the Server" 3`,
    revisions: ["2025-11-25"],
    async run(context) {
      context.mock.use(sessionByKey({}, { GET: silent }));
      const { fields } = await context.openSession();
      await headAlone(context, { method: "GET", fields });
    },
  },
  {
    id: "streaming.head-of-a-call-before-the-first-event",
    group: "streaming",
    title: "so does the head of a stream that answers a call",
    source: `${MODERN} "Receiving Messages"`,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey({ stream: silent }));
      await headAlone(context, modernProgressCall(context, "stream"));
    },
  },
  {
    id: "streaming.subscription-at-once",
    group: "streaming",
    title: "a subscription is acknowledged first, and an update comes as soon as it is sent",
    source: '2026-07-28 basic/patterns/subscriptions "Acknowledgment", "Receiving Notifications"',
    revisions: ["2026-07-28"],
    run: subscription,
  },
  {
    id: "streaming.keep-alive-comments-at-once",
    group: "streaming",
    title: "a keep-alive comment passes while there is nothing else to pass",
    source: `${MODERN} "Receiving Messages" (note)`,
    revisions: ["2026-07-28"],
    run: keepAlive,
  },
  {
    id: "streaming.silent-stream-commented",
    group: "streaming",
    title: "a stream on which the server is silent gets comments that keep it alive",
    source: `${MODERN} "Receiving Messages" (note), R52`,
    revisions: ["2025-11-25", "2026-07-28"],
    assumes: ["short-keep-alive"],
    run: silentStreams,
  },
];

/** Fails unless the head of a silent stream comes by itself, and not with the first comment on it. */
async function headAlone(context: Context, call: Call): Promise<void> {
  for (let attempt = 0; attempt < HEADS; attempt++) {
    const { response } = await context.begin(call);
    expectEqual(response.status, 200, "the status of the stream");
    const first = await soon(new EventReader(response.body).next(), WITH_HEAD_MS);
    // On a busy machine the two may be read together once.
    if (!first || first.comments.length === 0) return;
  }
  expect(false, `the head came only with a comment behind it, ${HEADS} times of ${HEADS}`);
}

async function subscription(context: Context): Promise<void> {
  const gate = Promise.withResolvers<void>();
  const listen: MockScript = async (request, reply) => {
    const tag = { "io.modelcontextprotocol/subscriptionId": rpcOf(request)?.id };
    const notification = (method: string, more: unknown = {}) =>
      reply.event({ data: { jsonrpc: "2.0", method, params: { _meta: tag, ...more as object } } });
    await reply.stream([["x-accel-buffering", "no"]]);
    await notification("notifications/subscriptions/acknowledged", {
      notifications: { toolsListChanged: true },
    });
    await gate.promise;
    await notification("notifications/tools/list_changed");
  };
  context.mock.use(async (request, reply) => {
    if (rpcOf(request)?.method === "subscriptions/listen") return await listen(request, reply);
    await modernByKey()(request, reply);
  });
  const params = { notifications: { toolsListChanged: true } };
  const { response } = await context.begin(context.modern("subscriptions/listen", params, "sub"));
  expectEqual(response.status, 200, "the status of the subscription");
  const events = new EventReader(response.body);
  const method = async (what: string) =>
    messageIn((await context.within(events.nextEvent(), what))?.data)?.method;
  const first = await method("the acknowledgement");
  expectEqual(first, "notifications/subscriptions/acknowledged", "the first message");
  gate.resolve();
  let later = first;
  while (later === first) later = await method("the update that the server has sent");
  expectEqual(later, "notifications/tools/list_changed", "the message behind it");
}

async function keepAlive(context: Context): Promise<void> {
  const gate = Promise.withResolvers<void>();
  context.mock.use(modernByKey({
    stream: async (request, reply) => {
      await reply.stream();
      await reply.write(": of the server\n\n");
      await gate.promise;
      await reply.event({ data: echoResult(request) });
      await reply.end();
    },
  }));
  const { response } = await context.begin(modernProgressCall(context, "stream"));
  const events = new EventReader(response.body);
  const comment = commentComes(events, "of the server");
  if (await soon(comment, context.patienceMs)) return;
  // Whether comments pass at all is for `events`; here they must not come with what follows.
  gate.resolve();
  const late = await context.within(comment, "the end of the stream");
  expect(!late, "the comment came only with the event behind it");
}

/** Whether a comment with this in it comes before the stream ends; a proxy may send others. */
async function commentComes(events: EventReader, part = ""): Promise<boolean> {
  for (let block = await events.next(); block !== null; block = await events.next()) {
    if (block.comments.some((text) => text.includes(part))) return true;
  }
  return false;
}

async function silentStreams(context: Context): Promise<void> {
  const modern = modernByKey({ stream: silent });
  const inSession = sessionByKey({}, { GET: silent });
  context.mock.use((request, reply) => {
    const isModern = request.field("mcp-protocol-version") === "2026-07-28";
    return (isModern ? modern : inSession)(request, reply);
  });
  const { fields } = await context.openSession();
  const calls = [modernProgressCall(context, "stream"), { method: "GET", fields }];
  await Promise.all(calls.map(async (call) => {
    const { response } = await context.begin(call);
    expectEqual(response.status, 200, "the status of the stream");
    const what = `a comment on a stream that was silent (${call.method ?? "POST"})`;
    const comment = commentComes(new EventReader(response.body));
    expect(await context.within(comment, what, COMMENT_MS), `the stream ended before ${what}`);
  }));
}

/** The checks of streaming. */
export const STREAMING: readonly Scenario[] = [...AT_ONCE, ...SIDE_BY_SIDE, ...HELD_BACK];
