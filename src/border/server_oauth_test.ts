/**
 * OAuth of the server, through the proxy: challenges and metadata over real sockets.
 *
 * Sources: RFC 9728, RFC 9110 section 11.6.1, RFC 6750 section 3; 2026-07-28
 * basic/authorization/authorization-server-discovery; R20, R77, R93, R95, R99.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, type RawResponse } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import {
  jsonAnswer,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const FORWARD = { credentials: "forward" };
const DOCUMENT = {
  authorization_servers: ["https://auth.example.com"],
  scopes_supported: ["files:read"],
  bearer_methods_supported: ["header"],
  resource_name: "Files",
  resource_documentation: "https://docs.example.com/files",
};

/** What the server says, by path. */
type Documents = Readonly<Record<string, string>>;

function challenge(server: ScriptedUpstream, path = `${WELL_KNOWN}/mcp`): string {
  const address = new URL(path, server.url);
  return `Bearer realm="files", error="invalid_token", scope="files:read", resource_metadata="${address}"`;
}

/** A server that wants a token, and says of it what `documents` say. */
function guarded(documents: (server: ScriptedUpstream) => Documents, path?: string) {
  const server: ScriptedUpstream = scriptedUpstream(async ({ line }, connection) => {
    const asked = line.split(" ")[1]!;
    const answer = documents(server)[asked];
    if (answer !== undefined) return await connection.write(answer);
    if (asked.startsWith("/.well-known/")) return await connection.write(NOTHING);
    const field = { "www-authenticate": challenge(server, path) };
    await connection.write(jsonAnswer('{"error":"invalid_token"}', field, "401 Unauthorized"));
  });
  return server;
}

const NOTHING = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

function metadataOf(server: ScriptedUpstream): Documents {
  return {
    [`${WELL_KNOWN}/mcp`]: jsonAnswer(
      JSON.stringify({
        resource: server.url,
        ...DOCUMENT,
        signed_metadata: "e30.e30.e30",
        jwks_uri: `${server.url}/jwks`,
        resource_policy_uri: `${server.url}/policy`,
        unheard_of: server.url,
      }),
    ),
  };
}

function get(
  { origin }: Pick<TestProxy, "origin">,
  path: string,
  fields = "",
  method = "GET",
): Promise<RawResponse> {
  return exchange(origin, `${method} ${path} HTTP/1.1\r\nhost: mcp.example.com\r\n${fields}\r\n`);
}

const HOSTS = { allowedHosts: ["mcp.example.com"] };

function wellKnown(server: ScriptedUpstream): readonly string[] {
  return server.requests.map(({ line }) => line.split(" ")[1]!)
    .filter((path) => path.startsWith("/.well-known/"));
}

Deno.test("RFC 9728 5.1 a challenge names the metadata of the route under the host that was called", async () => {
  await using server = guarded(() => ({}));
  await withProxy(
    { upstream: server.url, upstreamConfig: FORWARD, config: HOSTS },
    async (proxy) => {
      const fields = { host: "mcp.example.com", authorization: "Bearer old" };
      const { status, headers, text } = await exchange(
        proxy.origin,
        jsonPost(messages.initialize(), fields),
      );
      assertEquals(status, 401);
      assertEquals(
        headers.get("www-authenticate"),
        'Bearer realm="files", error="invalid_token", scope="files:read", ' +
          `resource_metadata="http://mcp.example.com${WELL_KNOWN}/mcp"`,
      );
      assertEquals(text, '{"error":"invalid_token"}');
      assertEquals(server.requests[0]!.field("authorization"), "Bearer old");
    },
  );
});

Deno.test("RFC 9728 2 the metadata of a route has the resource that was called, and nothing that names the server (R99)", async () => {
  await using server = guarded(() => metadataOf(server));
  const upstreamConfig = { ...FORWARD, headers: { "x-secret": "canary" } };
  await withProxy({ upstream: server.url, upstreamConfig, config: HOSTS }, async (proxy) => {
    for (const [path, resource] of [["/mcp", "/mcp"], ["", "/mcp"], ["/mcp/sse", "/mcp/sse"]]) {
      const { status, headers, text } = await get(proxy, WELL_KNOWN + path);
      assertEquals(status, 200);
      assertEquals(headers.get("content-type"), "application/json");
      assertEquals(JSON.parse(text), {
        resource: `http://mcp.example.com${resource}`,
        ...DOCUMENT,
      });
    }
    // Asked once, for all of them, without what the config adds to calls.
    assertEquals(wellKnown(server), [`${WELL_KNOWN}/mcp`]);
    assertEquals(server.requests[0]!.field("x-secret"), undefined);
    assert(
      proxy.logs.some((line) => line.includes('"route":"/mcp"') && line.includes('"status":200')),
    );
  });
});

