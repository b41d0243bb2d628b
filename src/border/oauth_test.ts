/**
 * R91-R96: callers with and without access tokens, over real sockets, before an authorization server in process.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { UnsecuredJWT } from "jose";
import { hashOfKey } from "../auth/mod.ts";
import { type TestIssuer, testIssuer } from "../testing/issuer.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText, type RawResponse } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const PUBLIC = "https://mcp.example.com";
const AUD = `${PUBLIC}/mcp`;
const WELL_KNOWN = "/.well-known/oauth-protected-resource";

interface Guarded {
  readonly proxy: TestProxy;
  readonly upstream: ScriptedUpstream;
  readonly issuer: TestIssuer;
  /** The field with a token for the route. */
  bearer(claims?: Record<string, unknown>): Promise<Record<string, string>>;
}

type Settings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

async function guarded(
  test: (guarded: Guarded) => Promise<void>,
  { config = {}, upstreamConfig = {}, oauth = {}, auth = {} }: Settings = {},
): Promise<void> {
  await using issuer = await testIssuer();
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  const settings = { issuer: issuer.issuer, allowPrivateAddresses: true, ...oauth };
  await withProxy({
    upstream: upstream.url,
    config: { publicUrl: PUBLIC, auth: { oauth: settings, ...auth }, ...config },
    upstreamConfig,
  }, async (proxy) => {
    const bearer = async (claims = {}) => ({
      authorization: `Bearer ${await issuer.keys.token({ aud: AUD, ...claims })}`,
    });
    await test({ proxy, upstream, issuer, bearer });
  });
}

type Fields = Readonly<Record<string, string>>;

function send(
  proxy: TestProxy,
  method: string,
  path: string,
  fields: Fields = {},
  body = messages.ping(),
): Promise<RawResponse> {
  if (method === "POST") return exchange(proxy.origin, jsonPost(body, fields, path));
  const accept = "application/json, text/event-stream";
  const lines = Object.entries({ host: "localhost", accept, ...fields })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(proxy.origin, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

/** Every way into a route. */
const WAYS = [
  ["POST", "/mcp"],
  ["GET", "/mcp"],
  ["DELETE", "/mcp"],
  ["GET", "/mcp/sse"],
  ["GET", "/sse"],
  ["POST", "/mcp/messages?sessionId=x"],
] as const;

for (const httpServer of ["switchyard", "deno"]) {
  Deno.test(`R91 R92 R94 no token and a wrong one are a 401 on every method and transport, the right one passes (${httpServer})`, () =>
    guarded(async ({ proxy, upstream, issuer, bearer }) => {
      await using other = await testIssuer();
      const claims = { iss: issuer.issuer, sub: "alice", aud: AUD, exp: 4_000_000_000 };
      const wrong: Fields[] = [
        {},
        { authorization: "Bearer x" },
        await bearer({ aud: "https://other.example.com/mcp" }),
        await bearer({ exp: 1_700_000_000 }),
        { authorization: `Bearer ${new UnsecuredJWT(claims).encode()}` },
        { authorization: `Bearer ${await other.keys.token(claims)}` },
        { "x-access-token": (await bearer()).authorization! },
        // A session, whoever has its id, is no proof of who calls.
        { "mcp-session-id": "x" },
      ];
      for (const [method, path] of WAYS) {
        for (const fields of wrong) {
          const refused = await send(proxy, method, path, fields);
          assertEquals([method, path, fields, refused.status], [method, path, fields, 401]);
          assertEquals(JSON.parse(refused.text).error.code, -31401);
          const challenge = refused.headers.get("www-authenticate")!;
          assertEquals(challenge.includes("invalid_token"), "authorization" in fields);
        }
      }
      const good = await bearer();
      // OAuth 2.1 section 5.1: a token in the query is none.
      const query = `?access_token=${good.authorization!.slice("Bearer ".length)}`;
      assertEquals((await send(proxy, "POST", `/mcp${query}`)).status, 401);
      const batch = `[${messages.ping()},${messages.ping("2")}]`;
      assertEquals((await send(proxy, "POST", "/mcp", {}, batch)).status, 401);
      assertEquals(upstream.requests.length, 0);
      assertEquals((await send(proxy, "POST", "/mcp", good)).status, 200);
      assertEquals((await send(proxy, "DELETE", "/mcp", good)).status, 400);
      // The scripted answer is no event stream.
      assertEquals((await send(proxy, "GET", "/mcp", good)).status, 502);
      assertEquals((await send(proxy, "POST", "/mcp/messages?sessionId=x", good)).status, 404);
      assertEquals((await send(proxy, "POST", "/nowhere", good)).status, 404);
      assertEquals((await send(proxy, "POST", "/nowhere")).status, 401);
      assertEquals(upstream.requests.length, 2);
      using client = await sseCaller(proxy.origin, "/mcp/sse", good);
      assertEquals(client.stream.status, 200);
    }, { config: { httpServer } }));
}

Deno.test("R93 the token never reaches the upstream, whatever is forwarded", async () => {
  for (const credentials of ["drop", "forward"]) {
    await guarded(async ({ proxy, upstream, bearer }) => {
      const good = await bearer();
      for (const more of [{}, { connection: "keep-alive, authorization" }]) {
        const fields = { ...good, ...more, "x-kept": "1" };
        assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
        const { fields: arrived } = upstream.requests.at(-1)!;
        assertEquals(new Map(arrived).get("x-kept"), "1");
        assert(!JSON.stringify(arrived).includes("eyJ"));
      }
    }, { upstreamConfig: { credentials } });
  }
});

Deno.test("R96 tokens, subjects and claims are absent from logs, metrics and recordings; errors tell none", async () => {
  const dir = await Deno.makeTempDir();
  await guarded(async ({ proxy, bearer }) => {
    const secret = {
      sub: "canary-sub",
      email: "canary@example.com",
      preferred_username: "canary-name",
    };
    const tokens = [
      await bearer(secret),
      await bearer({ ...secret, aud: "https://canary.example.com" }),
      await bearer({ ...secret, exp: 1 }),
      { authorization: "Bearer canary.canary.canary" },
    ];
    const told: string[] = [];
    for (const fields of tokens) {
      for (const body of [messages.ping(), "{"]) {
        const { text, headers } = await postText(proxy.origin, body, fields);
        told.push(text, ...headers.values());
      }
    }
    told.push(...proxy.logs);
    for (const page of ["/metrics", "/sessions", "/status"]) {
      told.push(
        (await exchange(proxy.adminOrigin!, `GET ${page} HTTP/1.1\r\nhost: localhost\r\n\r\n`))
          .text,
      );
    }
    await proxy.stop();
    told.push(...await allTexts(dir));
    const all = told.join("\n");
    const parts = tokens.flatMap(({ authorization }) => authorization!.slice(7).split("."));
    for (const one of ["canary", ...parts.filter((part) => part.length > 30)]) {
      assert(!all.includes(one), one);
    }
    const principals = proxy.logs.map((line) => JSON.parse(line))
      .filter(({ message }) => message === "request").map(({ principal }) => typeof principal);
    assertEquals(principals.slice(0, 3), ["string", "string", "undefined"]);
  }, { config: { admin: "127.0.0.1:0", record: { dir } } as unknown as Settings[string] });
  await Deno.remove(dir, { recursive: true });
});

async function allTexts(dir: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) texts.push(...await allTexts(path));
    else texts.push(await Deno.readTextFile(path));
  }
  assert(texts.length > 0);
  return texts;
}

