import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import { factsOf } from "./facts.ts";
import { Recorder } from "./recorder.ts";
import type { Field } from "./redact.ts";

const encoder = new TextEncoder();
const JSON_TYPE: Field = ["content-type", "application/json"];
const SSE_TYPE: Field = ["content-type", "text/event-stream"];

interface Exchange {
  readonly method?: string;
  readonly fields?: readonly Field[];
  readonly sent?: string;
  readonly status?: number;
  readonly answer?: readonly Field[];
  readonly got?: string;
}

function facts(...exchanges: readonly Exchange[]) {
  const recorder = new Recorder({
    clock: new ManualClock(),
    maxBytes: 1_000_000,
    hosts: [],
    onLimit: () => {},
  });
  for (const { method = "POST", fields = [], sent, status = 200, ...answer } of exchanges) {
    const exchange = recorder.begin({ method, target: "/mcp", fields })!;
    if (sent !== undefined) exchange.data("client", encoder.encode(sent));
    exchange.end("client");
    exchange.response(status, answer.answer ?? [JSON_TYPE]);
    if (answer.got !== undefined) exchange.data("server", encoder.encode(answer.got));
    exchange.end("server");
  }
  return factsOf(recorder.recording());
}

function event(data: string, lines = ""): string {
  return `${lines}data: ${data}\n\n`;
}

function features(...exchanges: readonly Exchange[]): string[] {
  return facts(...exchanges).features;
}

Deno.test("factsOf() takes the revision that was agreed on, before the one that was asked for", () => {
  const { revision, server, client, doubts } = facts({
    sent: messages.initialize("2025-11-25"),
    got: messages.initializeResult("2025-06-18"),
  });
  assertEquals(revision, "2025-06-18");
  assertEquals([server, client], [{ name: "test", version: "1" }, { name: "test", version: "1" }]);
  assertEquals(doubts, []);
});

Deno.test("factsOf() takes the revision from the header where there is no initialize", () => {
  const { revision } = facts({ fields: [["mcp-protocol-version", "2025-06-18"]] });
  assertEquals(revision, "2025-06-18");
});

Deno.test("factsOf() says what the traffic does not tell", () => {
  const { revision, server, doubts } = facts({ sent: messages.ping() });
  assertEquals([revision, server.name], ["2025-03-26", "unknown"]);
  assertEquals(doubts, [
    "the traffic names no revision; meta.json says 2025-03-26",
    'the traffic does not name the server; meta.json says "unknown"',
    'the traffic does not name the client; meta.json says "unknown"',
  ]);
  const mixed = facts(
    { got: messages.initializeResult("2031-01-01") },
    { fields: [["mcp-protocol-version", "2025-06-18"]] },
  );
  assertEquals(mixed.revision, "2025-06-18");
  const later = facts({ fields: [["mcp-protocol-version", "2031-01-01"]] });
  assert(later.doubts[0]!.includes("revisions that the format lacks"));
});

Deno.test("factsOf() knows HTTP+SSE by its endpoint event", () => {
  const { transport, revision, features } = facts({
    method: "GET",
    answer: [SSE_TYPE],
    got: "event: endpoint\ndata: /m?sessionId=1\n\n",
  });
  assertEquals([transport, revision], ["http+sse", "2024-11-05"]);
  assertEquals(features, ["sse", "session"]);
});

Deno.test("factsOf() outlives bodies that are no JSON, odd JSON, and names of odd types", () => {
  for (const sent of ["{", "null", "[null,1]", '{"params":null}', '{"params":{"clientInfo":[]}}']) {
    facts({ sent, got: sent });
  }
  const { client } = facts({ sent: '{"params":{"clientInfo":{"name":"x","version":7}}}' });
  assertEquals(client, { name: "x", version: "unknown" });
});

const note = '{"jsonrpc":"2.0","method":"notifications/progress"}';

for (
  const [feature, ...exchanges] of [
    ["json", { got: "{}" }],
    ["session", { answer: [["mcp-session-id", "a"]] }],
    ["get-stream", { method: "GET", answer: [SSE_TYPE], got: event("{}") }],
    ["delete", { method: "DELETE" }],
    ["resume", { method: "GET", fields: [["last-event-id", "1"]] }],
    ["polling", { answer: [SSE_TYPE], got: event("", "id: 1\nretry: 5\n") }],
    ["priming", { answer: [SSE_TYPE], got: event("", "id: 1\n") }],
    ["listen", { sent: messages.modern("subscriptions/listen") }],
    ["notification", { answer: [SSE_TYPE], got: event(note) }],
    ["progress", { answer: [SSE_TYPE], got: event(note) }],
    ["logging", { answer: [SSE_TYPE], got: event('{"method":"notifications/message"}') }],
    ["elicitation", { answer: [SSE_TYPE], got: event('{"id":1,"method":"elicitation/create"}') }],
    ["sampling", { answer: [SSE_TYPE], got: event('{"id":1,"method":"sampling/createMessage"}') }],
    ["sampling", { got: '{"result":{"inputRequests":{"a":{"method":"sampling/createMessage"}}}}' }],
    ["roots", { answer: [SSE_TYPE], got: event('{"id":1,"method":"roots/list"}') }],
    ["input-required", { got: '{"result":{"resultType":"input_required"}}' }],
    ["batch", { sent: `[${messages.ping()}]` }],
    ["cancel", { sent: '{"method":"notifications/cancelled"}' }],
    ["error", { got: '{"error":{"code":1,"message":"x"}}' }],
    ["error", { status: 404 }],
  ] as [string, ...Exchange[]][]
) {
  Deno.test(`factsOf() sees ${feature} in ${JSON.stringify(exchanges[0]).slice(0, 60)}`, () => {
    assert(features(...exchanges).includes(feature));
    assert(!features({ sent: messages.ping(), answer: [] }).includes(feature));
  });
}

Deno.test("factsOf() sees no polling where the answer came, or nobody said when to come back", () => {
  const answered = event("", "id: 1\nretry: 5\n") + event('{"id":1,"result":{}}');
  assert(!features({ answer: [SSE_TYPE], got: answered }).includes("polling"));
  assert(!features({ answer: [SSE_TYPE], got: event("", "id: 1\n") }).includes("polling"));
});