Deno.test("R20 publicUrl outweighs Host and what says that there was TLS", async () => {
  await using server = guarded(() => metadataOf(server));
  const config = { ...HOSTS, publicUrl: "https://tools.example.com/files" };
  await withProxy({ upstream: server.url, upstreamConfig: FORWARD, config }, async (proxy) => {
    const fields = "x-forwarded-proto: http\r\nx-forwarded-host: evil.example.com\r\n";
    for (const path of [`${WELL_KNOWN}/files/mcp`, `${WELL_KNOWN}/mcp`, WELL_KNOWN]) {
      const { text } = await get(proxy, path, fields);
      assertEquals(JSON.parse(text).resource, "https://tools.example.com/files/mcp");
    }
    const { headers } = await exchange(proxy.origin, jsonPost(messages.initialize()));
    assertMatch(
      headers.get("www-authenticate")!,
      /resource_metadata="https:\/\/tools\.example\.com\/\.well-known\/oauth-protected-resource\/files\/mcp"$/,
    );
  });
  await withProxy(
    { upstream: server.url, upstreamConfig: FORWARD, config: HOSTS },
    async (proxy) => {
      const { text } = await get(
        proxy,
        `${WELL_KNOWN}/mcp`,
        "x-forwarded-proto: https\r\nx-forwarded-host: evil.example.com\r\n",
      );
      assertEquals(JSON.parse(text).resource, "http://mcp.example.com/mcp");
    },
  );
});

Deno.test("R95 metadata is asked for where a challenge has said, at the server's own origin alone", async () => {
  const found = jsonAnswer(JSON.stringify(DOCUMENT));
  await using elsewhere = scriptedUpstream((_, connection) => connection.write(found));
  const other = new URL("/metadata", elsewhere.url).href;
  for (const [named, asked] of [["/own?v=1", "/own?v=1"], [other, `${WELL_KNOWN}/mcp`]]) {
    await using server: ScriptedUpstream = scriptedUpstream(async ({ line }, connection) => {
      const path = line.split(" ")[1]!;
      if (path === asked) return await connection.write(found);
      const field = { "www-authenticate": challenge(server, named) };
      await connection.write(jsonAnswer("{}", field, "401 Unauthorized"));
    });
    await withProxy(
      { upstream: server.url, upstreamConfig: FORWARD, config: HOSTS },
      async (proxy) => {
        await exchange(proxy.origin, jsonPost(messages.initialize()));
        assertEquals((await get(proxy, `${WELL_KNOWN}/mcp`)).status, 200);
        assertEquals(server.requests.at(-1)!.line, `GET ${asked} HTTP/1.1`);
      },
    );
  }
  assertEquals(elsewhere.requests.length, 0);
});

Deno.test("2026-07-28 discovery: the path of the endpoint comes first, then the root; redirects and pages are none", async () => {
  const found = jsonAnswer(JSON.stringify(DOCUMENT));
  const page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi";
  const decoy = JSON.stringify({ authorization_servers: ["https://decoy.example.com"] });
  const away = jsonAnswer(decoy, { location: "http://127.0.0.1:1/" }, "302 Found");
  const refused = jsonAnswer(decoy, {}, "403 Forbidden");
  for (const first of [page, away, refused, NOTHING]) {
    await using server = guarded(() => ({ [`${WELL_KNOWN}/mcp`]: first, [WELL_KNOWN]: found }));
    await withProxy(
      { upstream: server.url, upstreamConfig: FORWARD, config: HOSTS },
      async (proxy) => {
        assertEquals((await get(proxy, `${WELL_KNOWN}/mcp`)).status, 200);
        assertEquals(wellKnown(server), [`${WELL_KNOWN}/mcp`, WELL_KNOWN]);
      },
    );
  }
});

