/**
 * R33: the request metadata of 2026-07-28 against the body, over a real socket.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Server Validation" and "Value Encoding".
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

/** The scripted server is not asked what it speaks. */
const MODERN = { era: "modern" };

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}';

const CALL = messages.modern("tools/call", { name: "get weather", arguments: {} });
const READ = messages.modern("resources/read", { uri: "file:///ü" });
const LIST = messages.modern("tools/list");
const NO_NAME = messages.modern("prompts/get");
const base64 = (text: string) =>
  `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`;

type Fields = Readonly<Record<string, string | null>>;
const version = { "mcp-protocol-version": "2026-07-28" };
const call = { ...version, "mcp-method": "tools/call", "mcp-name": "get weather" };

/** What, body, fields, status, JSON-RPC code (0: passes). */
const CASES: readonly [string, string, Fields, number, number][] = [
  ["all headers right", CALL, call, 200, 0],
  ["a name in base64", CALL, { ...call, "mcp-name": base64("get weather") }, 200, 0],
  [
    "a URI in base64",
    READ,
    { ...version, "mcp-method": "resources/read", "mcp-name": base64("file:///ü") },
    200,
    0,
  ],
  ["a method that needs no name", LIST, { ...version, "mcp-method": "tools/list" }, 200, 0],
  ["an unknown Mcp-Param header", CALL, { ...call, "mcp-param-region": "us" }, 200, 0],
  ["a session id, which is ignored", CALL, { ...call, "mcp-session-id": "whatever" }, 200, 0],
  [
    "no name in the body nor the head",
    NO_NAME,
    { ...version, "mcp-method": "prompts/get" },
    200,
    0,
  ],
  ["no MCP-Protocol-Version", CALL, { ...call, "mcp-protocol-version": null }, 400, -32020],
  [
    "another MCP-Protocol-Version",
    CALL,
    { ...call, "mcp-protocol-version": "2025-11-25" },
    400,
    -32020,
  ],
  ["no Mcp-Method", CALL, { ...call, "mcp-method": null }, 400, -32020],
  ["another Mcp-Method", CALL, { ...call, "mcp-method": "tools/list" }, 400, -32020],
  ["Mcp-Method in another case", CALL, { ...call, "mcp-method": "Tools/Call" }, 400, -32020],
  ["no Mcp-Name", CALL, { ...call, "mcp-name": null }, 400, -32020],
  ["another Mcp-Name", CALL, { ...call, "mcp-name": "get time" }, 400, -32020],
  ["another name in base64", CALL, { ...call, "mcp-name": base64("get time") }, 400, -32020],
  ["a name in broken base64", CALL, { ...call, "mcp-name": "=?base64?%%?=" }, 400, -32020],
  ["a name in base64 of no UTF-8", CALL, { ...call, "mcp-name": "=?base64?/w==?=" }, 400, -32020],
  [
    "a name in the head alone",
    NO_NAME,
    { ...version, "mcp-method": "prompts/get", "mcp-name": "x" },
    400,
    -32020,
  ],
  [
    "a modern version over a body without metadata",
    messages.ping(),
    { ...version, "mcp-method": "ping" },
    400,
    -32602,
  ],
  ["a modern version over initialize", messages.initialize(), version, 400, -32020],
  ["a modern version over a response", RESULT, version, 400, -32600],
  ["a modern request in a batch", `[${CALL}]`, {}, 400, -32600],
  [
    "a version that is no string",
    LIST.replace('"2026-07-28"', "5"),
    { ...version, "mcp-method": "tools/list" },
    400,
    -32602,
  ],
  [
    "a later revision with right headers",
    LIST.replace("2026-07-28", "2027-01-01"),
    { "mcp-protocol-version": "2027-01-01", "mcp-method": "tools/list" },
    200,
    0,
  ],
];

for (const [name, body, fields, status, code] of CASES) {
  Deno.test(`R33 ${name}: ${status} ${code || ""}`, async () => {
    await using upstream = scriptedUpstream((_, to) =>
      to.write(jsonAnswer(RESULT, { "mcp-session-id": "leak" }))
    );
    await withProxy({ upstream: upstream.url, upstreamConfig: MODERN }, async (proxy) => {
      const response = await postText(proxy.origin, body, fields);
      assertEquals(response.status, status);
      assertEquals(upstream.requests.length, code === 0 ? 1 : 0);
      assertEquals(response.headers.get("mcp-session-id"), undefined);
      if (code !== 0) assertEquals(JSON.parse(response.text).error.code, code);
      else assertEquals(upstream.requests[0]!.field("mcp-session-id"), undefined);
    });
  });
}

Deno.test("R33 the metadata headers go upstream as they came", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url, upstreamConfig: MODERN }, async (proxy) => {
    const sent = { ...call, "mcp-name": base64("get weather"), "mcp-param-city": base64("Köln") };
    await postText(proxy.origin, CALL, sent);
    for (const [name, value] of Object.entries(sent)) {
      assertEquals(upstream.requests[0]!.field(name), value);
    }
  });
});

for (const method of ["GET", "DELETE"]) {
  Deno.test(`${method} under a modern version is answered with 405 (streamable-http)`, async () => {
    await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
    await withProxy({ upstream: upstream.url, upstreamConfig: MODERN }, async (proxy) => {
      const response = await exchange(
        proxy.origin,
        `${method} /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n` +
          "mcp-protocol-version: 2026-07-28\r\n\r\n",
      );
      assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
      assertEquals(upstream.requests.length, 0);
    });
  });
}

Deno.test("a modern notification is answered with 202, a false Mcp-Method is not", async () => {
  await using upstream = scriptedUpstream((_, to) =>
    to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
  );
  await withProxy({ upstream: upstream.url, upstreamConfig: MODERN }, async (proxy) => {
    const body = '{"jsonrpc":"2.0","method":"notifications/custom"}';
    assertEquals((await postText(proxy.origin, body, version)).status, 202);
    const wrong = { ...version, "mcp-method": "other" };
    assertEquals((await postText(proxy.origin, body, wrong)).status, 400);
    assertEquals(upstream.requests.length, 1);
  });
});
