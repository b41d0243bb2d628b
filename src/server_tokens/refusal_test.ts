/**
 * RFC 6750 section 3, RFC 9728 section 5.1: what a server says of a token.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { codeIn, listedScopes, MAX_CHALLENGED_SCOPES, refusalIn } from "./refusal.ts";

const METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource";

function challenged(...values: string[]): Fields {
  return new Fields(values.flatMap((value) => ["www-authenticate", value]));
}

Deno.test("refusalIn() takes each 401 for one, and a 403 where the scopes of the token are not enough", () => {
  const scope = 'Bearer error="insufficient_scope", scope="files:read files:write"';
  const wanted = {
    metadata: undefined,
    scopes: ["files:read", "files:write"],
    error: "insufficient_scope",
  };
  assertEquals(refusalIn(403, challenged(scope)), { kind: "scope", wanted });
  assertEquals(refusalIn(401, challenged(scope)), { kind: "token", wanted });
  assertEquals(refusalIn(401, challenged()), { kind: "token", wanted: undefined });
  for (
    const other of ['Bearer error="invalid_token"', "Bearer", 'Basic realm="insufficient_scope"']
  ) {
    assertEquals(refusalIn(403, challenged(other)), undefined);
  }
  for (const status of [200, 400, 404, 500]) {
    assertEquals(refusalIn(status, challenged(scope)), undefined);
  }
});

Deno.test("refusalIn() reads the first challenge for a bearer token, in whatever case and field it comes", () => {
  const fields = challenged(
    'Basic realm="x", DPoP algs="ES256"',
    `bearer resource_metadata="${METADATA}", scope="a"`,
    'Bearer scope="b"',
  );
  const wanted = { metadata: METADATA, scopes: ["a"], error: undefined };
  assertEquals(refusalIn(401, fields), { kind: "token", wanted });
});

Deno.test("refusalIn() takes no scope that is none, no more than 32 of them, and no code that may hold anything", () => {
  const many = Array.from({ length: 40 }, (_, at) => `s${at}`);
  const { wanted } = refusalIn(401, challenged(`Bearer scope="${many.join(" ")}"`))!;
  assertEquals(wanted!.scopes, many.slice(0, MAX_CHALLENGED_SCOPES));
  const odd = 'Bearer scope="  a\\\\b \\"c\\"  ", error="see https://mcp.example.com"';
  assertEquals(refusalIn(401, challenged(odd))!.wanted, {
    metadata: undefined,
    scopes: undefined,
    error: undefined,
  });
  assertEquals([codeIn("invalid_scope"), codeIn("a b"), codeIn(3), codeIn("x".repeat(65))], [
    "invalid_scope",
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(listedScopes(["a", 3, "b c", "d"]), ["a", "d"]);
  assertEquals([listedScopes([]), listedScopes("a"), listedScopes(undefined)], [
    undefined,
    undefined,
    undefined,
  ]);
});
