import { assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { parseBody } from "../json/mod.ts";
import * as messages from "../testing/messages.ts";
import { classifyBodyless, classifyPost, type EraHeaders } from "./classify.ts";
import { isModernRevision } from "./revisions.ts";

const NONE: EraHeaders = { protocolVersion: null, method: null, name: null };

function classify(text: string, headers: Partial<EraHeaders> = {}) {
  const body = parseBody(new TextEncoder().encode(text), { maxDepth: 16, maxBatchMessages: 9 });
  return classifyPost(body, { ...NONE, ...headers });
}

Deno.test("a request without metadata is of the session era, whatever old version it names", () => {
  for (const protocolVersion of [null, "2025-03-26", "2025-06-18", "2025-11-25", "nonsense"]) {
    const expected = { era: "session" as const, revision: protocolVersion };
    assertEquals(classify(messages.ping(), { protocolVersion }), expected);
    assertEquals(classify(messages.initialize(), { protocolVersion }), expected);
    assertEquals(classify(messages.initialized, { protocolVersion }), expected);
    assertEquals(classify('{"jsonrpc":"2.0","id":1,"result":{}}', { protocolVersion }), expected);
    assertEquals(classifyBodyless("GET", { ...NONE, protocolVersion }), expected);
  }
});

Deno.test("a request with metadata is modern, also under a version nobody knows", () => {
  for (const revision of ["2026-07-28", "2030-01-01", "1900-01-01", "DRAFT"]) {
    const text = messages.modern("tools/list").replace("2026-07-28", revision);
    const headers = { protocolVersion: revision, method: "tools/list" };
    assertEquals(classify(text, headers), { era: "modern", revision });
  }
});

Deno.test("metadata that names a session revision leaves the request in the session era", () => {
  const text = messages.modern("tools/list").replace("2026-07-28", "2025-11-25");
  const headers = { protocolVersion: "2025-11-25" };
  assertEquals(classify(text, headers), { era: "session", revision: "2025-11-25" });
});

Deno.test("a notification is modern by its metadata or by the version header", () => {
  const modern = { era: "modern" as const, revision: "2026-07-28" };
  assertEquals(classify(messages.initialized, { protocolVersion: "2026-07-28" }), modern);
  const claiming = '{"jsonrpc":"2.0","method":"n","params":{"_meta":' +
    '{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}';
  assertEquals(classify(claiming), modern);
  const error = assertThrows(
    () => classify(claiming, { protocolVersion: "2025-11-25" }),
    ProxyError,
  );
  assertEquals(error.kind, "header_mismatch");
});

Deno.test("a null under the version key is a wrong claim, not none", () => {
  const text = messages.modern("tools/list").replace('"2026-07-28"', "null");
  assertEquals(assertThrows(() => classify(text), ProxyError).kind, "invalid_params");
});

Deno.test("a batch of old messages is of the session era", () => {
  assertEquals(classify(`[${messages.ping()}]`), { era: "session", revision: null });
});

Deno.test("isModernRevision() takes dates from 2026-07-28 on and nothing else", () => {
  const verdicts = ["2026-07-28", "2026-07-29", "2030-01-01", "2026-07-27", "2025-11-25", "x", "9"]
    .map(isModernRevision);
  assertEquals(verdicts, [true, true, true, false, false, false, false]);
});
