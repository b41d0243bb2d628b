/**
 * A client of HTTP+SSE on bare sockets.
 *
 * @module
 */

import { begin, type ClientStream, type ReadEvent } from "./event_client.ts";
import { initialize, initialized } from "./messages.ts";
import { exchange, jsonPost, type RawResponse } from "./raw_client.ts";

/** A client whose stream is open. */
export interface SseCaller extends Disposable {
  /** The stream, behind its first event. */
  readonly stream: ClientStream;
  /** The address for messages, as the stream named it. */
  readonly endpoint: string;
  /** The id in it. */
  readonly token: string;
  /** Sends a message. */
  post(body: string): Promise<RawResponse>;
  /** The next message on the stream. */
  next(): Promise<string>;
  /** Opens the session, and says that it is ready. */
  start(revision?: string): Promise<void>;
}

/** Header fields by their names. */
export type CallerFields = Readonly<Record<string, string>>;

/** A GET for a stream. */
export function sseGet(path: string, fields: CallerFields = {}): string {
  const all = { host: "localhost", accept: "text/event-stream", ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Opens the stream at `path` of `origin` and reads its endpoint event. */
export async function sseCaller(
  origin: string,
  path = "/mcp/sse",
  fields: CallerFields = {},
): Promise<SseCaller> {
  const stream = await begin(origin, sseGet(path, fields));
  if (stream.status !== 200) throw new Error(`GET was answered with ${stream.status}`);
  const first = await stream.next() as ReadEvent;
  if (first.event !== "endpoint") throw new Error(`the first event is ${first.event}`);
  const endpoint = first.data!;
  const post = (body: string) => exchange(origin, jsonPost(body, fields, endpoint));
  const next = async () => {
    for (;;) {
      const event = await stream.next();
      if (event === null || event === "cut") throw new Error(`the stream is over: ${event}`);
      if (event.data !== undefined) return event.data;
    }
  };
  return {
    stream,
    endpoint,
    token: new URL(endpoint, origin).searchParams.get("sessionId")!,
    post,
    next,
    async start(revision) {
      await post(initialize(revision));
      await next();
      await post(initialized);
    },
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}
