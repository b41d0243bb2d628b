import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CALL_TOOL,
  callTemplate,
  endpointOf,
  EventCounter,
  LAST_REQUEST_ID,
  modernCallTemplate,
  postBytes,
  setRequestId,
} from "./mcp_messages.ts";

const endpoint = { hostname: "127.0.0.1", port: 8080, path: "/mcp" };
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("endpointOf() takes a URL apart", () => {
  assertEquals(endpointOf(new URL("http://127.0.0.1:8080/mcp")), endpoint);
  assertEquals(endpointOf(new URL("http://[::1]/a?b")), {
    hostname: "::1",
    port: 80,
    path: "/a?b",
  });
});

Deno.test("postBytes() states the length of its body in bytes", () => {
  const text = decode(postBytes(endpoint, '"ä"', undefined));
  assertStringIncludes(text, "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n");
  assertStringIncludes(text, 'content-length: 4\r\n\r\n"ä"');
  assert(!text.includes("mcp-session-id"));
});

Deno.test("setRequestId() changes the id and nothing else", () => {
  const template = callTemplate(endpoint, "s1", CALL_TOOL, { serviceMs: 5 });
  const before = decode(template.bytes);
  setRequestId(template, 1_234_567);
  assertEquals(decode(template.bytes), before.replace('"id":1000000', '"id":1234567'));
  setRequestId(template, LAST_REQUEST_ID);
  assertStringIncludes(decode(template.bytes), '"id":9999999,');
  assertThrows(() => setRequestId(template, LAST_REQUEST_ID + 1), RangeError);
});

Deno.test("EventCounter counts events with data wherever the pieces are cut", () => {
  const stream = new TextEncoder().encode(
    ": hello\n\nid: 1\ndata: \n\ndata: {}1\n\nid: 2\r\ndata: {}2\r\n\r\nevent: message\ndata:{}34\n\n",
  );
  for (let pieceBytes = 1; pieceBytes <= stream.length; pieceBytes++) {
    const counter = new EventCounter();
    for (let at = 0; at < stream.length; at += pieceBytes) {
      counter.push(stream.subarray(at, at + pieceBytes));
    }
    assertEquals(counter.events, 3);
  }
});

Deno.test("modernCallTemplate() says all of itself, in fields as in the body (2026-07-28 transports)", () => {
  const template = modernCallTemplate(endpoint, "k-1", CALL_TOOL, { serviceMs: 5 });
  setRequestId(template, 1_234_567);
  const [head = "", body = ""] = decode(template.bytes).split("\r\n\r\n");
  const { id, params } = JSON.parse(body) as { id: number; params: Record<string, unknown> };
  assertEquals(id, 1_234_567);
  assertEquals(params, {
    name: CALL_TOOL,
    arguments: { serviceMs: 5 },
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "switchyard-bench", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  });
  const fields = head.split("\r\n");
  for (
    const field of [
      "mcp-protocol-version: 2026-07-28",
      "mcp-method: tools/call",
      `mcp-name: ${CALL_TOOL}`,
      "authorization: Bearer k-1",
      `content-length: ${body.length}`,
    ]
  ) assert(fields.includes(field), field);
  assert(!head.includes("mcp-session-id"));
  const anybody = modernCallTemplate(endpoint, undefined, CALL_TOOL, {});
  assert(!decode(anybody.bytes).includes("authorization"));
});
