import { assert, assertEquals } from "@std/assert";
import { CALL_TOOL, initializeBody, META } from "./mcp_messages.ts";
import { answerTo, type MockState } from "./mock_answers.ts";
import { RequestCounts } from "./mock_counts.ts";
import { MODERN_PATH } from "./mock_modern.ts";

interface Told {
  readonly status: string;
  readonly message: Record<string, unknown> | undefined;
  readonly delayMs: number;
}

function ask(method: string, body: string): Told {
  const state: MockState = { open: new Set(), nextId: () => "s", counts: new RequestCounts() };
  const path = `${MODERN_PATH}/x`;
  const answer = answerTo({ method, path, sessionId: undefined, body }, state);
  assert(answer.kind === "whole");
  const [head = "", text = ""] = answer.message.split("\r\n\r\n");
  assert(!head.includes("mcp-session-id"));
  const message = text === "" ? undefined : JSON.parse(text) as Record<string, unknown>;
  return { status: head.slice(9, 12), message, delayMs: answer.delayMs };
}

function request(method: string, params: unknown = {}, version = "2026-07-28"): Told {
  const _meta = { [META.protocolVersion]: version, [META.clientCapabilities]: {} };
  const given = { ...params as Record<string, unknown>, _meta };
  return ask("POST", JSON.stringify({ jsonrpc: "2.0", id: "a", method, params: given }));
}

function codeOf({ message }: Told): unknown {
  return (message?.["error"] as { code: unknown } | undefined)?.code;
}

Deno.test("the modern mock refuses initialize and other revisions, and names its own (-32022)", () => {
  const refused = ask("POST", initializeBody(1));
  assertEquals(refused.status, "400");
  assertEquals(refused.message?.["error"], {
    code: -32022,
    message: "Unsupported protocol version",
    data: { supported: ["2026-07-28"], requested: "2025-11-25" },
  });
  assertEquals(codeOf(request("tools/list", {}, "2025-11-25")), -32022);
});

Deno.test("the modern mock has no stream and no session to end", () => {
  assertEquals(ask("GET", "").status, "405");
  assertEquals(ask("DELETE", "").status, "405");
});

Deno.test("the modern mock discovers, lists and calls with complete results", () => {
  const serverInfo = { name: "switchyard-bench-mock", version: "1" };
  const common = { resultType: "complete", _meta: { [META.serverInfo]: serverInfo } };
  const cached = { ttlMs: 3_600_000, cacheScope: "public" };
  assertEquals(request("server/discover"), {
    status: "200",
    delayMs: 0,
    message: {
      jsonrpc: "2.0",
      id: "a",
      result: {
        ...common,
        ...cached,
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
      },
    },
  });
  const tools = [{ name: CALL_TOOL, inputSchema: { type: "object" } }];
  assertEquals(request("tools/list").message?.["result"], { ...common, ...cached, tools });
  const called = request("tools/call", { name: CALL_TOOL, arguments: { serviceMs: 5 } });
  assertEquals(called.delayMs, 5);
  const { resultType, isError } = called.message?.["result"] as Record<string, unknown>;
  assertEquals([resultType, isError], ["complete", false]);
});

Deno.test("the modern mock tells unknown tools and methods, the latter with 404", () => {
  const tool = request("tools/call", { name: "other" });
  assertEquals([tool.status, codeOf(tool)], ["200", -32602]);
  const method = request("ping");
  assertEquals([method.status, codeOf(method)], ["404", -32601]);
});
