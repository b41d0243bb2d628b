/**
 * Arguments of tools in header fields, as the handler sees them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as stdioClient from "../testing/stdio_client.ts";

const { MODERN, StdioClient, codes, finish, json, resultFor } = stdioClient;

const REGIONAL = {
  name: "t",
  inputSchema: {
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      deep: {
        properties: {
          level: { type: "integer", "x-mcp-header": "Level" },
          on: { type: "boolean", "x-mcp-header": "On" },
        },
      },
    },
  },
};
/** Its definition is not valid: nothing of it is mirrored. */
const INVALID = {
  name: "other",
  inputSchema: {
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      bad: { type: "string", "x-mcp-header": "a b" },
    },
  },
};

Deno.test("2026-07-28 streamable-http, Custom Headers: arguments are mirrored as the listed tools want it", async () => {
  const client = new StdioClient({
    script: (seen) =>
      resultFor(
        seen,
        seen.message.method === "tools/list" ? { tools: [REGIONAL, INVALID, { name: 7 }] } : {},
      ),
  });
  await client.ask(1, "tools/list", MODERN);
  const args = { region: "é", deep: { level: 3, on: false }, bad: "x" };
  await client.ask(2, "tools/call", { ...MODERN, name: "t", arguments: args });
  await client.ask(3, "tools/call", { ...MODERN, name: "t", arguments: { region: null } });
  await client.ask(4, "tools/call", { ...MODERN, name: "other", arguments: args });
  const mirrored = client.seen.slice(1).map(({ request: { headers } }) => {
    const found: string[] = [];
    headers.forEach((value, name) => name.startsWith("mcp-param-") && found.push(name, value));
    return found.join(" ");
  });
  const region = `mcp-param-region =?base64?${btoa("\xc3\xa9")}?=`;
  assertEquals(mirrored[0]!.split(" mcp-").length, 3);
  for (const one of [region, "mcp-param-level 3", "mcp-param-on false"]) {
    assert(mirrored[0]!.includes(one), mirrored[0]);
  }
  assertEquals(mirrored.slice(1), ["", ""]);
  client.script = (seen) => resultFor(seen, { tools: [{ name: "t" }] });
  await client.ask(5, "tools/list", MODERN);
  await client.ask(6, "tools/call", { ...MODERN, name: "t", arguments: args });
  assert(!client.seen.at(-1)!.request.headers.has("mcp-param-region"));
  await finish(client);
});

Deno.test("2026-07-28 streamable-http, Client Behavior: a call refused with -32020 is sent once more with what tools/list says now", async () => {
  const client = new StdioClient();
  const mismatch = ({ message: { id } }: stdioClient.Seen) =>
    json({ jsonrpc: "2.0", id, error: { code: -32020, message: "no" } }, 400);
  client.script = (seen) => {
    const { message, request: { headers } } = seen;
    if (message.method === "tools/list") {
      const { cursor } = message.params as { cursor?: string };
      if (cursor === undefined) return resultFor(seen, { tools: [], nextCursor: "c" });
      return resultFor(seen, { tools: [REGIONAL] });
    }
    return headers.has("mcp-param-region") ? resultFor(seen) : mismatch(seen);
  };
  const params = { ...MODERN, name: "t", arguments: { region: "eu" } };
  await client.ask(1, "tools/call", params);
  assertEquals(client.sent, [
    "POST tools/call",
    "POST tools/list",
    "POST tools/list",
    "POST tools/call",
  ]);
  assertEquals(codes(client), [[1, undefined]]);
  // What tools/list does not change is the client's to hear.
  client.script = (seen) =>
    seen.message.method === "tools/list" ? resultFor(seen, { tools: [REGIONAL] }) : mismatch(seen);
  await client.ask(2, "tools/call", params);
  assertEquals(client.sent.slice(4), ["POST tools/call", "POST tools/list"]);
  assertEquals(codes(client).at(-1), [2, -32020]);
  // Only calls have such fields.
  await client.ask(3, "prompts/get", { ...MODERN, name: "t" });
  assertEquals(client.sent.slice(6), ["POST prompts/get"]);
  await finish(client);
});
