/**
 * Streams are delivered as they come; nobody has to wait, nothing is hoarded. Each of these holds the
 * server's next step back until the client has seen the one before.
 *
 * @module
 */

import { eventText, type MockScript, MockUpstream, type Reply, rpcOf } from "../mock/mod.ts";
import { type Call, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { EventReader, requestBytes, WireClient, type WireResponse } from "../wire/mod.ts";
import {
  echoed,
  echoResult,
  messageIn,
  modernByKey,
  modernCall,
  modernProgressCall,
  progress,
  progressCall,
  sessionByKey,
  sessionCall,
  soon,
} from "./upstreams.ts";

const T11 = "2025-11-25 basic/transports";
const MODERN = "2026-07-28 basic/transports/streamable-http";
const MiB = 1024 * 1024;

/** What is sent to a client that does not read, where nothing holds it back. */
const FLOOD_BYTES = 128 * MiB;

/** What sockets may hold at the least: Linux lets their buffers grow to 10 MiB for each connection. */
const MIN_IN_SOCKETS_BYTES = 64 * MiB;

/** How many connections one behind the other may lie between client and server. */
const CHAIN = 4;

/** Within this time a comment has come that is due after four seconds. */
const COMMENT_MS = 6_000;

/** What comes within this time behind a head came with it. */
const WITH_HEAD_MS = 100;

/** How often it is looked whether a head comes by itself. */
const HEADS = 3;

/** A write that takes longer than this is held back. */
const STALL_MS = 400;

/** The stream that answers a call, with its events as they come. */
interface OpenStream {
  readonly client: WireClient;
  readonly response: WireResponse;
  /**
   * Waits for the notification with this number, and fails where it does not come in time. Others are
   * passed over: whether events are repeated is for `events`.
   */
  until(number: number): Promise<void>;
}

async function open(context: Context, call: Call): Promise<OpenStream> {
  const { client, response } = await context.begin(call);
  expectEqual(response.status, 200, "the status of the stream");
  const events = new EventReader(response.body);
  const until = async (number: number) => {
    let seen: unknown;
    while (seen !== number) {
      const event = await context.within(events.nextEvent(), `event ${number}, which was sent`);
      expect(event !== null, `the stream ended before event ${number}, which was sent`);
      seen = messageIn(event.data)?.params?.["progress"];
    }
  };
  return { client, response, until };
}

/** Sends an event, then the next one when its gate is opened. */
function gated(gates: readonly PromiseWithResolvers<void>[]): MockScript {
  return async (request, reply) => {
    await reply.stream();
    for (const [at, gate] of gates.entries()) {
      await reply.event({ data: progress(at + 1) });
      await gate.promise;
    }
    if (request.method === "POST") await reply.event({ data: echoResult(request) });
    await reply.end();
  };
}

const gates = (length: number) => Array.from({ length }, () => Promise.withResolvers<void>());

/** Begins a stream and leaves it open and silent. */
const silent: MockScript = (_, reply) => reply.stream();

/** Waits for each of 20 events before the next one may be sent. */
async function oneByOne(context: Context, stream: OpenStream, steps: PromiseWithResolvers<void>[]) {
  for (const [at, gate] of steps.entries()) {
    await stream.until(at + 1);
    gate.resolve();
  }
  await context.within(stream.response.body.bytes(), "the end of the stream");
}

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

const SIDE_BY_SIDE: readonly Scenario[] = [
  {
    id: "streaming.two-streams-do-not-wait",
    group: "streaming",
    title: "a stream delivers while another one of the session is open and silent",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      const steps = gates(3);
      context.mock.use(sessionByKey({ lively: gated(steps), silent }, { GET: silent }));
      const session = await context.openSession();
      await open(context, progressCall(session, "silent", 1));
      await oneByOne(context, await open(context, progressCall(session, "lively", 2)), steps);
    },
  },
  {
    id: "streaming.calls-beside-an-open-stream",
    group: "streaming",
    title: "calls are answered while streams of the session are open",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      context.mock.use(sessionByKey({ silent }, { GET: silent }));
      const session = await context.openSession();
      await open(context, { method: "GET", fields: session.fields });
      await open(context, progressCall(session, "silent", 1));
      for (const key of ["a", "b", "c"]) {
        const answer = await context.send(sessionCall(session, key, key));
        expectEqual(echoed(answer), key, "what a call beside open streams was answered with");
      }
    },
  },
  {
    id: "streaming.forty-streams-at-once",
    group: "streaming",
    title: "each of 40 streams that are open at once delivers its first event",
    source: `${T11} "Multiple Connections" 1`,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey({ stream: gated(gates(1)) }));
      await Promise.all(Array.from({ length: 40 }, async (_, at) => {
        const stream = await open(context, modernProgressCall(context, "stream", at));
        await stream.until(1);
      }));
    },
  },
];

