import { assertEquals } from "@std/assert";
import { decodeHeaderValue } from "./headers.ts";

Deno.test("decodeHeaderValue() decodes the table of the specification (Value Encoding)", () => {
  const table: readonly [string, string | undefined][] = [
    ["us-west1", "us-west1"],
    ["=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"],
    ["=?base64?IHBhZGRlZCA=?=", " padded "],
    ["=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"],
    ["=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="],
    ["=?base64??=", ""],
    ["=?BASE64?YQ==?=", "=?BASE64?YQ==?="],
    ["=?base64?YQ==", "=?base64?YQ=="],
    ["=?base64?=", "=?base64?="],
    ["=?base64?YQ?=", undefined],
    ["=?base64?Y Q=?=", undefined],
    ["=?base64?gA==?=", undefined],
    // "A header value contains invalid characters" (Server Validation).
    ["caf\xe9", undefined],
    ["a\x7f", undefined],
    ["a\tb c", "a\tb c"],
  ];
  for (const [value, decoded] of table) assertEquals(decodeHeaderValue(value), decoded, value);
});