Deno.test("a server without metadata has 404; one of 2025-03-26 that is its own authorization server is told by it", async () => {
  await using none = guarded(() => ({}));
  await withProxy({ upstream: none.url, upstreamConfig: FORWARD, config: HOSTS }, async (proxy) => {
    const { status, text } = await get(proxy, `${WELL_KNOWN}/mcp`);
    assertEquals([status, JSON.parse(text).error.code], [404, -31404]);
    assertEquals(wellKnown(none), [
      `${WELL_KNOWN}/mcp`,
      WELL_KNOWN,
      "/.well-known/oauth-authorization-server",
    ]);
  });
  const path = "/.well-known/oauth-authorization-server";
  const issuer = "https://auth.example.com/";
  await using old = guarded(() => ({ [path]: jsonAnswer(JSON.stringify({ issuer })) }));
  await withProxy({ upstream: old.url, upstreamConfig: FORWARD, config: HOSTS }, async (proxy) => {
    const { text } = await get(proxy, `${WELL_KNOWN}/mcp`);
    assertEquals(JSON.parse(text), {
      resource: "http://mcp.example.com/mcp",
      authorization_servers: [issuer],
    });
  });
});

Deno.test("a client of 2025-03-26 finds the authorization server at the origin, where the server is it itself", async () => {
  const path = "/.well-known/oauth-authorization-server";
  const document = {
    issuer: "https://auth.example.com/",
    authorization_endpoint: "https://auth.example.com/authorize",
    token_endpoint: "https://auth.example.com/token",
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
  };
  const told = jsonAnswer(JSON.stringify({ ...document, signed_metadata: "e30.e30.e30" }));
  await using old = guarded(() => ({ [path]: told }));
  await withProxy({ upstream: old.url, upstreamConfig: FORWARD, config: HOSTS }, async (proxy) => {
    for (const place of [path, `${path}/mcp`]) {
      const { status, text } = await get(proxy, place);
      assertEquals([status, JSON.parse(text)], [200, document]);
    }
    const { text } = await get(proxy, `${WELL_KNOWN}/mcp`);
    assertEquals(JSON.parse(text).authorization_servers, [document.issuer]);
    // Asked once for all of them.
    assertEquals(wellKnown(old), [`${WELL_KNOWN}/mcp`, WELL_KNOWN, path]);
  });
  // Only what goes on to the server has its metadata.
  await withProxy({ upstream: old.url, config: HOSTS }, async (proxy) => {
    assertEquals((await get(proxy, path)).status, 404);
  });
});

Deno.test("R95 a client of 2025-03-26 finds the authorization server that the server names, where the proxy may ask it", async () => {
  const path = "/.well-known/oauth-authorization-server";
  await using auth: ScriptedUpstream = scriptedUpstream(async ({ line }, connection) => {
    const { origin: issuer } = new URL(auth.url);
    const document = JSON.stringify({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ["code"],
    });
    await connection.write(line.split(" ")[1] === path ? jsonAnswer(document) : NOTHING);
  });
  const { origin: issuer } = new URL(auth.url);
  const named = jsonAnswer(JSON.stringify({ ...DOCUMENT, authorization_servers: [issuer] }));
  for (const allowPrivateIssuer of [false, true]) {
    await using server = guarded(() => ({ [`${WELL_KNOWN}/mcp`]: named }));
    const upstreamConfig = { ...FORWARD, allowPrivateIssuer };
    await withProxy({ upstream: server.url, upstreamConfig, config: HOSTS }, async (proxy) => {
      const { status, text } = await get(proxy, path);
      const told = proxy.logs.filter((line) => line.includes("cannot be had"));
      if (allowPrivateIssuer) {
        assertEquals([status, JSON.parse(text).token_endpoint], [200, `${issuer}/token`]);
        assertEquals(told, []);
      } else {
        assertEquals([status, told.length, auth.requests.length], [404, 1, 0]);
        assertMatch(told[0]!, /upstream\.allowPrivateIssuer allows those/);
      }
    });
  }
  assertEquals(auth.requests.length, 1);
});

for (
  const [what, answer, status, code] of [
    ["is no JSON", jsonAnswer("{"), 502, -31502],
    ["has no authorization server", jsonAnswer("{}"), 502, -31502],
    [
      "names one without TLS",
      jsonAnswer('{"authorization_servers":["http://auth.example.com"]}'),
      502,
      -31502,
    ],
    [
      "is too large",
      jsonAnswer(JSON.stringify({ ...DOCUMENT, more: "x".repeat(65_536) })),
      502,
      -31502,
    ],
    ["fails", "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", 502, -31502],
  ] as const
) {
  Deno.test(`metadata that ${what} is ${status}`, async () => {
    await using server = guarded(() => ({ [`${WELL_KNOWN}/mcp`]: answer }));
    await withProxy(
      { upstream: server.url, upstreamConfig: FORWARD, config: HOSTS },
      async (proxy) => {
        const { status: told, text } = await get(proxy, `${WELL_KNOWN}/mcp`);
        assertEquals([told, JSON.parse(text).error.code], [status, code]);
        assert(!text.includes("127.0.0.1"), text);
      },
    );
  });
}

