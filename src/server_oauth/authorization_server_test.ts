/**
 * RFC 8414 section 2, field by field: what passes of the document of a server that is its own authorization server.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { readAuthorizationServer } from "./authorization_server.ts";

const LEAST = {
  issuer: "https://auth.example.com",
  authorization_endpoint: "https://auth.example.com/authorize",
  token_endpoint: "https://auth.example.com/token",
  response_types_supported: ["code"],
};

Deno.test("readAuthorizationServer() passes what clients read", () => {
  const whole = {
    ...LEAST,
    registration_endpoint: "https://auth.example.com/register",
    revocation_endpoint: "https://auth.example.com/revoke",
    jwks_uri: "https://auth.example.com/keys",
    scopes_supported: ["a"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code"],
    token_endpoint_auth_methods_supported: ["none"],
    token_endpoint_auth_signing_alg_values_supported: ["ES256"],
    revocation_endpoint_auth_methods_supported: ["none"],
    code_challenge_methods_supported: ["S256"],
    client_id_metadata_document_supported: true,
    authorization_response_iss_parameter_supported: true,
  };
  assertEquals(readAuthorizationServer(whole), whole);
  const here = { ...LEAST, token_endpoint: "http://127.0.0.1:8080/token" };
  assertEquals(readAuthorizationServer(here), here);
});

for (
  const [name, value] of Object.entries({
    introspection_endpoint: "https://auth.example.com/introspect",
    signed_metadata: "e30.e30.e30",
    service_documentation: "https://mcp.internal/docs",
    registration_endpoint: "http://mcp.internal/register",
    revocation_endpoint: "javascript:alert(1)",
    jwks_uri: 7,
    scopes_supported: "a",
    grant_types_supported: [1],
    client_id_metadata_document_supported: "yes",
    unheard_of: "x",
  })
) {
  Deno.test(`readAuthorizationServer() drops ${name} with ${JSON.stringify(value)}`, () => {
    assertEquals(readAuthorizationServer({ ...LEAST, [name]: value }), LEAST);
  });
}

for (
  const [name, value] of Object.entries({
    issuer: "http://auth.example.com",
    authorization_endpoint: "http://auth.example.com/authorize",
    token_endpoint: undefined,
    response_types_supported: "code",
  })
) {
  Deno.test(`readAuthorizationServer() gives nothing with ${name} as ${JSON.stringify(value)}`, () => {
    assertEquals(readAuthorizationServer({ ...LEAST, [name]: value }), undefined);
  });
}

Deno.test("readAuthorizationServer() gives nothing for what is no object", () => {
  for (const document of [null, [], "x", 7, {}]) {
    assertEquals(readAuthorizationServer(document), undefined);
  }
});
