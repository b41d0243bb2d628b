/**
 * Server-sent events: all of them, in order, as they were. Nothing here says when they come; that is
 * for `streaming.ts`.
 *
 * @module
 */

import { eventText, type MockScript } from "../mock/mod.ts";
import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { FORMATS, type FormatTheme, MESSAGES } from "./event_formats.ts";
import { IDS } from "./event_ids.ts";
import { browserView } from "./event_view.ts";
import { messagesIn, numbersIn, receive, sendStream, streamed } from "./received_stream.ts";
import {
  echoResult,
  modernByKey,
  modernProgressCall,
  progress,
  sessionByKey,
} from "./upstreams.ts";

const T11 = "2025-11-25 basic/transports";
const MODERN = "2026-07-28 basic/transports/streamable-http";
const encoder = new TextEncoder();

/** The stream of a theme as bytes: notifications and the response in place of their marks. */
function streamBytes(text: string, response: unknown): Uint8Array {
  const lines = JSON.stringify(response, null, 1).split("\n").map((line) => `data: ${line}`);
  return encoder.encode(
    text.replaceAll(/@([1-9RLC])/g, (_, mark: string) => {
      if (mark === "L" || mark === "C") return lines.join(mark === "L" ? "\n" : "\r\n");
      const message = mark === "R" ? response : progress(Number(mark), MESSAGES[Number(mark)]);
      return JSON.stringify(message);
    }),
  );
}

/** The check of one theme: each stream whole, and cut behind every byte. */
function formatScenario({ id, title, source, streams }: FormatTheme): Scenario {
  return {
    id,
    group: "events",
    title,
    source,
    revisions: ["2025-11-25"],
    async run(context) {
      const sent = new Map<string, Uint8Array>();
      const scripts: Record<string, MockScript> = {};
      for (const [name, text] of streams) {
        for (const cut of [false, true]) {
          const key = `${name}, ${cut ? "cut behind every byte" : "whole"}`;
          scripts[key] = async (request, reply) => {
            const bytes = streamBytes(text, echoResult(request));
            sent.set(key, bytes);
            await sendStream(reply, bytes, cut ? 1 : bytes.length);
          };
        }
      }
      context.mock.use(sessionByKey(scripts));
      const session = await context.openSession();
      await Promise.all(
        Object.keys(scripts).map(async (key) => {
          const { view } = await receive(context, session, key);
          const wanted = browserView(sent.get(key)!);
          expectEqual(messagesIn(view), messagesIn(wanted), `what a client sees of "${key}"`);
        }),
      );
    },
  };
}

/** The last message is the response to the call, and a result. */
export function hasResponse(messages: readonly unknown[]): boolean {
  const last = messages.at(-1);
  return typeof last === "object" && last !== null && "result" in last && "id" in last &&
    last.id === 1;
}

const count = (length: number) => Array.from({ length }, (_, at) => at + 1);

