/**
 * The ids of events and the times to reconnect, by which a client resumes a stream.
 *
 * @module
 */

import type { MockScript, Reply } from "../mock/mod.ts";
import { type Call, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { type BrowserView, browserView } from "./event_view.ts";
import { hasResponse } from "./events.ts";
import { messagesIn, numbersIn, receive, streamed } from "./received_stream.ts";
import { echoResult, progress, progressCall, sessionByKey } from "./upstreams.ts";

const T11 = "2025-11-25 basic/transports";

/** The checks of the ids of events. */
export const IDS: readonly Scenario[] = [
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
