/**
 * A client that goes away. In 2026-07-28 that is how it cancels; in the session era it is not, and a
 * proxy may pass it on or not.
 *
 * @module
 */

import { eventText, type MockScript, type Reply, rpcOf } from "../mock/mod.ts";
import { type Call, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import type { WireClient } from "../wire/mod.ts";
import { beginStream, callAndHead, leftAndStayed, Watched } from "./departures.ts";
import { SESSION } from "./departures_in_sessions.ts";
import {
  echoed,
  expectWorks,
  modernByKey,
  modernCall,
  modernProgressCall,
  progress,
  PROMPTLY_MS,
  soon,
  withKey,
} from "./upstreams.ts";

const CANCELLATION =
  '2026-07-28 basic/transports/streamable-http "Cancellation", basic/patterns/cancellation';

/** Fails unless the server's connection goes at once. */
async function expectGone(reply: Reply, what: string, limitMs = PROMPTLY_MS): Promise<void> {
  const gone = await soon(reply.gone.then(() => true), limitMs);
  expect(gone, `${what}, and ${limitMs} ms later the server's connection was still open`);
}

/** The check of a client that leaves its stream. */
async function leavesStream(context: Context, call: Call, watched: Watched): Promise<void> {
  const client = await callAndHead(context, call);
  const reply = await context.within(watched.begun, "the call at the server");
  client.close();
  await expectGone(reply, "the client closed its stream");
}

/** A request of 2026-07-28 of less than 512 bytes. */
function smallRequest(context: Context): Uint8Array {
  const name = "io.modelcontextprotocol/";
  const _meta = {
    [`${name}protocolVersion`]: "2026-07-28",
    [`${name}clientInfo`]: { name: "c", version: "1" },
    [`${name}clientCapabilities`]: {},
  };
  return context.bytes({
    body: { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta } },
    fields: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" },
  });
}

/** Has the server wait with the answer to `tools/list`, and leaves meanwhile. */
async function leavesBeforeHead(
  context: Context,
  send: (client: WireClient) => Promise<void>,
  watched = new Watched(),
): Promise<void> {
  context.mock.use((request, reply) =>
    rpcOf(request)?.method === "tools/list"
      ? watched.script(request, reply)
      : modernByKey()(request, reply)
  );
  const client = await context.connect();
  await send(client);
  const reply = await context.within(watched.begun, "the request at the server");
  client.close();
  await expectGone(reply, "the client left before its answer");
}

