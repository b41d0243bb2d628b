/**
 * RFC 9728 section 3.3: a token is asked for the server that it goes to, and for no other.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { dialledUrl, type KnownResource, knownResource, readResource } from "./resource.ts";
import { TokenTrouble } from "./trouble.ts";

const ISSUER = "https://auth.example.com/realms/a";
const DIALLED = "https://mcp.example.com/tools/mcp";
const KNOWN: KnownResource = { configured: undefined, dialled: DIALLED, issuer: ISSUER };

function metadata(resource: unknown, more = {}) {
  return { resource, authorization_servers: [ISSUER], ...more };
}

function refused(document: unknown, known = KNOWN, place?: string): string {
  const trouble = assertThrows(() => readResource(document, known, place), TokenTrouble);
  assertEquals(trouble.kind, "refused");
  return trouble.message;
}

/** Paths at the server's own origin that may have metadata. */
const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const PLACES = [`${WELL_KNOWN}/tools/mcp`, `${WELL_KNOWN}/tools/`, WELL_KNOWN, "/tools", undefined];

Deno.test("readResource() takes the URL that is dialled, wherever its metadata are", () => {
  for (const resource of [DIALLED, `${DIALLED}/`, "HTTPS://MCP.example.com/tools/mcp"]) {
    for (const place of PLACES) {
      assertEquals(readResource(metadata(resource), KNOWN, place).resource, resource);
    }
  }
});

Deno.test("RFC 9728 3.3: readResource() takes a resource above the URL that is dialled from the well-known place of that alone", () => {
  const own: readonly [string, string][] = [
    ["https://mcp.example.com/tools", `${WELL_KNOWN}/tools/`],
    ["https://mcp.example.com/tools/", `${WELL_KNOWN}/tools/`],
    ["https://mcp.example.com/", WELL_KNOWN],
    ["https://mcp.example.com", WELL_KNOWN],
  ];
  for (const [resource, ownPlace] of own) {
    for (const place of PLACES) {
      if (place !== ownPlace) refused(metadata(resource), KNOWN, place);
      else assertEquals(readResource(metadata(resource), KNOWN, place).resource, resource);
    }
  }
  for (const place of [`${WELL_KNOWN}?tenant=a`, `${WELL_KNOWN}/tenant-a/own.json`]) {
    refused(metadata("https://mcp.example.com"), KNOWN, place);
  }
});

Deno.test("readResource() refuses the resource of another server: its token would be given away", () => {
  for (
    const resource of [
      "https://other.example.com/tools/mcp",
      "http://mcp.example.com/tools/mcp",
      "https://mcp.example.com:8443/tools/mcp",
      "https://mcp.example.com/tools/mcp/more",
      "https://mcp.example.com/tool",
      "https://mcp.example.com/tools/mcp?tenant=b",
      "https://a:b@mcp.example.com/tools/mcp",
      "https://mcp.example.com/tools/mcp#x",
      "/tools/mcp",
      "",
      3,
      undefined,
    ]
  ) {
    const message = refused(metadata(resource));
    assertEquals(
      message,
      "the server's metadata are of another resource than the URL that is dialled",
    );
  }
  for (const document of [null, [], "text", {}]) refused(document);
});

Deno.test("readResource() takes no other resource than the one that the config names", () => {
  const configured = "https://public.example.com/mcp";
  const known = { ...KNOWN, configured };
  assertEquals(readResource(metadata(configured), known).resource, configured);
  for (const resource of [DIALLED, "https://public.example.com", `${configured}/x`]) {
    assertEquals(
      refused(metadata(resource), known),
      "the server's metadata are of another resource than oauth.resource",
    );
  }
  assertEquals(knownResource(known), { resource: configured, scopes: undefined });
  assertEquals(knownResource(KNOWN), { resource: DIALLED, scopes: undefined });
});

Deno.test("readResource() refuses metadata that name other authorization servers than the client's own", () => {
  const others = ["https://evil.example.com", "https://auth.example.com", `${ISSUER}/b`];
  const message = refused(metadata(DIALLED, { authorization_servers: others }));
  assertEquals(message.includes("other authorization servers than oauth.issuer"), true);
  refused(metadata(DIALLED, { authorization_servers: [] }));
  refused(metadata(DIALLED, { authorization_servers: [3, null] }));
  const behind = [...Array.from({ length: 16 }, () => "https://evil.example.com"), ISSUER];
  refused(metadata(DIALLED, { authorization_servers: behind }));
  // What a library puts behind a host makes no other server of it; and no list says nothing.
  for (const servers of [[...others, ISSUER], [`${ISSUER}/`], undefined]) {
    const document = metadata(DIALLED, { authorization_servers: servers });
    assertEquals(readResource(document, KNOWN).resource, DIALLED);
  }
});

Deno.test("readResource() gives the scopes that metadata list", () => {
  assertEquals(readResource(metadata(DIALLED, { scopes_supported: ["a", "b"] }), KNOWN).scopes, [
    "a",
    "b",
  ]);
  assertEquals(readResource(metadata(DIALLED), KNOWN).scopes, undefined);
});

Deno.test("dialledUrl() is that of the endpoint, without a slash behind a bare host", () => {
  const target = {
    kind: "tcp",
    hostname: "mcp.example.com",
    port: 8080,
    host: "mcp.example.com:8080",
  } as const;
  assertEquals(dialledUrl(target, "/mcp"), "http://mcp.example.com:8080/mcp");
  const tls = { caCerts: [], cert: undefined, key: undefined };
  assertEquals(dialledUrl({ ...target, tls }, "/"), "https://mcp.example.com:8080");
});