const ALL_EVENTS: readonly Scenario[] = [
  {
    id: "events.five-thousand-in-order",
    group: "events",
    title: "of 5,000 events sent in one go all arrive, in order, the last one before the end too",
    source: `${T11} "Sending Messages to the Server" 6`,
    revisions: ["2025-11-25"],
    async run(context) {
      const numbers = count(5_000);
      const { view } = await streamed(context, async (request, reply) => {
        const events = numbers.map((number) => eventText({ data: progress(number) }));
        events.push(eventText({ data: echoResult(request) }));
        await sendStream(reply, encoder.encode(events.join("")), 1_000_000);
      });
      expectComplete(messagesIn(view), numbers);
    },
  },
  {
    id: "events.each-in-its-own-chunk",
    group: "events",
    title: "of 500 events sent one by one all arrive, in order, the last one before the end too",
    source: `${MODERN} "Receiving Messages"`,
    revisions: ["2026-07-28"],
    async run(context) {
      const numbers = count(500);
      context.mock.use(modernByKey({
        stream: async (request, reply) => {
          await reply.stream();
          for (const number of numbers) await reply.event({ data: progress(number) });
          await reply.event({ data: echoResult(request) });
          await reply.end();
        },
      }));
      const { response } = await context.begin(modernProgressCall(context, "stream"));
      expectEqual(response.status, 200, "the status of the stream");
      const bytes = await context.within(response.body.bytes(), "the end of the stream");
      expectComplete(messagesIn(browserView(bytes)), numbers);
    },
  },
  {
    id: "events.large",
    group: "events",
    title: "an event of 256 KiB arrives whole",
    source: `${T11} "Sending Messages to the Server" 6`,
    revisions: ["2025-11-25"],
    run: (context) => largeEvent(context, 256 * 1024, 65_536),
  },
  {
    id: "events.large-in-small-chunks",
    group: "events",
    title: "an event of 1 MiB that comes in chunks of 256 bytes arrives whole, in linear time",
    source: "R43",
    revisions: ["2025-11-25"],
    run: (context) => largeEvent(context, 1024 * 1024, 256),
  },
  {
    id: "events.content-type",
    group: "events",
    title: "a stream stays text/event-stream",
    source: `${T11} "Sending Messages to the Server" 5`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { type } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.event({ data: echoResult(request) });
        await reply.end();
      });
      const essence = type?.split(";")[0]?.trim().toLowerCase();
      expectEqual(essence, "text/event-stream", "the media type of the stream");
    },
  },
  {
    id: "events.clean-end",
    group: "events",
    title: "a stream that the server ends cleanly ends cleanly for the client",
    source: "RFC 9112 7.1",
    revisions: ["2025-11-25"],
    async run(context) {
      const { complete } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.event({ data: echoResult(request) });
        await reply.end();
      });
      expect(complete, "the server ended its stream cleanly, and the client saw it cut");
    },
  },
  {
    id: "events.comments-pass",
    group: "events",
    title: "keep-alive comments reach the client",
    source: `${MODERN} "Receiving Messages" (note), R40`,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey({
        stream: async (request, reply) => {
          await reply.stream();
          for (let at = 0; at < 10; at++) await reply.write(":\r\n\r\n");
          await reply.event({ data: echoResult(request) });
          await reply.end();
        },
      }));
      const { response } = await context.begin(modernProgressCall(context, "stream"));
      const text = await context.within(response.body.text(), "the end of the stream");
      expect(
        /^\uFEFF?:|[\r\n]:/.test(text),
        `10 comments were sent and none arrived: ${JSON.stringify(text)}`,
      );
    },
  },
];

function expectComplete(messages: readonly unknown[], numbers: readonly number[]): void {
  const arrived = numbersIn(messages);
  const wrong = arrived.findIndex((number, at) => number !== numbers[at]);
  expect(wrong === -1, `event ${wrong + 1} of ${numbers.length} has number ${arrived[wrong]}`);
  expectEqual(arrived.length, numbers.length, "the number of notifications");
  expect(hasResponse(messages), "the response, the last event of the stream, did not arrive");
}

async function largeEvent(context: Context, size: number, pieceBytes: number): Promise<void> {
  const text = "0123456789abcdef".repeat(size / 16);
  const { view } = await streamed(context, async (request, reply) => {
    const bytes = encoder.encode(eventText({ data: echoResult(request, text) }));
    await sendStream(reply, bytes, pieceBytes);
  });
  const [message] = messagesIn(view) as { result?: { content?: { text?: string }[] } }[];
  const arrived = message?.result?.content?.[0]?.text;
  expect(arrived === text, `a text of ${size} bytes arrived as one of ${arrived?.length}`);
}

/** The checks of events. */
export const EVENTS: readonly Scenario[] = [
  ...FORMATS.map(formatScenario),
  ...ALL_EVENTS,
  ...IDS,
];
