/**
 * RFC 9728 sections 3.1 and 5.1, RFC 8414 section 3: the addresses of metadata.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { findMetadata, metadataAddress, type MetadataRoute } from "./resource_metadata.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const PUBLIC = "https://mcp.example.com";
const AS_OF_OLD = "/.well-known/oauth-authorization-server";
const metadata = {
  metadata: () => Promise.resolve({ authorization_servers: [] }),
  authorizationServer: () => Promise.resolve({ issuer: "https://auth.example.com" }),
};
const route = (name: string): MetadataRoute => ({ name, metadata });

async function resourceAt(
  path: string,
  routes: Readonly<Record<string, MetadataRoute>>,
  publicUrl = PUBLIC,
): Promise<string | undefined> {
  const found = findMetadata(path, publicUrl, new Map(Object.entries(routes)));
  if (found === undefined) return undefined;
  const { body } = await found.answer();
  return JSON.parse(new TextDecoder().decode(body as Uint8Array)).resource;
}

Deno.test("findMetadata() goes by the path behind the well-known one, exactly (R13)", async () => {
  const routes = { "/a/mcp": route("a"), "/a/mcp/sse": route("a"), "/b/mcp": { name: "b" } };
  assertEquals(await resourceAt(`${WELL_KNOWN}/a/mcp`, routes), `${PUBLIC}/a/mcp`);
  assertEquals(await resourceAt(`${WELL_KNOWN}/a/mcp/sse`, routes), `${PUBLIC}/a/mcp/sse`);
  for (const other of ["/b/mcp", "/a/mcp/", "/a", "/A/mcp", "/a/../a/mcp", "x/a/mcp", "//a/mcp"]) {
    assertEquals(await resourceAt(WELL_KNOWN + other, routes), undefined, other);
  }
  assertEquals(await resourceAt("/a/mcp", routes), undefined);
});

Deno.test("findMetadata() gives the one route with metadata also without its path, and none of several", async () => {
  const one = { "/a/mcp": route("a"), "/a/sse": route("a"), "/b/mcp": { name: "b" } };
  assertEquals(await resourceAt(WELL_KNOWN, one), `${PUBLIC}/a/mcp`);
  assertEquals(await resourceAt(WELL_KNOWN, { ...one, "/c/mcp": route("c") }), undefined);
  assertEquals(await resourceAt(WELL_KNOWN, {}), undefined);
});

Deno.test("findMetadata() knows the path of publicUrl, with and without it", async () => {
  const routes = { "/mcp": route("a") };
  const publicUrl = `${PUBLIC}/tools`;
  for (const path of ["/tools/mcp", "/mcp", "/tools", ""]) {
    const found = await resourceAt(WELL_KNOWN + path, routes, publicUrl);
    assertEquals(found, `${PUBLIC}/tools/mcp`);
  }
  assertEquals(await resourceAt(`${WELL_KNOWN}/toolsmcp`, routes, publicUrl), undefined);
  const clash = { "/tools/mcp": route("tools") };
  const found = await resourceAt(`${WELL_KNOWN}/tools/mcp`, clash, publicUrl);
  assertEquals(found, `${PUBLIC}/tools/tools/mcp`);
});

Deno.test("findMetadata() says 404 where the server has none", async () => {
  const nothing = () => Promise.resolve(undefined);
  const none = { name: "a", metadata: { metadata: nothing, authorizationServer: nothing } };
  for (const place of [`${WELL_KNOWN}/mcp`, AS_OF_OLD]) {
    const found = findMetadata(place, PUBLIC, new Map([["/mcp", none]]))!;
    const error = await assertRejects(() => found.answer(), ProxyError);
    assertEquals([error.kind, error.status], ["route_not_found", 404]);
  }
});

Deno.test("findMetadata() gives the authorization server of the one route that has metadata, by origin or path", async () => {
  const documentAt = async (path: string, routes: Readonly<Record<string, MetadataRoute>>) => {
    const answer = await findMetadata(path, PUBLIC, new Map(Object.entries(routes)))?.answer();
    return answer && new TextDecoder().decode(answer.body as Uint8Array);
  };
  const document = '{"issuer":"https://auth.example.com"}';
  const one = { "/a": route("a"), "/b": { name: "b" } };
  assertEquals(await documentAt(AS_OF_OLD, one), document);
  assertEquals(await documentAt(`${AS_OF_OLD}/a`, one), document);
  assertEquals(await documentAt(`${AS_OF_OLD}/b`, one), undefined);
  const two = { ...one, "/c": route("c") };
  assertEquals(await documentAt(AS_OF_OLD, two), undefined);
  assertEquals(await documentAt(`${AS_OF_OLD}/c`, two), document);
});

Deno.test("metadataAddress() puts the well-known path between host and path", () => {
  assertEquals(metadataAddress("/mcp", "http://h:1"), `http://h:1${WELL_KNOWN}/mcp`);
  assertEquals(metadataAddress("/mcp", `${PUBLIC}/tools`), `${PUBLIC}${WELL_KNOWN}/tools/mcp`);
});

Deno.test("metadataAddress() and findMetadata() take any host that the door lets through", async () => {
  // With "*" in allowedHosts; no URL can be made of it.
  const odd = "http://1.2.3.999:99999";
  assertEquals(metadataAddress("/mcp", odd), `${odd}${WELL_KNOWN}/mcp`);
  assertEquals(await resourceAt(`${WELL_KNOWN}/mcp`, { "/mcp": route("a") }, odd), `${odd}/mcp`);
});
