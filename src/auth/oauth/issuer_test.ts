import { assertEquals, assertRejects } from "@std/assert";
import { DocumentError, metadataUrls } from "../../issuer/mod.ts";
import { findJwksUri } from "./issuer.ts";

/** Asks a server that has these documents, and 404 for the others; what it was asked for too. */
async function find(issuer: string, documents: Record<string, unknown>) {
  const asked: string[] = [];
  const uri = await findJwksUri(issuer, ({ href, pathname }) => {
    asked.push(pathname);
    const found = documents[href];
    if (found instanceof Error) return Promise.reject(found);
    if (found !== undefined) return Promise.resolve(found);
    return Promise.reject(new DocumentError("it answered 404", { status: 404 }));
  });
  return [uri.href, asked.length];
}

Deno.test("findJwksUri() goes on where there is no document, and takes the first that there is", async () => {
  const issuer = "https://auth.example.com/realms/a";
  const good = { issuer, jwks_uri: "https://keys.example.com/jwks" };
  const [first, second, third] = metadataUrls(issuer).map(({ href }) => href);
  assertEquals(await find(issuer, { [first!]: good }), [good.jwks_uri, 1]);
  assertEquals(await find(issuer, { [second!]: good }), [good.jwks_uri, 2]);
  assertEquals(await find(issuer, { [third!]: good }), [good.jwks_uri, 3]);
  await assertRejects(() => find(issuer, {}), DocumentError, "404");
});

Deno.test("findJwksUri() refuses metadata of another issuer, and keys that are not https (RFC 8414 section 3.3)", async () => {
  const issuer = "https://auth.example.com";
  const at = metadataUrls(issuer)[0]!.href;
  const jwks_uri = "https://auth.example.com/jwks";
  for (
    const [document, reason] of [
      [{ issuer: `${issuer}/`, jwks_uri }, "another issuer"],
      [{ issuer: "https://evil.example.com", jwks_uri }, "another issuer"],
      [{ jwks_uri }, "another issuer"],
      [null, "another issuer"],
      [[], "another issuer"],
      // The last of what was there is told, and not that the next place has nothing.
      [{ issuer }, "no jwks_uri"],
      [{ issuer, jwks_uri: 3 }, "no jwks_uri"],
      [{ issuer, jwks_uri: "/jwks" }, "no jwks_uri"],
      [{ issuer, jwks_uri: `${jwks_uri}/${"x".repeat(2_048)}` }, "no jwks_uri"],
      [{ issuer, jwks_uri: "http://auth.example.com/jwks" }, "not https"],
      [{ issuer, jwks_uri: "file:///etc/passwd" }, "not https"],
      [{ issuer, jwks_uri: "https://user:pass@auth.example.com/jwks" }, "not https"],
      [new DocumentError("it answered 500", { status: 500 }), "it answered 500"],
      [new DocumentError("it took longer than 5 seconds"), "longer than 5 seconds"],
    ] as const
  ) await assertRejects(() => find(issuer, { [at]: document }), DocumentError, reason);
});

Deno.test("findJwksUri() goes on behind a redirect, a page and metadata without keys (RFC 8414 section 2 has jwks_uri optional)", async () => {
  const issuer = "https://auth.example.com/realms/a";
  const good = { issuer, jwks_uri: "https://keys.example.com/jwks" };
  const [first, second] = metadataUrls(issuer).map(({ href }) => href);
  const elsewhere = [
    new DocumentError("it answered 302", { status: 302 }),
    new DocumentError("it is no JSON", { status: 200 }),
    { issuer },
  ];
  for (const instead of elsewhere) {
    assertEquals(await find(issuer, { [first!]: instead, [second!]: good }), [good.jwks_uri, 2]);
  }
  const redirect = new DocumentError("it answered 302", { status: 302 });
  await assertRejects(() => find(issuer, { [first!]: redirect }), DocumentError, "302");
});

Deno.test("findJwksUri() goes no further than a server that fails, or names another issuer", async () => {
  const issuer = "https://auth.example.com/realms/a";
  const good = { issuer, jwks_uri: "https://keys.example.com/jwks" };
  const [first, second] = metadataUrls(issuer).map(({ href }) => href);
  const failures = [
    new DocumentError("it answered 503", { status: 503 }),
    new DocumentError("it took longer than 5 seconds"),
    { ...good, issuer: "https://evil.example.com" },
  ];
  for (const failure of failures) {
    await assertRejects(() => find(issuer, { [first!]: failure, [second!]: good }), DocumentError);
  }
});