Deno.test("the metadata of a resource is there for everybody, as its challenge says (RFC 9728)", () =>
  guarded(async ({ proxy, issuer, upstream }) => {
    const ask = (path: string, fields?: Fields) => send(proxy, "GET", path, fields);
    const challenge = (await ask("/mcp")).headers.get("www-authenticate")!;
    const metadata = new URL(/resource_metadata="([^"]+)"/.exec(challenge)![1]!);
    assertEquals(metadata.origin, PUBLIC);
    const found = await ask(metadata.pathname);
    assertEquals([found.status, found.headers.get("content-type")], [200, "application/json"]);
    const document = {
      resource: AUD,
      authorization_servers: [issuer.issuer],
      scopes_supported: ["mcp:use"],
      bearer_methods_supported: ["header"],
    };
    assertEquals(JSON.parse(found.text), document);
    // One route, so the root is its; and the names that clients of HTTP+SSE know it by.
    assertEquals(JSON.parse((await ask(WELL_KNOWN)).text), document);
    for (const path of ["/sse", "/mcp/sse"]) {
      const own = { ...document, resource: PUBLIC + path };
      assertEquals(JSON.parse((await ask(WELL_KNOWN + path)).text), own);
    }
    assertEquals(found.text, (await ask(`${metadata.pathname}?x=1`)).text);
    for (const path of ["/nowhere", "/mcp/messages", "/", "/mcp/", "x"]) {
      assertEquals([path, (await ask(WELL_KNOWN + path)).status], [path, 401]);
    }
    assertEquals((await send(proxy, "POST", WELL_KNOWN)).status, 405);
    assertEquals(upstream.requests.length, 0);
  }, { oauth: { scopes: ["mcp:use"] } }));

