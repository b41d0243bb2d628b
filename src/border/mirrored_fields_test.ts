/**
 * Requests of 2026-07-28 that interceptors change: their header fields say what the changed body says.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Request Metadata": a server must refuse a request whose
 * fields and body differ (400, -32020).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

const MODULE = new URL("../testing/interceptor.ts", import.meta.url).href;
const VERSION = { "mcp-protocol-version": "2026-07-28" };

const using = (url: string, mode: string) =>
  streams.reconnecting(url, { config: { interceptors: [{ module: MODULE, options: { mode } }] } });

/** A tool of which three arguments are mirrored. */
const TOOLS = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  result: {
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private",
    tools: [{
      name: "t",
      inputSchema: {
        type: "object",
        properties: {
          place: { type: "string", "x-mcp-header": "Place" },
          note: { type: "string", "x-mcp-header": "Note" },
          zone: { type: "integer", "x-mcp-header": "Zone" },
        },
      },
    }],
  },
});
const DONE = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}';

/** A server that lists its tool as JSON or in a stream. */
function server(kind: "json" | "sse") {
  return scriptedUpstream(async (request, to) => {
    if (request.field("mcp-method") !== "tools/list") return await to.write(jsonAnswer(DONE));
    if (kind === "json") return await to.write(jsonAnswer(TOOLS));
    const text = streams.event(null, TOOLS);
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    await to.write(`${head}content-length: ${text.length}\r\n\r\n${text}`);
  });
}

async function list(origin: string) {
  const fields = { ...VERSION, "mcp-method": "tools/list" };
  return (await postText(origin, messages.modern("tools/list"), fields)).text;
}

/** Calls the tool with two arguments that are alike; the interceptor changes one and adds a third. */
async function call(origin: string) {
  await postText(
    origin,
    messages.modern("tools/call", { name: "t", arguments: { place: "same", note: "same" } }),
    {
      ...VERSION,
      "mcp-method": "tools/call",
      "mcp-name": "t",
      "mcp-param-place": "same",
      "mcp-param-note": "same",
      "mcp-param-other": "same",
    },
  );
}

const PARAMS = ["place", "note", "zone", "other"].map((name) => `mcp-param-${name}`);

for (const kind of ["json", "sse"] as const) {
  Deno.test(`"Client Behavior": fields follow changed arguments as the tool's schema says, from a list as ${kind}`, async () => {
    await using upstream = server(kind);
    await withProxy(using(upstream.url, "changes arguments"), async ({ origin }) => {
      const listed = await list(origin);
      assertEquals(listed.includes(TOOLS), true);
      await call(origin);
      const sent = upstream.requests.at(-1)!;
      // The last one is none of the tool's: of whom it is cannot be known, so what was taken out is not told.
      const expected = ["same", "=?base64?Z3LDtsOfZXI=?=", "7", null];
      assertEquals(PARAMS.map((name) => sent.field(name) ?? null), expected);
    });
  });
}

Deno.test("arguments of a tool that no list had: a field that could be of several goes", async () => {
  await using upstream = server("json");
  await withProxy(using(upstream.url, "changes arguments"), async ({ origin }) => {
    await call(origin);
    const sent = upstream.requests.at(-1)!;
    assertEquals(PARAMS.map((name) => sent.field(name) ?? null), [null, null, null, null]);
  });
});

Deno.test('"Protocol Version Header": it names the version that an interceptor puts into _meta', async () => {
  await using upstream = server("json");
  await withProxy(using(upstream.url, "speaks another revision"), async ({ origin }) => {
    await list(origin);
    const sent = upstream.requests.at(-1)!;
    assertEquals(sent.field("mcp-protocol-version"), "2099-01-01");
    assertEquals(new TextDecoder().decode(sent.body).includes('"2099-01-01"'), true);
  });
});
