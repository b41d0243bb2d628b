/**
 * R91: a request whose token is still being checked when a reload comes goes by the rules of the reload.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { testIssuer } from "../testing/issuer.ts";
import * as messages from "../testing/messages.ts";
import { exchange, jsonPost, type RawResponse } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";

const { namedUpstream, routeTo, withReloadable } = reloading;

const PUBLIC = "https://mcp.example.com";

interface Waiting {
  /** Puts another config in place of the first, whose only route is before `first`. */
  put(oauth: Readonly<Record<string, unknown>>, routes: readonly unknown[]): Promise<void>;
  /** Lets the keys of the authorization server come, and gives the answer of the request that waited for them. */
  goOn(): Promise<RawResponse>;
}

/** A request that waits for the keys of its token. */
async function waiting(first: string, test: (waiting: Waiting) => Promise<void>): Promise<void> {
  await using issuer = await testIssuer();
  const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  issuer.answer = (path) => {
    if (path !== "/keys") return undefined;
    asked.resolve();
    return held.promise.then(() => Response.json(issuer.keys.document()));
  };
  const oauth = { issuer: issuer.issuer, allowPrivateAddresses: true };
  const base = { publicUrl: PUBLIC, auth: { oauth }, routes: [routeTo("mcp", first)] };
  await withReloadable(base, async (proxy) => {
    const aud = [`${PUBLIC}/mcp`, `${PUBLIC}/other`];
    const authorization = `Bearer ${await issuer.keys.token({ aud })}`;
    const pending = exchange(proxy.origin, jsonPost(messages.ping(), { authorization }));
    await asked.promise;
    await test({
      put: async (more, routes) => {
        const next = { ...base, auth: { oauth: { ...oauth, ...more } }, routes };
        assertEquals((await proxy.put(next)).ok, true);
      },
      goOn: () => {
        held.resolve();
        return pending;
      },
    });
  });
}

Deno.test("a request that waits for keys reaches the server that a reload has put in place meanwhile", async () => {
  await using one = namedUpstream("one");
  await using two = namedUpstream("two");
  await waiting(one.url, async ({ put, goOn }) => {
    await put({}, [routeTo("mcp", two.url, { headersTimeoutMs: 12_345 })]);
    const { status, text } = await goOn();
    assertEquals([status, JSON.parse(text).result], [200, { name: "two" }]);
    assertEquals([one.requests.length, two.requests.length], [0, 1]);
  });
});

Deno.test("a request that waits for keys has 404 where a reload has taken its route away", async () => {
  await using one = namedUpstream("one");
  await waiting(one.url, async ({ put, goOn }) => {
    await put({}, [routeTo("other", one.url)]);
    assertEquals([(await goOn()).status, one.requests.length], [404, 0]);
  });
});

Deno.test("R91 a request that waits for keys is judged by what a reload wants of tokens, and told so", async () => {
  await using one = namedUpstream("one");
  await waiting(one.url, async ({ put, goOn }) => {
    await put({ scopes: ["mcp:use"] }, [routeTo("mcp", one.url)]);
    const { status, headers } = await goOn();
    assertEquals([status, one.requests.length], [403, 0]);
    assertStringIncludes(headers.get("www-authenticate")!, 'scope="mcp:use"');
  });
});
