/**
 * The mock upstream: a process of its own, one lean HTTP/1.1 keep-alive server on raw sockets.
 *
 * Arguments: a port (0: any free one) and an address (127.0.0.1). Prints
 * `listening http://HOST:PORT/mcp` and serves until its standard input ends, so that it cannot outlive
 * the bench, however that ends.
 */

import { framingOf } from "./http_message.ts";
import { BodyCollector, HttpReader, writeAll } from "./http_reader.ts";
import { answerTo, type MockState } from "./mock_answers.ts";
import { RequestCounts } from "./mock_counts.ts";
import type { MockAnswer } from "./mock_messages.ts";
import {
  drippedWrites,
  endlessChunk,
  STREAM_HEAD,
  streamChunks,
  streamEnd,
} from "./mock_streams.ts";
import { print } from "./print.ts";

const BUFFER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 32_768;

/** The longest an endless stream is, should nobody end it. */
const MAX_ENDLESS_MS = 120_000;

const WANTED = new Set(["content-length", "transfer-encoding", "mcp-session-id"]);

const encoder = new TextEncoder();
const streamHead = encoder.encode(STREAM_HEAD);
const [firstEvent = new Uint8Array()] = streamChunks(1, 1);

type StreamAnswer = Extract<MockAnswer, { readonly kind: "stream" }>;

/** The chunks of the last stream: all streams of a table are alike. */
let cached: { readonly key: string; readonly chunks: Uint8Array[] } | undefined;

function chunksOf({ events, writeBytes }: StreamAnswer): Uint8Array[] {
  const key = `${events} ${writeBytes}`;
  if (cached?.key !== key) cached = { key, chunks: streamChunks(events, writeBytes) };
  return cached.chunks;
}

async function writeStream(connection: Deno.Conn, answer: StreamAnswer): Promise<void> {
  await writeAll(connection, streamHead);
  for (const chunk of chunksOf(answer)) await writeAll(connection, chunk);
  await writeAll(connection, streamEnd(answer.id));
}

async function writeDripped(
  connection: Deno.Conn,
  { id, eventBytes }: Extract<MockAnswer, { readonly kind: "drip" }>,
): Promise<void> {
  await writeAll(connection, streamHead);
  for (const bytes of drippedWrites(eventBytes)) await writeAll(connection, bytes);
  await writeAll(connection, streamEnd(id));
}

/** Writes until the client goes, which is an error of the write. */
async function writeEndless(connection: Deno.Conn): Promise<void> {
  await writeAll(connection, streamHead);
  const chunk = endlessChunk();
  const endMs = performance.now() + MAX_ENDLESS_MS;
  while (performance.now() < endMs) await writeAll(connection, chunk);
}

/** Answers one request; false where no further one follows on the connection. */
async function serveOne(
  connection: Deno.Conn,
  reader: HttpReader,
  body: BodyCollector,
  state: MockState,
): Promise<boolean> {
  const head = await reader.readHead(WANTED);
  if (head === null) return false;
  body.reset();
  await reader.readBody(framingOf(head.fields) ?? 0, body.sink);
  const [method = "", path = ""] = head.startLine.split(" ", 2);
  const sessionId = head.fields.get("mcp-session-id");
  const answer = answerTo({ method, path, sessionId, body: body.text() }, state);
  if (answer.kind === "stream") {
    await writeStream(connection, answer);
    return true;
  }
  if (answer.kind === "drip") {
    await writeDripped(connection, answer);
    return true;
  }
  if (answer.kind === "endless") {
    await writeEndless(connection);
    return false;
  }
  if (answer.kind === "idle") {
    await writeAll(connection, streamHead);
    await writeAll(connection, firstEvent);
    // Silent until the client goes: the next head is the end.
    return true;
  }
  if (answer.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
  await writeAll(connection, encoder.encode(answer.message));
  return true;
}

async function serveConnection(connection: Deno.TcpConn, state: MockState): Promise<void> {
  connection.setNoDelay(true);
  const reader = new HttpReader(connection, BUFFER_BYTES);
  const body = new BodyCollector(MAX_BODY_BYTES);
  try {
    while (await serveOne(connection, reader, body, state));
  } catch {
    // The peer went away or sent nonsense: its exchange fails, and the bench reports that.
  } finally {
    connection.close();
  }
}

async function serve(port: number, hostname: string): Promise<never> {
  const nextId = (): string => crypto.randomUUID();
  const state: MockState = { open: new Set(), nextId, counts: new RequestCounts() };
  const listener = Deno.listen({ hostname, port });
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  print(`listening http://${host}:${(listener.addr as Deno.NetAddr).port}/mcp`);
  let connections = 0;
  for (;;) {
    const connection = await listener.accept();
    if (connections >= MAX_CONNECTIONS) {
      connection.close();
      continue;
    }
    connections++;
    serveConnection(connection, state).finally(() => connections--);
  }
}

async function untilInputEnds(): Promise<void> {
  const ignored = new Uint8Array(64);
  while (await Deno.stdin.read(ignored) !== null);
}

if (import.meta.main) {
  const [port = "0", hostname = "127.0.0.1"] = Deno.args;
  await Promise.race([serve(Number(port), hostname), untilInputEnds()]);
  Deno.exit(0);
}