const MODERN: readonly Scenario[] = [
  {
    id: "cancellation.stream-closed",
    group: "cancellation",
    title: "a client that closes the stream of its call is gone for the server at once",
    source: `${CANCELLATION}, R54`,
    revisions: ["2026-07-28"],
    async run(context) {
      const watched = new Watched(beginStream);
      context.mock.use(modernByKey({ stream: watched.script }));
      await leavesStream(context, modernProgressCall(context, "stream"), watched);
    },
  },
  {
    id: "cancellation.silent-stream-closed",
    group: "cancellation",
    title: "so is one that closes a stream on which nothing came yet",
    source: `${CANCELLATION}, R54`,
    revisions: ["2026-07-28"],
    async run(context) {
      const watched = new Watched((reply) => reply.stream());
      context.mock.use(modernByKey({ stream: watched.script }));
      await leavesStream(context, modernProgressCall(context, "stream"), watched);
    },
  },
  {
    id: "cancellation.subscription-closed",
    group: "cancellation",
    title: "so is one that closes its subscription",
    source: '2026-07-28 basic/patterns/subscriptions "Cancellation"',
    revisions: ["2026-07-28"],
    async run(context) {
      const watched = new Watched(async (reply) => {
        await reply.stream();
        const tag = { "io.modelcontextprotocol/subscriptionId": "sub" };
        const method = "notifications/subscriptions/acknowledged";
        await reply.event({ data: { jsonrpc: "2.0", method, params: { _meta: tag } } });
      });
      context.mock.use((request, reply) =>
        rpcOf(request)?.method === "subscriptions/listen"
          ? watched.script(request, reply)
          : modernByKey()(request, reply)
      );
      const params = { notifications: { toolsListChanged: true } };
      await leavesStream(context, context.modern("subscriptions/listen", params, "sub"), watched);
    },
  },
  {
    id: "cancellation.before-the-answer",
    group: "cancellation",
    title: "a client that leaves before the head of its answer is gone for the server at once",
    source: `${CANCELLATION}, R54`,
    revisions: ["2026-07-28"],
    run: (context) => leavesBeforeHead(context, (client) => client.write(smallRequest(context))),
  },
  {
    id: "cancellation.before-the-answer-body-apart",
    group: "cancellation",
    title: "so is one whose request came in two pieces, its head and its body",
    source: `${CANCELLATION}, R54`,
    revisions: ["2026-07-28"],
    run: (context) =>
      leavesBeforeHead(context, async (client) => {
        const bytes = smallRequest(context);
        const body = new TextDecoder().decode(bytes).indexOf("\r\n\r\n") + 4;
        await client.write(bytes.subarray(0, body));
        // Long enough for the two not to become one segment, or one read of the proxy's.
        await new Promise((resolve) => setTimeout(resolve, 20));
        await client.write(bytes.subarray(body));
      }),
  },
  {
    id: "cancellation.inside-a-json-answer",
    group: "cancellation",
    title: "a client that leaves while its answer in JSON is coming is gone for the server at once",
    source: `${CANCELLATION}, R54`,
    revisions: ["2026-07-28"],
    run: (context) =>
      leavesBeforeHead(
        context,
        (client) => client.write(smallRequest(context)),
        new Watched(async (reply) => {
          await reply.head(200, [["content-type", "application/json"], ["content-length", "900"]]);
          await reply.write('{"jsonrpc":"2.0",');
        }),
      ),
  },
  {
    id: "cancellation.unread-stream-closed",
    group: "cancellation",
    title: "a client that closes a stream which it does not read is gone for the server too",
    source: `${CANCELLATION}, R55`,
    revisions: ["2026-07-28"],
    run: leavesUnread,
  },
  {
    id: "cancellation.fifty-departures",
    group: "cancellation",
    title: "50 clients that leave their streams at once leave nothing open at the server",
    source: `${CANCELLATION}, R55`,
    revisions: ["2026-07-28"],
    run: fiftyLeave,
  },
  {
    id: "cancellation.ends-no-other",
    group: "cancellation",
    title: "a client that leaves does not end the call of another client",
    source: "2026-07-28 basic/patterns/cancellation",
    revisions: ["2026-07-28"],
    async run(context) {
      const { left, scripts, answer } = leftAndStayed();
      context.mock.use(modernByKey(scripts));
      const staying = context.send(modernCall(context, "stayed"));
      await context.within(context.mock.arrival(withKey("stayed")), "the call at the server");
      const client = await callAndHead(context, modernProgressCall(context, "left"));
      client.close();
      await soon(left.begun.then((reply) => reply.gone));
      answer();
      expectEqual(echoed(await staying), "stayed", "what the other call was answered with");
    },
  },
];

async function leavesUnread(context: Context): Promise<void> {
  const held = Promise.withResolvers<Reply>();
  const piece = new TextEncoder().encode(
    eventText({ data: progress(1, "x".repeat(4_000)) }).repeat(64),
  );
  const script: MockScript = async (_, reply) => {
    await reply.stream();
    // Until the server is held back, or as much as a proxy that hoards everything may take.
    for (let sent = 0; sent < 32 * 1024 * 1024 && !reply.isGone; sent += piece.length) {
      if (await soon(reply.write(piece).then(() => true), 200) === undefined) break;
    }
    held.resolve(reply);
    await reply.gone;
  };
  context.mock.use(modernByKey({ stream: script }));
  const client = await callAndHead(context, modernProgressCall(context, "stream"));
  const reply = await context.within(held.promise, "the end of what the server could send");
  client.close();
  // What is under way in full buffers may have to be dealt with first.
  await expectGone(reply, "the client closed the stream that it did not read", context.patienceMs);
}

async function fiftyLeave(context: Context): Promise<void> {
  const watched = Array.from({ length: 50 }, () => new Watched(beginStream));
  context.mock.use(modernByKey(
    Object.fromEntries(watched.map(({ script }, at) => [`stream ${at}`, script])),
  ));
  const clients = await Promise.all(
    watched.map((_, at) => callAndHead(context, modernProgressCall(context, `stream ${at}`, at))),
  );
  const replies = await Promise.all(
    watched.map(({ begun }) => context.within(begun, "the call at the server")),
  );
  for (const client of clients) client.close();
  await soon(Promise.all(replies.map((reply) => reply.gone)));
  const open = replies.filter((reply) => !reply.isGone).length;
  expectEqual(open, 0, "the number of streams that are still open at the server");
  await expectWorks(context, (key) => modernCall(context, key), "afterwards");
}

/** The checks of cancellation. */
export const CANCELLATION_CHECKS: readonly Scenario[] = [...MODERN, ...SESSION];