Deno.test("R90 metadata is behind the door: Host, Origin, CORS and its preflight, GET alone", async () => {
  await using server = guarded(() => metadataOf(server));
  const config = { allowedHosts: ["mcp.example.com"], allowedOrigins: ["https://app.example.com"] };
  await withProxy({ upstream: server.url, upstreamConfig: FORWARD, config }, async (proxy) => {
    const path = `${WELL_KNOWN}/mcp`;
    const page = "origin: https://app.example.com\r\n";
    const { status } = await exchange(
      proxy.origin,
      `GET ${path} HTTP/1.1\r\nhost: evil.example\r\n\r\n`,
    );
    assertEquals(status, 403);
    assertEquals((await get(proxy, path, "origin: https://evil.example\r\n")).status, 403);
    const asked = "access-control-request-headers: mcp-protocol-version\r\n";
    const preflight = await get(proxy, path, page + asked, "OPTIONS");
    assertEquals(preflight.status, 204);
    assertEquals(preflight.headers.get("access-control-allow-headers"), "mcp-protocol-version");
    assertEquals(preflight.headers.get("access-control-allow-origin"), "https://app.example.com");
    const found = await get(proxy, path, `${page}mcp-protocol-version: 2025-11-25\r\n`);
    assertEquals(found.headers.get("access-control-allow-origin"), "https://app.example.com");
    const refused = await get(proxy, path, "content-length: 0\r\n", "POST");
    assertEquals([refused.status, refused.headers.get("allow")], [405, "GET"]);
  });
});

Deno.test("R93 a route that forwards nothing has neither challenges nor metadata", async () => {
  await using server = guarded(() => metadataOf(server));
  await withProxy({ upstream: server.url, config: HOSTS }, async (proxy) => {
    assertEquals((await get(proxy, `${WELL_KNOWN}/mcp`)).status, 404);
    const { status, headers } = await exchange(proxy.origin, jsonPost(messages.initialize()));
    assertEquals([status, headers.get("www-authenticate")], [401, undefined]);
    assertEquals(wellKnown(server), []);
  });
});

Deno.test("a reload changes publicUrl, credentials and servers for the next one who asks", async () => {
  await using first = guarded(() => metadataOf(first));
  await using second = guarded(() => metadataOf(second));
  const { routeTo, withReloadable } = reloading;
  const settings = (url: string, more: Record<string, unknown>, publicUrl?: string) => ({
    ...HOSTS,
    ...(publicUrl !== undefined && { publicUrl }),
    routes: [routeTo("mcp", url, more)],
  });
  await withReloadable(settings(first.url, FORWARD), async (proxy) => {
    const ask = async () => {
      const { status, text } = await get(proxy, `${WELL_KNOWN}/mcp`);
      return status === 200 ? JSON.parse(text).resource : status;
    };
    assertEquals(await ask(), "http://mcp.example.com/mcp");
    await proxy.put(settings(first.url, FORWARD, "https://tools.example.com"));
    assertEquals(await ask(), "https://tools.example.com/mcp");
    assertEquals(wellKnown(first).length, 1);
    await proxy.put(settings(second.url, FORWARD));
    assertEquals(await ask(), "http://mcp.example.com/mcp");
    assertEquals([wellKnown(first).length, wellKnown(second).length], [1, 1]);
    await proxy.put(settings(second.url, {}));
    assertEquals(await ask(), 404);
  });
});

Deno.test("R93 metadata needs no key, and is not told where Authorization holds the key for the proxy", async () => {
  await using server = guarded(() => metadataOf(server));
  const keys = [{ name: "ci", sha256: hashOfKey("sy_key-of-a-client-0123456789") }];
  for (const [auth, status] of [[{ header: "x-api-key", keys }, 200], [{ keys }, 401]] as const) {
    const config = { ...HOSTS, auth };
    await withProxy({ upstream: server.url, upstreamConfig: FORWARD, config }, async (proxy) => {
      assertEquals((await get(proxy, `${WELL_KNOWN}/mcp`)).status, status);
      assertEquals((await get(proxy, "/mcp")).status, 401);
    });
  }
});
