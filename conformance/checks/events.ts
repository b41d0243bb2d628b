/**
 * Server-sent events: all of them, in order, as they were. Nothing here says when they come; that is
 * for `streaming.ts`.
 *
 * @module
 */

import { eventText, type MockScript, type Reply } from "../mock/mod.ts";
import {
  type Call,
  type Context,
  expect,
  expectEqual,
  type OpenSession,
  type Scenario,
} from "../suite/mod.ts";
import { FORMATS, type FormatTheme, MESSAGES } from "./event_formats.ts";
import { type BrowserView, browserView } from "./event_view.ts";
import {
  echoResult,
  messageIn,
  modernByKey,
  modernProgressCall,
  progress,
  progressCall,
  sessionByKey,
} from "./upstreams.ts";

const encoder = new TextEncoder();
const T11 = "2025-11-25 basic/transports";
const MODERN = "2026-07-28 basic/transports/streamable-http";

/** A stream that reached the client. */
interface Received {
  readonly view: BrowserView;
  readonly text: string;
  readonly complete: boolean;
  readonly type: string | undefined;
}

/** Reads the whole stream that answers the call with this key. */
async function receive(context: Context, session: OpenSession, key: string): Promise<Received> {
  const { client, response } = await context.begin(progressCall(session, key));
  expectEqual(response.status, 200, "the status of the stream");
  const bytes = await context.within(response.body.bytes(), "the end of the stream");
  client.close();
  return {
    view: browserView(bytes),
    text: new TextDecoder().decode(bytes),
    complete: response.body.complete,
    type: response.field("content-type"),
  };
}

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

/** What a client of MCP sees of a stream: its messages, as values. */
function messagesIn(view: BrowserView): unknown[] {
  return view.events
    .filter(({ type, data }) => type === "message" && data !== "")
    .map(({ data }) => messageIn(data) ?? `(no JSON: ${data})`);
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

/** Sends bytes as a stream, each piece as a chunk of its own. */
async function sendStream(reply: Reply, bytes: Uint8Array, pieceBytes: number): Promise<void> {
  await reply.stream();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await reply.write(bytes.subarray(at, at + pieceBytes));
    // Chunks that follow at once may be read as one; where it matters they must not be.
    if (pieceBytes === 1 && isCritical(bytes[at]!)) await pause();
  }
  await reply.end();
}

/** Bytes behind which a cut is most easily got wrong: line endings, colons, parts of a character. */
const isCritical = (byte: number) => byte === 10 || byte === 13 || byte === 58 || byte >= 128;

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

/** Has the call `stream` of a session answered by a script, and gives what the client got. */
async function streamed(context: Context, script: MockScript): Promise<Received> {
  context.mock.use(sessionByKey({ stream: script }));
  return await receive(context, await context.openSession(), "stream");
}

/** The numbers of the progress notifications among messages. */
function numbersIn(messages: readonly unknown[]): (number | undefined)[] {
  return (messages as { params?: { progress?: number } }[])
    .map(({ params }) => params?.progress)
    .filter((number) => number !== undefined);
}

