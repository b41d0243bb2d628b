/**
 * R95, R99: what passes of a server's challenges, and what is noted of them. RFC 9728 section 5.1, RFC 6750 section 3.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Fields } from "../http/mod.ts";
import { parseTarget } from "./target.ts";
import {
  MAX_METADATA_PATH_CHARACTERS,
  nameMetadata,
  RESOURCE_METADATA,
  tellChallenges,
} from "./told_challenges.ts";

const TLS = { caCerts: [], cert: undefined, key: undefined };
const { target } = parseTarget("http://mcp.internal:8080/mcp", TLS)!;
const METADATA = "http://mcp.internal:8080/.well-known/oauth-protected-resource/mcp?v=1";

Deno.test("tellChallenges() keeps scheme, scope, error, its description and realm of RFC 6750, and not the address", () => {
  const told = tellChallenges([
    `Bearer realm="tools", error="insufficient_scope", error_description="more, please", ` +
    `scope="files:read files:write", resource_metadata="${METADATA}"`,
  ], target);
  assertEquals(told, {
    values: [
      'Bearer realm="tools", error="insufficient_scope", error_description="more, please", ' +
      `scope="files:read files:write", resource_metadata="${RESOURCE_METADATA}"`,
    ],
    metadata: "/.well-known/oauth-protected-resource/mcp?v=1",
  });
});

Deno.test("R99 tellChallenges() drops parameters that name the server or any address, and what it cannot read", () => {
  const told = tellChallenges([
    'Bearer realm="https://else.example.com/", error="invalid_token", error_description="not for MCP.internal", ' +
    'authorization_uri="http://mcp.internal:8080/auth", scope="https://scopes.example.com/read"',
    `Bearer resource_metadata="${METADATA}`,
    "Negotiate abc==",
  ], target);
  assertEquals(told.values, [
    'Bearer error="invalid_token", scope="https://scopes.example.com/read"',
    "Negotiate abc==",
  ]);
  assertEquals(told.metadata, undefined);
});

Deno.test("R99 tellChallenges() knows the server's name without its final dot, and with it", () => {
  for (const url of ["http://mcp.internal.:8080/mcp", "http://mcp.internal:8080/mcp"]) {
    const { target: dotted } = parseTarget(url, TLS)!;
    const told = tellChallenges([
      'Bearer realm="mcp.internal", error_uri="//MCP.internal./x", a="mcp.internal:8080", b="mcp.internal.:8080", c="d"',
    ], dotted);
    assertEquals(told.values, ['Bearer c="d"']);
  }
  const { target: short } = parseTarget("http://mcp.:8080/mcp", TLS)!;
  const told = tellChallenges(
    ['Bearer a="at mcp:8080", b="at mcp.:8080", c="an mcp server"'],
    short,
  );
  assertEquals(told.values, ['Bearer c="an mcp server"']);
});

for (
  const elsewhere of [
    "http://mcp.internal/.well-known/oauth-protected-resource",
    "https://mcp.internal:8080/.well-known/oauth-protected-resource",
    "http://169.254.169.254/latest/meta-data",
    "http://mcp.internal:8080@evil.example.com/x",
    "http://evil@mcp.internal:8080/x",
    "file:///etc/passwd",
    "/relative",
    `http://mcp.internal:8080/${"x".repeat(MAX_METADATA_PATH_CHARACTERS)}`,
  ]
) {
  Deno.test(`R95 tellChallenges() notes no metadata at ${elsewhere.slice(0, 60)}`, () => {
    const { metadata } = tellChallenges([`Bearer resource_metadata="${elsewhere}"`], target);
    assertEquals(metadata, undefined);
  });
}

Deno.test("nameMetadata() names the metadata in each challenge that had it, and in no other", () => {
  const fields = new Fields(["a", "b"]);
  const { values } = tellChallenges([
    `Basic realm="x", Bearer scope="s", resource_metadata="${METADATA}"`,
    'DPoP algs="ES256"',
  ], target);
  for (const value of values) fields.append("www-authenticate", value);
  nameMetadata(fields, (path) => `https://mcp.example.com${path}/mcp`);
  assertEquals(fields.list, [
    "a",
    "b",
    "www-authenticate",
    'Basic realm="x", Bearer scope="s", ' +
    'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
    "www-authenticate",
    'DPoP algs="ES256"',
  ]);
});

Deno.test("R99 tellChallenges() lets no name of the server through, wherever it stands but in a scope", () => {
  const part = fc.constantFrom(
    "Bearer ",
    "mcp.internal",
    METADATA,
    '"',
    ", ",
    "=",
    'realm="',
    'resource_metadata="',
    "error=",
    "x",
    "\\",
    " ",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
      const { values } = tellChallenges([parts.join("")], target);
      for (const value of values) assert(!/:\/\/|mcp\.internal/.test(value), value);
    }),
    { numRuns: 5_000 },
  );
});
