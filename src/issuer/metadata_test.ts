import { assertEquals } from "@std/assert";
import { metadataUrls } from "./metadata.ts";

Deno.test("metadataUrls() asks as 2026-07-28 authorization-server-discovery has clients ask", () => {
  const urls = (issuer: string) => metadataUrls(issuer).map(({ href }) => href);
  const host = "https://auth.example.com";
  assertEquals(urls(`${host}/tenant1`), [
    `${host}/.well-known/oauth-authorization-server/tenant1`,
    `${host}/.well-known/openid-configuration/tenant1`,
    `${host}/tenant1/.well-known/openid-configuration`,
  ]);
  for (const issuer of [host, `${host}/`]) {
    assertEquals(urls(issuer), [
      `${host}/.well-known/oauth-authorization-server`,
      `${host}/.well-known/openid-configuration`,
    ]);
  }
});
