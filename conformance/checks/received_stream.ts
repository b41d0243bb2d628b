/**
 * Streams that are sent in pieces, and what the client got of them.
 *
 * @module
 */

import type { MockScript, Reply } from "../mock/mod.ts";
import { type Context, expectEqual, type OpenSession } from "../suite/mod.ts";
import { type BrowserView, browserView } from "./event_view.ts";
import { messageIn, progressCall, sessionByKey } from "./upstreams.ts";

/** A stream that reached the client. */
interface Received {
  readonly view: BrowserView;
  readonly text: string;
  readonly complete: boolean;
  readonly type: string | undefined;
}

/** Reads the whole stream that answers the call with this key. */
export async function receive(
  context: Context,
  session: OpenSession,
  key: string,
): Promise<Received> {
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

/** What a client of MCP sees of a stream: its messages, as values. */
export function messagesIn(view: BrowserView): unknown[] {
  return view.events
    .filter(({ type, data }) => type === "message" && data !== "")
    .map(({ data }) => messageIn(data) ?? `(no JSON: ${data})`);
}

/** Sends bytes as a stream, each piece as a chunk of its own. */
export async function sendStream(
  reply: Reply,
  bytes: Uint8Array,
  pieceBytes: number,
): Promise<void> {
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
export async function streamed(context: Context, script: MockScript): Promise<Received> {
  context.mock.use(sessionByKey({ stream: script }));
  return await receive(context, await context.openSession(), "stream");
}

/** The numbers of the progress notifications among messages. */
export function numbersIn(messages: readonly unknown[]): (number | undefined)[] {
  return (messages as { params?: { progress?: number } }[])
    .map(({ params }) => params?.progress)
    .filter((number) => number !== undefined);
}
