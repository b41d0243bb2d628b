/**
 * A client that does not read its stream: the server is held back, and nobody else.
 *
 * @module
 */

import { eventText, type MockScript, MockUpstream, type Reply } from "../mock/mod.ts";
import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { requestBytes, WireClient } from "../wire/mod.ts";
import {
  echoed,
  modernByKey,
  modernCall,
  modernProgressCall,
  progress,
  soon,
} from "./upstreams.ts";

const MiB = 1024 * 1024;

/** What is sent to a client that does not read, where nothing holds it back. */
const FLOOD_BYTES = 128 * MiB;

/** What sockets may hold at the least: Linux lets their buffers grow to 10 MiB for each connection. */
const MIN_IN_SOCKETS_BYTES = 64 * MiB;

/** How many connections one behind the other may lie between client and server. */
const CHAIN = 4;

/** A write that takes longer than this is held back. */
const STALL_MS = 400;

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

/** The checks of streams that are not read. */
export const HELD_BACK: readonly Scenario[] = [
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
