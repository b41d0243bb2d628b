/**
 * RFC 6749 sections 4.4 and 5: what is asked of a token endpoint, and what is taken of its answer.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { MAX_TOKEN_CHARACTERS, MIN_LIFETIME_MS, readToken, tokenForm } from "./token_request.ts";
import { TokenTrouble } from "./trouble.ts";

const GOOD = { access_token: "abc.DEF-1_2~3+4/5==", token_type: "Bearer", expires_in: 300 };

function trouble(status: number, document: unknown): [string, string] {
  const { kind, message } = assertThrows(() => readToken({ status, document }), TokenTrouble);
  return [kind, message];
}

Deno.test("tokenForm() asks for the resource (RFC 8707), and for scopes where there are any", () => {
  const proof = { fields: ["authorization", "Basic x"], parameters: { client_id: "a" } };
  const { parameters, fields } = tokenForm("https://mcp.example.com/mcp", ["a", "b"], proof);
  assertEquals(Object.fromEntries(parameters), {
    grant_type: "client_credentials",
    resource: "https://mcp.example.com/mcp",
    client_id: "a",
    scope: "a b",
  });
  assertEquals(fields, proof.fields);
  assertEquals(tokenForm("https://x", [], proof).parameters.has("scope"), false);
});

Deno.test("readToken() takes a bearer token with its life, whatever case its type is in", () => {
  const { access_token: value } = GOOD;
  const life = (expires_in: unknown, token_type = "bearer") =>
    readToken({ status: 200, document: { ...GOOD, token_type, expires_in } }).lifetimeMs;
  assertEquals(readToken({ status: 200, document: GOOD }), { value, lifetimeMs: 300_000 });
  assertEquals([life("300"), life(0.5, "BEARER"), life(undefined), life("soon"), life(null)], [
    300_000,
    MIN_LIFETIME_MS,
    Infinity,
    Infinity,
    Infinity,
  ]);
  // No reason to ask for each request.
  assertEquals([life(0), life(-5)], [MIN_LIFETIME_MS, MIN_LIFETIME_MS]);
});

Deno.test("R16 readToken() takes no token that could not stand in a field, nor one that no server would take", () => {
  const tokens = [
    "",
    "a b",
    "a\r\nx: y",
    "ä",
    3,
    null,
    undefined,
    "x".repeat(MAX_TOKEN_CHARACTERS + 1),
  ];
  for (const access_token of tokens) {
    assertEquals(trouble(200, { ...GOOD, access_token })[0], "unavailable");
  }
  for (const document of [null, undefined, [], "text", 3]) trouble(200, document);
  for (const token_type of ["DPoP", "N_A", undefined]) {
    assertEquals(trouble(200, { ...GOOD, token_type })[0], "refused");
  }
});

Deno.test("readToken() tells what another try may mend from what it may not, and repeats no text of the server (R96)", () => {
  const said = { error: "invalid_client", error_description: "canary is not the secret" };
  assertEquals(trouble(401, said), [
    "refused",
    "its token endpoint answered 401 with invalid_client",
  ]);
  assertEquals(trouble(400, { error: "see https://canary/" }), [
    "refused",
    "its token endpoint answered 400",
  ]);
  assertEquals(trouble(302, undefined), ["unavailable", "its token endpoint answered 302"]);
  for (const status of [408, 429, 500, 503]) assertEquals(trouble(status, said)[0], "unavailable");
});
