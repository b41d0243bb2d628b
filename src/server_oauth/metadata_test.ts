/**
 * RFC 9728 section 2, field by field: what passes, in which bounds, and that nothing names the server (R99).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  MAX_AUTHORIZATION_SERVERS,
  MAX_MEMBERS,
  MAX_TEXT_CHARACTERS,
  metadataOfIssuer,
  metadataText,
  readMetadata,
} from "./metadata.ts";

const HOST = "mcp.internal";
const auth = { authorization_servers: ["https://auth.example.com/tenant"] };
const read = (more: Record<string, unknown>) => readMetadata({ ...auth, ...more }, HOST);

Deno.test("readMetadata() passes what is about tokens and for people", () => {
  const whole = {
    ...auth,
    scopes_supported: ["a", "b"],
    bearer_methods_supported: ["header"],
    authorization_details_types_supported: ["x"],
    dpop_signing_alg_values_supported: ["ES256"],
    dpop_bound_access_tokens_required: false,
    resource_name: "Files",
    "resource_name#de": "Dateien",
    resource_documentation: "https://docs.example.com/",
    resource_policy_uri: "https://docs.example.com/policy",
    "resource_tos_uri#fr-CA": "https://docs.example.com/tos",
  };
  assertEquals(readMetadata(whole, HOST), whole);
});

for (
  const [name, value] of Object.entries({
    resource: "https://mcp.internal/mcp",
    jwks_uri: "https://keys.example.com/",
    signed_metadata: "e30.e30.e30",
    resource_signing_alg_values_supported: ["RS256"],
    tls_client_certificate_bound_access_tokens: true,
    resource_name: "Files of mcp.internal",
    "resource_name#de": "http://else.example.com",
    "resource_name#en": "Files of MCP.Internal.",
    resource_documentation: "https://mcp.internal:8443/docs",
    "resource_documentation#en": "https://MCP.internal./docs",
    resource_policy_uri: "javascript:alert(1)",
    resource_tos_uri: 7,
    "resource_tos_uri#": "https://docs.example.com/",
    unheard_of: "x",
  })
) {
  Deno.test(`R99 readMetadata() drops ${name} with ${JSON.stringify(value)}`, () => {
    assertEquals(read({ [name]: value }), auth);
  });
}

Deno.test("R99 readMetadata() knows the server's name without its final dot, and in any case", () => {
  for (const hostname of ["mcp.internal.", "MCP.Internal"]) {
    const names = {
      resource_name: "Files of mcp.internal",
      resource_documentation: "https://mcp.internal/docs",
      resource_policy_uri: "https://mcp.internal./docs",
    };
    assertEquals(readMetadata({ ...auth, ...names }, hostname), auth);
  }
});

for (
  const [what, document] of Object.entries<unknown>({
    "no object": [],
    "no authorization server": { resource: "https://mcp.internal/mcp" },
    "an empty list of them": { authorization_servers: [] },
    "too many of them": {
      authorization_servers: Array(MAX_AUTHORIZATION_SERVERS + 1).fill("https://a.example.com"),
    },
    "one without TLS": { authorization_servers: ["http://auth.example.com"] },
    "one with a query": { authorization_servers: ["https://auth.example.com/?a"] },
    "one with a user": { authorization_servers: ["https://a@auth.example.com/"] },
    "one that is a script": { authorization_servers: ["javascript:alert(1)"] },
    "too long a text": {
      authorization_servers: [`https://a.example.com/${"x".repeat(MAX_TEXT_CHARACTERS)}`],
    },
    "too many scopes": { ...auth, scopes_supported: Array(MAX_MEMBERS + 1).fill("s") },
    "scopes that are no list": { ...auth, scopes_supported: "s" },
  })
) {
  Deno.test(`readMetadata() takes no document with ${what}`, () => {
    assertEquals(readMetadata(document, HOST), undefined);
  });
}

Deno.test("readMetadata() takes lists at their bounds, and authorization servers on loopback", () => {
  const authorization_servers = Array(MAX_AUTHORIZATION_SERVERS).fill("http://localhost:9000");
  const whole = { authorization_servers, scopes_supported: Array(MAX_MEMBERS).fill("s") };
  assertEquals(readMetadata(whole, HOST), whole);
});

Deno.test("metadataOfIssuer() takes the issuer of RFC 8414 section 2", () => {
  assertEquals(metadataOfIssuer({ issuer: "https://auth.example.com" }), {
    authorization_servers: ["https://auth.example.com"],
  });
  assertEquals(metadataOfIssuer({ issuer: "http://auth.example.com" }), undefined);
  assertEquals(metadataOfIssuer(null), undefined);
});

Deno.test("metadataText() puts the resource of the proxy ahead", () => {
  assertEquals(JSON.parse(metadataText(auth, "https://mcp.example.com/mcp")), {
    resource: "https://mcp.example.com/mcp",
    ...auth,
  });
});
