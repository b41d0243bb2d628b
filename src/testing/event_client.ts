/**
 * A client of the session era on bare sockets that reads event streams event by event.
 *
 * @module
 */

import { EventParser, type SseEvent } from "../sse/mod.ts";
import { initialize } from "./messages.ts";
import { jsonPost, postText, RawClient } from "./raw_client.ts";

/** A stream as a client sees it. */
export interface ClientStream extends Disposable {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** The next event; null at the proper end, "cut" where it broke off. */
  next(): Promise<ReadEvent | null | "cut">;
  /** The body of what is no stream. */
  text(): Promise<string>;
  /** All events of a stream that has a length. */
  whole(): Promise<readonly ReadEvent[]>;
  /** All events to the end. */
  rest(): Promise<readonly ReadEvent[]>;
}

/** An event with its data as text. */
export interface ReadEvent extends Omit<SseEvent, "data"> {
  readonly data: string | undefined;
}

const decoder = new TextDecoder();

function told(event: SseEvent): ReadEvent {
  return { ...event, data: event.data && decoder.decode(event.data) };
}

/** Opens a session through the proxy; the result is its id. */
export async function openSession(
  origin: string,
  revision?: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<string> {
  const response = await postText(origin, initialize(revision), fields);
  const id = response.headers.get("mcp-session-id");
  if (id === undefined) throw new Error(`initialize was answered with ${response.status}`);
  return id;
}

/** Asks for a tool in a session. */
export function call(origin: string, session: string, id: string | number): Promise<ClientStream> {
  const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"tools/call",` +
    `"params":{"name":"t","arguments":{}}}`;
  return begin(origin, jsonPost(body, { "mcp-session-id": session }));
}

/** Opens the stream on which the server speaks first, or resumes one. */
export function listen(
  origin: string,
  session: string,
  lastEventId?: string,
): Promise<ClientStream> {
  const last = lastEventId === undefined ? "" : `last-event-id: ${lastEventId}\r\n`;
  return begin(
    origin,
    "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n" +
      `mcp-session-id: ${session}\r\n${last}\r\n`,
  );
}

async function headBehind(client: RawClient, request: string | Uint8Array) {
  try {
    await client.write(request);
    return await client.readHead();
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Sends a request, and reads what comes back as a stream. */
export async function begin(origin: string, request: string | Uint8Array): Promise<ClientStream> {
  const client = await RawClient.connect(origin);
  const { status, headers } = await headBehind(client, request);
  const parser = new EventParser({ maxEventBytes: 64 * 1024 * 1024 });
  const events: SseEvent[] = [];
  const next = async (): Promise<ReadEvent | null | "cut"> => {
    while (events.length === 0) {
      const chunk = await client.readChunk();
      if (chunk === null || chunk === "cut") return chunk;
      events.push(...parser.feed(new TextEncoder().encode(chunk)));
    }
    const event = events.shift()!;
    return told(event);
  };
  return {
    status,
    headers,
    next,
    text: async () => decoder.decode((await client.readBody(status, headers)).bytes),
    async whole() {
      const { bytes } = await client.readBody(status, headers);
      return parser.feed(bytes).map(told);
    },
    async rest() {
      const all: ReadEvent[] = [];
      for (;;) {
        const event = await next();
        if (event === "cut") throw new Error("the stream broke off");
        if (event === null) return all;
        all.push(event);
      }
    },
    [Symbol.dispose]: () => client.close(),
  };
}
