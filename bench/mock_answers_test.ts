import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CALL_TOOL, DRIP_TOOL, ENDLESS_TOOL, initializeBody, STREAM_TOOL } from "./mcp_messages.ts";
import {
  answerTo,
  MAX_DRIPPED_BYTES,
  MAX_EVENTS,
  MAX_SERVICE_MS,
  type MockAnswer,
  type Sessions,
} from "./mock_answers.ts";

function newSessions(): Sessions {
  let count = 0;
  return { open: new Set(), nextId: () => `s${++count}` };
}

function post(message: unknown, sessionId: string | undefined, sessions: Sessions): MockAnswer {
  return answerTo({ method: "POST", sessionId, body: JSON.stringify(message) }, sessions);
}

function startOf(answer: MockAnswer): string {
  return answer.kind === "whole" ? answer.message.split("\r\n")[0] ?? "" : "stream";
}

Deno.test("answerTo() opens a session and answers only inside it", () => {
  const sessions = newSessions();
  const opened = answerTo(
    { method: "POST", sessionId: undefined, body: initializeBody(1) },
    sessions,
  );
  assert(opened.kind === "whole");
  assertStringIncludes(opened.message, "mcp-session-id: s1\r\n");
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  assertEquals(startOf(post(ping, "s1", sessions)), "HTTP/1.1 200 OK");
  assertEquals(startOf(post(ping, "s2", sessions)), "HTTP/1.1 404 Not Found");
  assertEquals(startOf(post(ping, undefined, sessions)), "HTTP/1.1 400 Bad Request");
  const notification = { jsonrpc: "2.0", method: "notifications/initialized" };
  assertEquals(startOf(post(notification, "s1", sessions)), "HTTP/1.1 202 Accepted");
  const get = (sessionId: string | undefined) =>
    answerTo({ method: "GET", sessionId, body: "" }, sessions);
  assertEquals(get("s1"), { kind: "idle" });
  assertEquals(startOf(get("s2")), "HTTP/1.1 404 Not Found");
  assertEquals(startOf(get(undefined)), "HTTP/1.1 400 Bad Request");
  const put = answerTo({ method: "PUT", sessionId: "s1", body: "" }, sessions);
  assertEquals(startOf(put), "HTTP/1.1 405 Method Not Allowed");
  answerTo({ method: "DELETE", sessionId: "s1", body: "" }, sessions);
  assertEquals(startOf(post(ping, "s1", sessions)), "HTTP/1.1 404 Not Found");
});

Deno.test("answerTo() echoes the id of a call and takes its time, within bounds", () => {
  const sessions = newSessions();
  sessions.open.add("s");
  const call = (id: unknown, name: string, given: unknown): MockAnswer =>
    post(
      { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: given } },
      "s",
      sessions,
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
