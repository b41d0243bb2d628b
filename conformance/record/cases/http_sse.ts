/**
 * 2024-11-05 over HTTP+SSE: answers come on the GET stream, POSTs get 202.
 *
 * Source: 2024-11-05 basic/transports "HTTP with SSE".
 *
 * @module
 */

import { casesOf, type Conversation, type RecordCase } from "../case.ts";
import { EventReader } from "../events.ts";
import { type ConnectedV2, fails, httpSse } from "../official.ts";
import { expectStatus, layFields, type Params, SCRIPTED } from "../scripted.ts";
import { delay, SETTLE_MS } from "../waiting.ts";

const REVISION = "2024-11-05";

function call(name: string, args: Record<string, unknown> = {}) {
  return ({ client }: ConnectedV2) => client.callTool({ name, arguments: args });
}

async function lists({ client }: ConnectedV2): Promise<void> {
  await client.listTools();
  await client.callTool({ name: "test_simple_text", arguments: {} });
}

async function logging({ client }: ConnectedV2): Promise<void> {
  await client.setLoggingLevel("info");
  await client.callTool({ name: "test_tool_with_logging" });
}

async function listChanged({ client, received, signal }: ConnectedV2): Promise<void> {
  await client.callTool({ name: "test_change_tools" });
  await received.first(({ method }) => method === "notifications/tools/list_changed", signal);
}

async function errors({ client }: ConnectedV2): Promise<void> {
  await client.callTool({ name: "test_error_handling" });
  await fails(client.callTool({ name: "no-such-tool" }));
  await fails(client.readResource({ uri: "test://no-such-resource" }));
}

async function cancel({ client, watch, signal }: ConnectedV2): Promise<void> {
  const abort = new AbortController();
  const ended = fails(
    client.callTool({ name: "test_wait", arguments: { ms: 60_000 } }, { signal: abort.signal }),
  );
  await watch.answered("tools/call", signal);
  // The server has the call well before it hears that it is not wanted.
  await delay(SETTLE_MS, signal);
  abort.abort("changed my mind");
  await ended;
  await watch.answered("notifications/cancelled", signal);
  await client.ping();
}

/** An HTTP+SSE connection spoken by hand. */
class ScriptedHttpSse {
  private constructor(
    readonly endpoint: URL,
    readonly events: EventReader,
    readonly signal: AbortSignal,
  ) {}

  static async begin(url: string, signal: AbortSignal): Promise<ScriptedHttpSse> {
    const headers = { accept: "text/event-stream" };
    const events = new EventReader(await fetch(url, { headers, signal }));
    const { data } = await events.next(({ event }) => event === "endpoint");
    const connection = new ScriptedHttpSse(new URL(data, url), events, signal);
    const params = { protocolVersion: REVISION, capabilities: {}, clientInfo: SCRIPTED };
    await connection.request(0, "initialize", params);
    await expectStatus(202, connection.post({ method: "notifications/initialized" }));
    return connection;
  }

  /** POSTs a text as it is. */
  postText(body: string, type = "application/json", endpoint = this.endpoint): Promise<Response> {
    const headers = layFields({ "content-type": type });
    return fetch(endpoint, { method: "POST", headers, body, signal: this.signal });
  }

  post(message: Params): Promise<Response> {
    return this.postText(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  /** Sends a request and waits for the answer on the stream. */
  async request(id: number, method: string, params?: Params): Promise<void> {
    await expectStatus(202, this.post({ id, method, ...(params && { params }) }));
    await this.events.containing(`"id":${id}`);
  }
}

function byHand(talk: (connection: ScriptedHttpSse) => Promise<void>): Conversation {
  return async (url, signal) => {
    const connection = await ScriptedHttpSse.begin(url, signal);
    await talk(connection);
    await connection.events.leave();
  };
}

async function badMessages(connection: ScriptedHttpSse): Promise<void> {
  await expectStatus(400, connection.postText("{"));
  await expectStatus(400, connection.postText('{"id":1,"method":"ping"}'));
  await expectStatus(400, connection.postText("{}", "text/plain"));
  await connection.request(1, "ping");
}

async function unknownSession(connection: ScriptedHttpSse): Promise<void> {
  const other = new URL(connection.endpoint);
  other.searchParams.set("sessionId", "11111111-2222-4333-8444-555555555555");
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  await expectStatus(404, connection.postText(ping, "application/json", other));
  await connection.request(1, "ping");
}

/** Two calls at once; the second is answered first. */
async function outOfOrder(connection: ScriptedHttpSse): Promise<void> {
  const slow = { name: "test_wait", arguments: { ms: 400 } };
  await expectStatus(202, connection.post({ id: 1, method: "tools/call", params: slow }));
  await connection.request(2, "ping");
  await connection.events.containing('"id":1');
}

const OWN = casesOf(REVISION, "http-sse", [
  ["http-sse-list-call", "The endpoint event, initialize, list and call", httpSse(lists)],
  ["http-sse-ping", "The client pings the server", httpSse(({ client }) => client.ping())],
  [
    "http-sse-progress",
    "Progress and the result, all on the one stream",
    httpSse(({ client }) =>
      client.callTool({ name: "test_tool_with_progress" }, { onprogress: () => {} })
    ),
  ],
  ["http-sse-logging", "Log lines on the stream", httpSse(logging)],
  ["http-sse-list-changed", "The server says that its tools changed", httpSse(listChanged)],
  [
    "http-sse-sampling",
    "The server asks the client's model; the answer is POSTed",
    httpSse(
      call("test_sampling", { prompt: "Name a weaver." }),
      { answers: { sampled: "Anni Albers" } },
    ),
  ],
  ["http-sse-errors", "A tool that fails, an unknown tool and an unknown method", httpSse(errors)],
  ["http-sse-cancel", "notifications/cancelled for a call", httpSse(cancel)],
  [
    "http-sse-unicode",
    "Arguments and results with all kinds of characters",
    httpSse(call("test_echo", { value: "Gunta Stölzl, 織物, 👩🏽‍🚀, \u2028, \r\n" })),
  ],
  ["http-sse-large-text", "An event of 30 KiB", httpSse(call("test_large_text"))],
  [
    "http-sse-calls-out-of-order",
    "Two calls at once; the later is answered first",
    byHand(outOfOrder),
  ],
  [
    "http-sse-bad-messages",
    "Bodies that are no messages: 400, and the session lives",
    byHand(badMessages),
  ],
  ["http-sse-unknown-session", "A POST with a session id nobody has: 404", byHand(unknownSession)],
]);

const EVERYTHING = casesOf(REVISION, "everything-sse", [
  [
    "http-sse-everything",
    "The reference server over HTTP+SSE: a call and progress",
    httpSse(
      async ({ client }) => {
        await client.callTool({ name: "get-sum", arguments: { a: 19, b: 23 } });
        await client.callTool({
          name: "trigger-long-running-operation",
          arguments: { duration: 0.2, steps: 2 },
        }, { onprogress: () => {} });
      },
    ),
  ],
]);

/** The cases of this module. */
export const HTTP_SSE: readonly RecordCase[] = [...OWN, ...EVERYTHING];