/** A write that is held back. */
interface HeldBack {
  readonly written: Promise<unknown>;
}

/** What came of sending more than a client that does not read can be meant to take. */
interface Flood {
  /** What was taken from the server before it was held back, or all of it. */
  taken: number;
  /** Resolves once a write is held back, or nothing was. */
  readonly heldBack: Promise<HeldBack | null>;
}

/** A script that writes until it is held back, and what it found. */
function flood(limit = FLOOD_BYTES): { script: MockScript; found: Flood } {
  const held = Promise.withResolvers<HeldBack | null>();
  const found: Flood = { taken: 0, heldBack: held.promise };
  const event = eventText({ data: progress(1, "x".repeat(4_000)) });
  const piece = new TextEncoder().encode(event.repeat(64));
  const script = async (_: unknown, reply: Reply) => {
    await reply.stream();
    while (found.taken < limit && !reply.isGone) {
      const written = reply.write(piece).then(() => "written" as const);
      if (await soon(written, STALL_MS) === undefined) {
        return held.resolve({ written });
      }
      found.taken += piece.length;
    }
    held.resolve(null);
  };
  return { script, found };
}

/** Opens a stream whose client reads nothing of it, and waits until the server is held back. */
async function heldBack(context: Context, found: Flood): Promise<HeldBack | null> {
  const client = await context.connect();
  await client.write(context.bytes(modernProgressCall(context, "flood")));
  return await context.within(found.heldBack, "the end of what the server could send", 30_000);
}

/** What the sockets of a chain of connections may hold, by what those of one do here. */
async function allowance(context: Context): Promise<number> {
  await using server = await MockUpstream.listen();
  const { script, found } = flood();
  server.use(script);
  const url = new URL(`http://${server.host}/`);
  using client = await WireClient.connect(url);
  await client.write(requestBytes({ url, method: "GET" }));
  await context.within(found.heldBack, "the end of what one connection takes", 30_000);
  return Math.max(MIN_IN_SOCKETS_BYTES, CHAIN * found.taken);
}

const HELD_BACK: readonly Scenario[] = [
  {
    id: "streaming.unread-stream-holds-the-server-back",
    group: "streaming",
    title: "a client that does not read holds the server back; the proxy hoards nothing",
    source: "RFC 9293 3.8 (flow control), R49",
    revisions: ["2026-07-28"],
    async run(context) {
      const allowed = await allowance(context);
      const { script, found } = flood(2 * allowed);
      context.mock.use(modernByKey({ flood: script }));
      await heldBack(context, found);
      expect(
        found.taken <= allowed,
        `${Math.round(found.taken / MiB)} MiB were taken from the server for a client that reads ` +
          `nothing, expected at most ${Math.round(allowed / MiB)} MiB`,
      );
    },
  },
  {
    id: "streaming.goes-on-when-read",
    group: "streaming",
    title: "a stream that was held back goes on as soon as the client reads",
    source: "R49",
    revisions: ["2026-07-28"],
    async run(context) {
      const { script, found } = flood();
      context.mock.use(modernByKey({ flood: script }));
      const { response } = await context.begin(modernProgressCall(context, "flood"));
      const write = await context.within(found.heldBack, "the end of what could be sent", 30_000);
      if (write === null) return;
      const read = async () => {
        while (await response.body.next() !== null);
      };
      const end = read();
      await context.within(Promise.race([write.written, end]), "the write that was held back");
    },
  },
  {
    id: "streaming.unread-stream-does-not-hold-up-calls",
    group: "streaming",
    title: "other calls are answered while a client does not read its stream",
    source: "R50",
    revisions: ["2026-07-28"],
    async run(context) {
      const { script, found } = flood();
      context.mock.use(modernByKey({ flood: script }));
      await heldBack(context, found);
      for (let at = 0; at < 10; at++) {
        const answer = await context.send(modernCall(context, `call ${at}`, at));
        expectEqual(echoed(answer), `call ${at}`, "what a call was answered with");
      }
    },
  },
];

/** The checks of streaming. */
export const STREAMING: readonly Scenario[] = [...AT_ONCE, ...SIDE_BY_SIDE, ...HELD_BACK];
