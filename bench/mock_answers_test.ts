import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CALL_TOOL, DRIP_TOOL, ENDLESS_TOOL, initializeBody, STREAM_TOOL } from "./mcp_messages.ts";
import { answerTo, MAX_DRIPPED_BYTES, MAX_EVENTS, type MockState } from "./mock_answers.ts";
import { COUNTS_PATH, RequestCounts } from "./mock_counts.ts";
import { MAX_SERVICE_MS, type MockAnswer } from "./mock_messages.ts";

const path = "/mcp";

function newState(): MockState {
  let count = 0;
  return { open: new Set(), nextId: () => `s${++count}`, counts: new RequestCounts() };
}

function post(message: unknown, sessionId: string | undefined, state: MockState): MockAnswer {
  return answerTo({ method: "POST", path, sessionId, body: JSON.stringify(message) }, state);
}

function startOf(answer: MockAnswer): string {
  return answer.kind === "whole" ? answer.message.split("\r\n")[0] ?? "" : "stream";
}

Deno.test("answerTo() opens a session and answers only inside it", () => {
  const state = newState();
  const opened = answerTo(
    { method: "POST", path, sessionId: undefined, body: initializeBody(1) },
    state,
  );
  assert(opened.kind === "whole");
  assertStringIncludes(opened.message, "mcp-session-id: s1\r\n");
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  assertEquals(startOf(post(ping, "s1", state)), "HTTP/1.1 200 OK");
  assertEquals(startOf(post(ping, "s2", state)), "HTTP/1.1 404 Not Found");
  assertEquals(startOf(post(ping, undefined, state)), "HTTP/1.1 400 Bad Request");
  const notification = { jsonrpc: "2.0", method: "notifications/initialized" };
  assertEquals(startOf(post(notification, "s1", state)), "HTTP/1.1 202 Accepted");
  const get = (sessionId: string | undefined) =>
    answerTo({ method: "GET", path, sessionId, body: "" }, state);
  assertEquals(get("s1"), { kind: "idle" });
  assertEquals(startOf(get("s2")), "HTTP/1.1 404 Not Found");
  assertEquals(startOf(get(undefined)), "HTTP/1.1 400 Bad Request");
  const put = answerTo({ method: "PUT", path, sessionId: "s1", body: "" }, state);
  assertEquals(startOf(put), "HTTP/1.1 405 Method Not Allowed");
  answerTo({ method: "DELETE", path, sessionId: "s1", body: "" }, state);
  assertEquals(startOf(post(ping, "s1", state)), "HTTP/1.1 404 Not Found");
});

Deno.test("answerTo() echoes the id of a call and takes its time, within bounds", () => {
  const state = newState();
  state.open.add("s");
  const call = (id: unknown, name: string, given: unknown): MockAnswer =>
    post(
      { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: given } },
      "s",
      state,
    );
  const answer = call("a-1", CALL_TOOL, { serviceMs: 5 });
  assert(answer.kind === "whole");
  assertEquals(answer.delayMs, 5);
  const body = answer.message.slice(answer.message.indexOf("\r\n\r\n") + 4);
  assertEquals((JSON.parse(body) as { id: unknown }).id, "a-1");
  assert(body.length > 280 && body.length < 340, `${body.length} bytes`);
  assertStringIncludes(answer.message, `content-length: ${body.length}\r\n`);
  const late = call(1, CALL_TOOL, { serviceMs: 1e9 });
  assertEquals(late.kind === "whole" && late.delayMs, MAX_SERVICE_MS);
  assertEquals(call(2, STREAM_TOOL, { events: 1e9, writeBytes: 9 }), {
    kind: "stream",
    id: 2,
    events: MAX_EVENTS,
    writeBytes: 9,
  });
  assertEquals(call(3, DRIP_TOOL, { eventBytes: 1e12 }), {
    kind: "drip",
    id: 3,
    eventBytes: MAX_DRIPPED_BYTES,
  });
  assertEquals(call(4, ENDLESS_TOOL, {}), { kind: "endless" });
});

Deno.test("answerTo() counts by path what is asked for, and tells it without counting that", () => {
  const state = newState();
  const tools = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  post(tools, "s", state);
  post(tools, "s", state);
  answerTo({ method: "DELETE", path: "/mcp/b", sessionId: "s", body: "" }, state);
  answerTo({ method: "POST", path: "/mcp/b", sessionId: "s", body: "{" }, state);
  const told = (): unknown => {
    const answer = answerTo(
      { method: "GET", path: COUNTS_PATH, sessionId: undefined, body: "" },
      state,
    );
    assert(answer.kind === "whole");
    return JSON.parse(answer.message.slice(answer.message.indexOf("\r\n\r\n")));
  };
  const counts = { "/mcp": { "tools/list": 2 }, "/mcp/b": { "DELETE": 1, "no JSON": 1 } };
  assertEquals(told(), counts);
  assertEquals(told(), counts);
});
