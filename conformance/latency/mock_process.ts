/**
 * The upstream of the latency phase: a process of its own, one lean HTTP/1.1 keep-alive server that
 * answers as the bench's mock does, and lists its tool for gateways that look before they forward.
 *
 * Arguments: port and address. Prints `listening http://HOST:PORT/mcp` and serves until its standard
 * input ends, so that it cannot outlive the run.
 *
 * @module
 */

import { framingOf } from "../../bench/http_message.ts";
import { BodyCollector, HttpReader, writeAll } from "../../bench/http_reader.ts";
import { answerTo, type MockAnswer, type Sessions, STREAM_HEAD } from "../../bench/mock_answers.ts";
import { CALL_TOOL } from "../../bench/mcp_messages.ts";
import { print } from "../../bench/print.ts";

const BUFFER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
const WANTED = new Set(["content-length", "transfer-encoding", "mcp-session-id"]);
const TOOLS = [{ name: CALL_TOOL, inputSchema: { type: "object" } }];

const encoder = new TextEncoder();

/** Answers one request; false where the peer has closed. */
async function serveOne(
  connection: Deno.Conn,
  reader: HttpReader,
  body: BodyCollector,
  sessions: Sessions,
): Promise<boolean> {
  const head = await reader.readHead(WANTED);
  if (head === null) return false;
  body.reset();
  await reader.readBody(framingOf(head.fields) ?? 0, body.sink);
  const text = body.text();
  const answer = toolsListed(text) ?? answerTo({
    method: head.startLine.slice(0, head.startLine.indexOf(" ")),
    sessionId: head.fields.get("mcp-session-id"),
    body: text,
  }, sessions);
  await give(answer, connection);
  return true;
}

async function give(answer: MockAnswer, connection: Deno.Conn): Promise<void> {
  // A stream on which the server speaks first stays silent: the next head is its end.
  if (answer.kind !== "whole") return await writeAll(connection, encoder.encode(STREAM_HEAD));
  if (answer.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
  await writeAll(connection, encoder.encode(answer.message));
}

function toolsListed(text: string): MockAnswer | undefined {
  if (!text.includes('"tools/list"')) return undefined;
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: (JSON.parse(text) as { id?: unknown }).id,
    result: { tools: TOOLS },
  });
  return {
    kind: "whole",
    message: "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" +
      `content-length: ${body.length}\r\n\r\n${body}`,
    delayMs: 0,
  };
}

async function serveConnection(connection: Deno.TcpConn, sessions: Sessions): Promise<void> {
  connection.setNoDelay(true);
  const reader = new HttpReader(connection, BUFFER_BYTES);
  const body = new BodyCollector(MAX_BODY_BYTES);
  try {
    while (await serveOne(connection, reader, body, sessions));
  } catch {
    // The peer went away or sent nonsense: its exchange fails, and the client reports that.
  } finally {
    connection.close();
  }
}

async function serve(port: number, hostname: string): Promise<never> {
  const sessions: Sessions = { open: new Set(), nextId: () => crypto.randomUUID() };
  const listener = Deno.listen({ hostname, port });
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  print(`listening http://${host}:${(listener.addr as Deno.NetAddr).port}/mcp`);
  for (;;) void serveConnection(await listener.accept(), sessions);
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
