import { assertEquals } from "@std/assert";
import { openAnswer, wholeAnswer } from "../testing/upstream_answer.ts";
import { lookInto, mayBeLost } from "./lost_session.ts";

const error = (code: number, message: string) =>
  JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null });

/** What servers say for a session that they do not know: who says it, the kind of body, its text. */
const SAID: readonly (readonly [string, "json" | "other", string])[] = [
  [
    "server-everything 2026.8.31, the v1 SDK's examples, punkpeye/fastmcp",
    "json",
    error(-32000, "Bad Request: No valid session ID provided"),
  ],
  [
    "server-everything 2026.8.31, with the id of the request",
    "json",
    '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":7}',
  ],
  [
    "a transport of the SDKs v1 and v2 that is new",
    "json",
    error(-32000, "Bad Request: Server not initialized"),
  ],
  ["the SDKs v1 and v2", "json", error(-32000, "Bad Request: Mcp-Session-Id header is required")],
  [
    "DAWNCR0W/affine-mcp-server#301",
    "json",
    error(-32000, "Bad Request: No valid session ID or not an initialize request"),
  ],
  [
    "diegosouzapw/OmniRoute#5191",
    "json",
    error(-32000, "Bad Request: Unknown Mcp-Session-Id header"),
  ],
  ["variations", "json", error(-32000, "Session not found")],
  ["variations", "json", error(-32000, "Invalid or missing session ID.")],
  ["modelcontextprotocol/python-sdk#1004", "other", "Bad Request: No valid session ID provided"],
  ["GET of the v1 SDK's examples", "other", "Invalid or missing session ID"],
  ["GET of the v1 SDK's examples", "other", "Missing session ID"],
  ["mark3labs/mcp-go#689", "other", "Invalid session ID\n"],
];

for (const [who, kind, text] of SAID) {
  Deno.test(`R66 lookInto() knows what ${who} says as ${kind}: ${text.slice(0, 99)}`, async () => {
    const { lost, answer } = await lookInto(wholeAnswer({ status: 400, kind }, text));
    assertEquals(lost, true);
    assertEquals(new TextDecoder().decode(answer.body.wholeNow(1_000)), text);
  });
}

/** What is no word about a lost session: the kind of body, its text. */
const OTHER: readonly (readonly ["json" | "other" | "sse", string])[] = [
  ["json", error(-32001, "Session not found")],
  ["json", error(-32600, "Session not found")],
  ["json", error(-32000, "Bad Request: Mcp-Session-Id header must be a single value")],
  ["json", error(-32000, "Bad Request: Unsupported protocol version: 1 (supported versions: 2)")],
  ["json", error(-32000, "Event store not configured")],
  ["json", error(-32000, "Conflict: Only one SSE stream is allowed per session")],
  ["json", error(-32000, "Tool failed: session not found")],
  ["json", error(-32000, "Session not found: tool said so")],
  ["json", error(-32000, "Session not found\nSession not found")],
  ["json", error(-32000, "Unknown tool: session")],
  ["json", error(-32000, "The server has not initialized the cache")],
  ["json", error(-32000, `${" ".repeat(200)}Session not found`)],
  ["json", '{"jsonrpc":"2.0","error":{"code":-32000,"message":7},"id":null}'],
  ["json", '{"jsonrpc":"2.0","error":{"code":"-32000","message":"Session not found"}}'],
  ["json", '{"jsonrpc":"2.0","result":{"error":{"code":-32000,"message":"Session not found"}}}'],
  ["json", '"Session not found"'],
  ["json", "null"],
  ["json", "Session not found"],
  ["json", ""],
  ["other", ""],
  ["other", "<p>Session not found</p>"],
  ["other", error(-32000, "Session not found")],
  ["sse", "Session not found"],
  ["sse", `data: ${error(-32000, "Session not found")}\n\n`],
];