Deno.test("R90 the metadata goes through the same door: Host, Origin, what pages may read", () =>
  guarded(async ({ proxy }) => {
    const path = `${WELL_KNOWN}/mcp`;
    assertEquals((await send(proxy, "GET", path, { host: "evil.test" })).status, 403);
    assertEquals((await send(proxy, "GET", path, { origin: "https://evil.test" })).status, 403);
    const origin = "http://localhost:1";
    const page = await send(proxy, "GET", path, { origin });
    assertEquals([page.status, page.headers.get("access-control-allow-origin")], [200, origin]);
    const asked = { origin, "access-control-request-method": "GET" };
    const [here, there] = [
      await send(proxy, "OPTIONS", path, asked),
      await send(proxy, "OPTIONS", "/nowhere", asked),
    ];
    assertEquals([here.status, there.status], [204, 204]);
    const refused = await send(proxy, "POST", "/mcp", { origin });
    assertStringIncludes(refused.headers.get("access-control-expose-headers")!, "www-authenticate");
  }));

Deno.test("behind a path of publicUrl the metadata is where the challenge says, and where RFC 9728 has it", () =>
  guarded(async ({ proxy }) => {
    const { headers } = await send(proxy, "POST", "/mcp");
    const base = `${PUBLIC}/tools`;
    assertStringIncludes(
      headers.get("www-authenticate")!,
      `resource_metadata="${base}${WELL_KNOWN}/mcp"`,
    );
    for (const path of [`${WELL_KNOWN}/mcp`, `${WELL_KNOWN}/tools/mcp`]) {
      const { text } = await send(proxy, "GET", path);
      assertEquals(JSON.parse(text).resource, `${base}/mcp`);
    }
  }, { config: { publicUrl: `${PUBLIC}/tools` } as unknown as Settings[string] }));

Deno.test("an authorization server that is down is a 503 with Retry-After, told once and not for each request", () =>
  guarded(async ({ proxy, issuer, upstream, bearer }) => {
    issuer.answer = () => new Response("down", { status: 500 });
    const fields = await bearer();
    for (let at = 0; at < 5; at++) {
      const { status, headers, text } = await postText(proxy.origin, messages.ping(), fields);
      assertEquals([status, JSON.parse(text).error.code], [503, -31503]);
      assert(Number(headers.get("retry-after")) >= 1);
    }
    const warnings = proxy.logs.map((line) => JSON.parse(line))
      .filter(({ level }) => ["warn", "error"].includes(level));
    assertEquals(warnings.map(({ message, reason }) => [message, reason]), [
      ["keys of the authorization server cannot be had", "it answered 500"],
    ]);
    assertEquals([issuer.asked.length, upstream.requests.length], [1, 0]);
  }));

Deno.test("R95 an authorization server on this machine is not dialled unless the config says so", () =>
  guarded(async ({ proxy, issuer, bearer }) => {
    assertEquals((await postText(proxy.origin, messages.ping(), await bearer())).status, 503);
    assertEquals(issuer.asked.length, 0);
    assertStringIncludes(proxy.logs.join(), "not of the public internet");
  }, { oauth: { allowPrivateAddresses: false } }));

Deno.test("a needed scope that is not granted is a 403 for a page and a program alike", () =>
  guarded(async ({ proxy, bearer, upstream }) => {
    const { status, headers, text } = await postText(proxy.origin, messages.ping(), await bearer());
    assertEquals([status, JSON.parse(text).error.code], [403, -31403]);
    assertStringIncludes(headers.get("www-authenticate")!, 'error="insufficient_scope"');
    assertEquals(upstream.requests.length, 0);
    const good = await bearer({ scope: "mcp:use" });
    assertEquals((await postText(proxy.origin, messages.ping(), good)).status, 200);
  }, { oauth: { scopes: ["mcp:use"] } }));

Deno.test("rate_limit by principal counts a caller's tokens together, and keys beside them apart", () => {
  const interceptors = [{
    use: "rate_limit",
    options: { burst: 1, perSecond: 0.001, by: "principal" },
  }];
  const keys = [{ name: "ci", sha256: hashOfKey("sy_ci") }];
  return guarded(
    async ({ proxy, bearer }) => {
      const isLimited = async (fields: Fields) => {
        const { text } = await postText(proxy.origin, messages.ping(), fields);
        return JSON.parse(text).error?.code === -31429;
      };
      // Who calls herself as a key is called takes nothing from its holder.
      const ci = { preferred_username: "ci" };
      assertEquals(await isLimited(await bearer(ci)), false);
      assertEquals(await isLimited(await bearer({ ...ci, jti: "2" })), true);
      // Nor does she leave her limit behind by calling herself otherwise, also with what ends a name.
      for (const preferred_username of ["other", "#", "a#0123456789abcdef", undefined]) {
        assertEquals(await isLimited(await bearer({ preferred_username })), true);
      }
      assertEquals(await isLimited(await bearer({ ...ci, sub: "bob" })), false);
      assertEquals(await isLimited({ authorization: "Bearer sy_ci" }), false);
    },
    {
      config: { interceptors } as unknown as Settings[string],
      auth: { keys } as unknown as Settings[string],
      oauth: { nameClaim: "preferred_username" },
    },
  );
});