/** The last message is the response to the call, and a result. */
function hasResponse(messages: readonly unknown[]): boolean {
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

const IDS: readonly Scenario[] = [
  {
    id: "events.ids-unique",
    group: "events",
    title: "events that have an id keep one, unique in the session, whether translated or not",
    source: `${T11} "Resumability and Redelivery" 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      const script = (name: string): MockScript => async (request, reply) => {
        await reply.stream();
        await reply.event({ id: `${name}-1`, data: progress(1) });
        await reply.event({ id: `${name}-2`, data: progress(2) });
        await reply.event({ id: `${name}-3`, data: echoResult(request) });
        await reply.end();
      };
      context.mock.use(sessionByKey({ a: script("a"), b: script("b") }));
      const session = await context.openSession();
      const seen = new Set<string>();
      for (const key of ["a", "b"]) {
        const { view } = await receive(context, session, key);
        const ids = view.events.filter(({ data }) => data !== "").map((event) => event.lastEventId);
        expect(ids.every((id) => id !== ""), `events lost their ids: ${JSON.stringify(ids)}`);
        for (const id of ids) {
          expect(!seen.has(id), `the id ${JSON.stringify(id)} was given to two events`);
          seen.add(id);
        }
      }
    },
  },
  {
    id: "events.id-with-nul",
    group: "events",
    title: "an id that contains NUL is passed over and does not become another id",
    source: "HTML 9.2.6, R37",
    revisions: ["2025-11-25"],
    async run(context) {
      const { view } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.write(`id: first\ndata: ${JSON.stringify(progress(1))}\n\n`);
        await reply.write(`id: sec\0ond\ndata: ${JSON.stringify(progress(2))}\n\n`);
        await reply.write(`data: ${JSON.stringify(echoResult(request))}\n\n`);
        await reply.end();
      });
      expectEqual(numbersIn(messagesIn(view)), [1, 2], "the notifications");
      const wrong = view.events.find(({ lastEventId }) => lastEventId.startsWith("sec"));
      expect(wrong === undefined, `a client takes ${JSON.stringify(wrong?.lastEventId)} for an id`);
    },
  },
  {
    id: "events.retry",
    group: "events",
    title: "retry reaches the client",
    source: `${T11} "Sending Messages to the Server" 6, R38`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { view } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.event({ id: "1", retry: 4321, data: progress(1) });
        await reply.event({ data: echoResult(request) });
        await reply.end();
      });
      expectEqual(view.retryMs, 4321, "the reconnection time that the client was told");
    },
  },
  {
    id: "events.retry-not-a-number",
    group: "events",
    title: "a retry that is not all digits is passed over and does not become a number",
    source: "HTML 9.2.6, R38",
    revisions: ["2025-11-25"],
    async run(context) {
      const { view } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.write(
          "retry: 7x\n\nretry: -7\n\nretry: 7.7\n\nretry:\n\nretry\n\nretry: 0x7\n\n",
        );
        await reply.event({ data: echoResult(request) });
        await reply.end();
      });
      const wrong = [0, 7, 77].includes(view.retryMs ?? -1);
      expect(!wrong, `the client was told to wait ${view.retryMs} ms`);
      expect(hasResponse(messagesIn(view)), "the response behind it did not arrive");
    },
  },
  {
    id: "events.priming",
    group: "events",
    title: "an event with an id and empty data, which primes the client to reconnect, is kept",
    source: `${T11} "Sending Messages to the Server" 6, R39`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { view, text } = await streamed(context, async (request, reply) => {
        await reply.stream();
        await reply.event({ id: "prime", data: "" });
        await reply.event({ data: echoResult(request) });
        await reply.end();
      });
      const [first] = view.events;
      expect(
        first !== undefined && first.data === "" && first.lastEventId !== "",
        `the stream does not begin with such an event: ${JSON.stringify(text.slice(0, 300))}`,
      );
    },
  },
  resumption("events.resume-of-a-call", "POST"),
  resumption("events.resume-of-a-get-stream", "GET"),
];

/**
 * A stream that the server closes half way and that goes on where the client says it was. A proxy
 * may pass the resumption on, answer it itself, or resume before the client has to.
 */
function resumption(id: string, method: "POST" | "GET"): Scenario {
  return {
    id,
    group: "events",
    title: `a stream begun with ${method} goes on behind the event that Last-Event-ID names`,
    source: `${T11} "Resumability and Redelivery" 2`,
    revisions: ["2025-11-25"],
    async run(context) {
      const first = async (reply: Reply) => {
        await reply.stream();
        await reply.event({ id: "one", data: "" });
        await reply.event({ id: "two", retry: 1, data: progress(1) });
        await reply.end();
      };
      const get: MockScript = async (request, reply) => {
        const from = request.field("last-event-id");
        if (from === undefined && method === "GET") return await first(reply);
        if (from !== "two") return await reply.empty(from === undefined ? 405 : 400);
        await reply.stream();
        await reply.event({ id: "three", data: progress(2) });
        await reply.event({ id: "four", data: progress(3) });
        await reply.end();
      };
      context.mock.use(sessionByKey({ stream: (_, reply) => first(reply) }, { GET: get }));
      const session = await context.openSession();
      const begin = method === "GET"
        ? { method: "GET", fields: session.fields }
        : progressCall(session, "stream");
      const half = await viewOf(context, begin);
      const arrived = numbersIn(messagesIn(half));
      if (arrived.length < 3) {
        const fields = { ...session.fields, "last-event-id": half.lastEventId };
        arrived.push(...numbersIn(messagesIn(await viewOf(context, { method: "GET", fields }))));
      }
      expectEqual(arrived, [1, 2, 3], "the notifications of the stream, over both connections");
    },
  };
}

async function viewOf(
  context: Context,
  call: Call,
): Promise<BrowserView> {
  const { client, response } = await context.begin(call);
  expectEqual(response.status, 200, `the status of the stream (${call.method ?? "POST"})`);
  const bytes = await context.within(response.body.bytes(), "the end of the stream");
  client.close();
  return browserView(bytes);
}

/** The checks of events. */
export const EVENTS: readonly Scenario[] = [
  ...FORMATS.map(formatScenario),
  ...ALL_EVENTS,
  ...IDS,
];
