import { assert, assertEquals } from "@std/assert";
import { isSecretField, redactField, secretsOfField, secretSpans } from "./redact.ts";
import { replaceWithin, settleSpans } from "./spans.ts";

function redacted(text: string): string {
  const spans = settleSpans(secretSpans(text), text.length);
  return replaceWithin(text, spans, 0, text.length, () => "#");
}

Deno.test("isSecretField() knows credentials by name, and the fields of MCP as none", () => {
  const secret = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "apikey",
    "x-access-token",
    "x-client-secret",
    "x-auth",
    "ocp-apim-subscription-key",
    "x-password",
  ];
  assertEquals(secret.filter((name) => !isSecretField(name)), []);
  const open = [
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "www-authenticate",
    "accept",
    "content-type",
    "last-event-id",
    "author",
  ];
  assertEquals(open.filter((name) => isSecretField(name)), []);
});

Deno.test("redactField() hides a whole value, and secretsOfField() tells what was in it", () => {
  assertEquals(redactField(["authorization", "Bearer abcdefgh1"]), [
    "authorization",
    "{{redacted}}",
  ]);
  assertEquals(redactField(["accept", "x"]), ["accept", "x"]);
  assertEquals(secretsOfField(["authorization", "Bearer abcdefgh1"]), ["abcdefgh1"]);
  assertEquals(secretsOfField(["cookie", "a=12345678; theme=darkmode"]), ["12345678"]);
  assertEquals(secretsOfField(["set-cookie", "a=12345678; Path=/"]), ["12345678"]);
});

Deno.test("R96 a field that is named to hold secrets is hidden, and its value is looked for", () => {
  const more = new Set(["x-caller"]);
  assertEquals([isSecretField("x-caller"), isSecretField("x-caller", more)], [false, true]);
  assertEquals(redactField(["x-caller", "a1b2c3d4"], more), ["x-caller", "{{redacted}}"]);
  assertEquals(secretsOfField(["x-caller", "a1b2c3d4"], more), ["a1b2c3d4"]);
  assertEquals(secretsOfField(["x-caller", "a1b2c3d4"]), []);
});

Deno.test("R96 secretSpans() hides the proxy's own keys wherever they stand", () => {
  const key = `sy_${"Ab0-_".repeat(8)}xyz`;
  assertEquals(redacted(`the key ${key}, and "${key}"`), 'the key #, and "#"');
  for (const text of [`a${key}`, `${key}a`, key.slice(0, -1)]) assertEquals(redacted(text), text);
});

Deno.test("secretSpans() hides members, parameters and bearer tokens", () => {
  const cases: Record<string, string> = {
    '{"access_token":"a","apiKey":"b","API-KEY":"c","password":"d"}':
      '{"access_token":"#","apiKey":"#","API-KEY":"#","password":"#"}',
    '{"client_secret":"a\\"b","Authorization":"x"}': '{"client_secret":"#","Authorization":"#"}',
    '{"text":"{\\"token\\":\\"inner\\"}"}': '{"text":"{\\"token\\":\\"#\\"}"}',
    '{"token":"cut o': '{"token":"#',
    "grant_type=x&client_secret=a&code=b&refresh_token=c":
      "grant_type=x&client_secret=#&code=#&refresh_token=#",
    "/mcp?api_key=a&x=b&access%5Ftoken=c": "/mcp?api_key=#&x=b&access%5Ftoken=#",
    '"see http://x/?token=abc."': '"see http://x/?token=#"',
    "send Authorization: Bearer abc.def-1": "send Authorization: Bearer #",
    'Bearer realm="x", resource_metadata="http://x/y"':
      'Bearer realm="x", resource_metadata="http://x/y"',
    "eyJhbGciOiJIUzI1NiJ9.e30.abc": "#",
  };
  for (const [text, wanted] of Object.entries(cases)) assertEquals(redacted(text), wanted);
});

Deno.test("secretSpans() leaves what only sounds like a secret", () => {
  for (
    const text of [
      '{"progressToken":"abc","token_type":"Bearer","token_endpoint":"http://x/token"}',
      '{"maxTokens":"100","tokens":12,"tokenizer":"bpe"}',
      '{"properties":{"token":{"type":"string"}},"required":["token"]}',
      "cache-control=1&state=abc",
    ]
  ) assertEquals(redacted(text), text);
});

Deno.test("secrets that overlap leave nothing over", () => {
  const spans = settleSpans([
    { start: 0, end: 5, kind: "redacted" },
    { start: 3, end: 9, kind: "redacted" },
    { start: 4, end: 6, kind: "uuid" },
    { start: 8, end: 12, kind: "uuid" },
  ], 12);
  assertEquals(spans, [{ start: 0, end: 9, kind: "redacted" }]);
});

Deno.test("secretSpans() is done with hostile text in time that grows with it", () => {
  const startedMs = performance.now();
  for (
    const piece of [
      "Bearer ",
      "Bearer+",
      "a=",
      "eyJ",
      "eyJ-",
      "%",
      '"token":"',
      "a".repeat(9),
      "?&",
    ]
  ) {
    redacted(piece.repeat(500_000 / piece.length));
  }
  assert(performance.now() - startedMs < 10_000, `${performance.now() - startedMs} ms`);
});