for (const [kind, text] of OTHER) {
  Deno.test(`R64 lookInto() leaves alone ${kind}: ${text.slice(0, 99)}`, async () => {
    const { lost, answer } = await lookInto(wholeAnswer({ status: 400, kind }, text));
    assertEquals(lost, false);
    assertEquals(new TextDecoder().decode(answer.body.wholeNow(1_000)), text);
  });
}

/** A 404 about request 7: what it says, the kind of body, and whether the session is lost. */
const NOT_FOUND: readonly (readonly [string, "json" | "other" | "sse", boolean])[] = [
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found"}}', "json", false],
  ['{"jsonrpc":"2.0","id":7.0,"error":{"code":-32602,"message":"Unknown tool"}}', "json", false],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"Failed"}}', "json", false],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32050,"message":"Half done"}}', "json", false],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":404,"message":"No such thing"}}', "json", false],
  // Servers say these of sessions; -32002 in place of -32001: typescript-sdk#2125.
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"Bad session"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"Session not found"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"Server not init"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Session not found"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-31404,"message":"This session"}}', "json", true],
  // None of these is about the request.
  ['{"jsonrpc":"2.0","id":"7","error":{"code":-32602,"message":"Unknown tool"}}', "json", true],
  ['{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"Unknown tool"}}', "json", true],
  ['{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Not found"}}', "json", true],
  ['{"jsonrpc":"2.0","error":{"code":-32601,"message":"Not found"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":"-32601","message":"Not found"}}', "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":"Not found"}', "json", true],
  ['{"id":7,"status":404}', "json", true],
  ["null", "json", true],
  ["", "json", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Not found"}}', "other", true],
  ['{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Not found"}}', "sse", true],
  ["", "other", true],
];

for (const [text, kind, isLost] of NOT_FOUND) {
  Deno.test(`R64 lookInto() of 404 for request 7, lost ${isLost}, ${kind}: ${text}`, async () => {
    const { lost, answer } = await lookInto(wholeAnswer({ status: 404, kind }, text), "7");
    assertEquals(lost, isLost);
    assertEquals(new TextDecoder().decode(answer.body.wholeNow(1_000)!), text);
  });
}

Deno.test("R64 lookInto() does not take a 404 over 64 KiB for a lost session where a request may have run", async () => {
  const text = error(-32050, "x".repeat(65_536));
  const { lost, answer } = await lookInto(wholeAnswer({ status: 404 }, text), "7");
  assertEquals(lost, false);
  assertEquals(new TextDecoder().decode((await answer.body.next())![0]), text);
});

Deno.test("R66 lookInto() takes any 404 for a lost session, unread, where no request is known", async () => {
  for (const kind of ["json", "sse", "other"] as const) {
    const { answer } = openAnswer({ status: 404, kind });
    assertEquals(await lookInto(answer), { lost: true, answer });
  }
});

Deno.test("R64 lookInto() goes by the status, whatever is said", async () => {
  for (const status of [200, 202, 401, 403, 405, 409, 410, 429, 500, 503]) {
    const { answer } = openAnswer({ status }, error(-32000, "Session not found"));
    assertEquals(await lookInto(answer), { lost: false, answer });
    assertEquals(mayBeLost(answer), false);
  }
  assertEquals([400, 404].map((status) => mayBeLost(wholeAnswer({ status }))), [true, true]);
});

Deno.test("lookInto() passes a body over 64 KiB on as it comes", async () => {
  const text = error(-32000, "Session not found") + " ".repeat(65_536);
  const { lost, answer } = await lookInto(wholeAnswer({ status: 400 }, text));
  assertEquals(lost, false);
  assertEquals(new TextDecoder().decode((await answer.body.next())![0]), text);
});

Deno.test("lookInto() is linear in a long line", async () => {
  for (const text of ["session ".repeat(8_000), "no ".repeat(20_000)]) {
    assertEquals((await lookInto(wholeAnswer({ status: 400, kind: "other" }, text))).lost, false);
  }
});
