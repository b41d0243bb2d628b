import { assert, assertEquals } from "@std/assert";
import {
  ANSWERING,
  ERROR_TABLE,
  errorBody,
  NOTHING_SENT,
  ProxyError,
  stopping,
  toProxyError,
  UNANSWERED,
} from "./errors.ts";

Deno.test("each kind of error has its HTTP status and JSON-RPC code", () => {
  const table = Object.entries(ERROR_TABLE).map(([kind, { status, code }]) => [kind, status, code]);
  assertEquals(table, [
    ["parse_error", 400, -32700],
    ["invalid_request", 400, -32600],
    ["invalid_params", 400, -32602],
    ["header_mismatch", 400, -32020],
    ["missing_capability", 400, -32021],
    ["unsupported_version", 400, -32022],
    ["method_not_found", 404, -32601],
    ["bad_request", 400, -31400],
    ["bad_host", 400, -31400],
    ["unauthorized", 401, -31401],
    ["insufficient_scope", 403, -31403],
    ["forbidden_host", 403, -31403],
    ["forbidden_origin", 403, -31403],
    ["event_not_found", 400, -31400],
    ["route_not_found", 404, -31404],
    ["session_not_found", 404, -31404],
    ["method_not_allowed", 405, -31405],
    ["not_acceptable", 406, -31406],
    ["head_timeout", 408, -31408],
    ["body_timeout", 408, -31408],
    ["input_timeout", 408, -31408],
    ["payload_too_large", 413, -31413],
    ["target_too_long", 414, -31414],
    ["unsupported_media_type", 415, -31415],
    ["head_too_large", 431, -31431],
    ["principal_exhausted", 429, -31429],
    ["rate_limited", 429, -31429],
    ["client_closed", 499, -31499],
    ["internal", 500, -32603],
    ["interceptor_failed", 500, -31500],
    ["message_dropped", 403, -31403],
    ["interceptor_timeout", 504, -31504],
    ["version_not_supported", 505, -31505],
    ["authorization_unavailable", 503, -31503],
    ["server_access_refused", 502, -31502],
    ["server_token_unavailable", 503, -31503],
    ["store_unavailable", 503, -31503],
    ["connections_exhausted", 503, -31503],
    ["sessions_exhausted", 503, -31503],
    ["stopping", 503, -31503],
    ["upstream_saturated", 503, -31503],
    ["upstream_unavailable", 503, -31503],
    ["upstream_unreachable", 502, -31502],
    ["upstream_closed", 502, -31502],
    ["upstream_status", 502, -31502],
    ["upstream_protocol", 502, -31502],
    ["upstream_connect_timeout", 504, -31504],
    ["upstream_timeout", 504, -31504],
  ]);
});

Deno.test("the proxy's own codes lie outside the range that JSON-RPC and MCP reserve", () => {
  const borrowed = [-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022];
  for (const { code } of Object.values(ERROR_TABLE)) {
    assert(borrowed.includes(code) || code > -32000, String(code));
  }
});

Deno.test("only failures that certainly did not reach a server may be retried", () => {
  const safe = Object.entries(ERROR_TABLE).filter(([, { retrySafe }]) => retrySafe)
    .map(([kind]) => kind);
  assertEquals(safe, [
    "head_timeout",
    "body_timeout",
    "principal_exhausted",
    "rate_limited",
    "authorization_unavailable",
    "server_access_refused",
    "server_token_unavailable",
    "store_unavailable",
    "connections_exhausted",
    "sessions_exhausted",
    "upstream_saturated",
    "upstream_unavailable",
    "upstream_unreachable",
    "upstream_connect_timeout",
  ]);
});

Deno.test("R60 stopping() says that a request may be sent again only where nothing of it was sent", () => {
  const told = [NOTHING_SENT, UNANSWERED, ANSWERING].map((progress) => {
    const { kind, retrySafe, headers, message } = stopping(progress);
    return [kind, retrySafe, headers["retry-after"], message.includes("was not sent")];
  });
  assertEquals(told, [
    ["stopping", true, "1", true],
    ["stopping", false, undefined, false],
    ["stopping", false, undefined, false],
  ]);
});

Deno.test("errorBody() copies the id as it was written and leaves an unknown one out", () => {
  const error = new ProxyError("parse_error", 'a "quoted" sentence');
  const expected = '{"jsonrpc":"2.0","error":{"code":-32700,"message":"a \\"quoted\\" sentence"}}';
  assertEquals(errorBody(error), expected);
  assertEquals(errorBody(error.withId("1.0")), expected.replace('"error"', '"id":1.0,"error"'));
  assertEquals(error.withId("1").withId("2").idText, "1");
});

Deno.test("R99 what was thrown unforeseen becomes a sentence without its message", () => {
  const error = toProxyError(new Error("secret"));
  assertEquals([error.kind, error.source, error.retrySafe], ["internal", "proxy", false]);
  assert(!errorBody(error).includes("secret"));
  assertEquals(toProxyError(error), error);
});
