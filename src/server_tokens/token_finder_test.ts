/**
 * Where a token is found, for what it is asked for, and to whom a secret goes: over real sockets.
 *
 * Sources: 2026-07-28 basic/authorization and authorization-server-discovery; RFC 8414, RFC 8707, RFC 9728; R95.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { NEVER_ABORTED } from "../http/mod.ts";
import { ownTokens, serverToken } from "../testing/mod.ts";
import { MAX_SERVERS } from "./token_finder.ts";

const { SCOPE, tokenIssuer } = ownTokens;
const { serverAt, under } = serverToken;

Deno.test("a token is found by what the server wants, its metadata and those of the authorization server", () =>
  under(async ({ source, issuer, server, logs, stats }) => {
    assertEquals(source.atHand(), undefined);
    const token = await source.current(NEVER_ABORTED);
    assertEquals([token.value, token.line, token.scopes], [
      "canary-token-1",
      "authorization: Bearer canary-token-1\r\n",
      [SCOPE],
    ]);
    // Asked without a token, by what does nothing.
    assertEquals(server.asked, ["POST ping none"]);
    assertEquals(server.looked, ["/.well-known/oauth-protected-resource/mcp"]);
    assertEquals(issuer.paths, ["/.well-known/oauth-authorization-server", "/token"]);
    const [{ form, authorization }] = issuer.requests as [ownTokens.TokenRequest];
    assertEquals(Object.fromEntries(form), {
      grant_type: "client_credentials",
      resource: server.url,
      scope: SCOPE,
    });
    assertEquals(authorization, `Basic ${btoa("switchyard:canary-secret")}`);
    assertEquals(source.atHand(), token);
    assertEquals([logs.length, logs[0]!.message, logs[0]!.seconds, logs[0]!.route], [
      1,
      "an access token for the server was fetched",
      3_600,
      "/mcp",
    ]);
    assertEquals(stats, { fetched: 1, failed: 0, refused: 0 });
  }));

Deno.test("2026-07-28 discovery: metadata are where the challenge says, or else at the path and then at the root", async () => {
  const wellKnown = "/.well-known/oauth-protected-resource";
  for (const named of [`${wellKnown}/named`, undefined]) {
    await under(async ({ source, server }) => {
      if (named !== undefined) {
        server.challenge = `resource_metadata="${new URL(named, server.url).href}"`;
      } else server.metadata = undefined;
      await source.current(NEVER_ABORTED);
      assertEquals(server.looked, named === undefined ? [`${wellKnown}/mcp`, wellKnown] : [named]);
    });
  }
});

Deno.test("metadata at the server's own origin are had from it, wherever that is", () =>
  under(async ({ failure, server, logs }) => {
    server.challenge = `resource_metadata="${new URL(
      "/.well-known/oauth-protected-resource/x",
      server.url,
    )}"`;
    await failure();
    assertEquals(server.looked, ["/.well-known/oauth-protected-resource/x"]);
    assert(String(logs[0]!.reason).includes("not of the public internet"));
  }, { allowPrivateAddresses: false }));

Deno.test("2026-07-28 scope selection: those of the config, or of the challenge, or of the metadata, or none", async () => {
  const asked = async (
    scope: string | undefined,
    listed: string[] | undefined,
    scopes?: string[],
  ) => {
    let found: string | null = null;
    await under(async ({ source, server, issuer }) => {
      if (scope !== undefined) server.challenge = `scope="${scope}"`;
      server.metadata = { scopes_supported: listed };
      await source.current(NEVER_ABORTED);
      found = issuer.requests[0]!.form.get("scope");
    }, { scopes });
    return found;
  };
  assertEquals(await asked("b c", ["d"], ["a"]), "a");
  assertEquals(await asked("b c", ["d"], []), null);
  assertEquals(await asked("b c", ["d"]), "b c");
  assertEquals(await asked(undefined, ["d", "e"]), "d e");
  assertEquals(await asked(undefined, undefined), null);
});

Deno.test("a server of HTTP+SSE is asked by GET, with the fields of the config; one without metadata has the URL for its resource", () =>
  under(async ({ source, server, issuer }) => {
    server.metadata = undefined;
    await source.current(NEVER_ABORTED);
    assertEquals(server.asked, ["GET none"]);
    assertEquals(issuer.requests[0]!.form.get("resource"), server.url);
  }, ({ server, clock }) => ({
    servers: () => [serverAt(server.url, clock, { transport: "http+sse" })],
  })));

Deno.test("2026-07-28 authorization server binding: the secret goes to the issuer of the config alone", async () => {
  await using evil = tokenIssuer();
  // The server names another one.
  await under(async ({ server, issuer, failure, logs }) => {
    server.metadata = { authorization_servers: [evil.issuer] };
    assertEquals((await failure()).kind, "server_access_refused");
    assert(String(logs[0]!.reason).includes("other authorization servers than oauth.issuer"));
    assertEquals([issuer.requests.length, evil.paths], [0, []]);
  });
  // RFC 8414 section 3.3: the metadata are another's.
  await under(async ({ issuer, failure, logs }) => {
    issuer.more = { issuer: `${issuer.issuer}/` };
    assertEquals((await failure()).kind, "server_token_unavailable");
    assertEquals(logs[0]!.reason, "its metadata names another issuer than oauth.issuer");
    assertEquals(issuer.requests.length, 0);
  });
  // A redirect leads nowhere.
  await under(async ({ issuer, failure }) => {
    issuer.instead = (path) =>
      path === "/token"
        ? new Response(null, { status: 307, headers: { location: `${evil.issuer}/token` } })
        : undefined;
    assertEquals((await failure()).kind, "server_token_unavailable");
    assertEquals(evil.requests.length, 0);
  });
});

Deno.test("a token endpoint in the clear gets no secret, nor does an issuer at a private address without a word (R95)", async () => {
  await under(async ({ issuer, failure, logs }) => {
    issuer.more = { token_endpoint: "http://auth.example.com/token" };
    assertEquals((await failure()).kind, "server_token_unavailable");
    assert(String(logs[0]!.reason).includes("token_endpoint of its metadata is not https"));
  });
  await under(async ({ issuer, failure, logs }) => {
    assertEquals((await failure()).kind, "server_token_unavailable");
    assert(String(logs[0]!.reason).includes("upstream.oauth.allowPrivateAddresses allows those"));
    assertEquals(issuer.paths, []);
  }, { allowPrivateAddresses: false });
});

Deno.test("a token of the server's metadata of another resource is not asked for", () =>
  under(async ({ server, issuer, failure }) => {
    server.metadata = { resource: "https://other.example.com/mcp" };
    assertEquals((await failure()).kind, "server_access_refused");
    assertEquals(issuer.requests.length, 0);
  }));

Deno.test("a server that cannot be reached is told as that, nobody asks the authorization server, and nothing was sent", () =>
  under(async ({ issuer, failure, stats, logs }) => {
    const { kind, progress } = await failure();
    assertEquals([kind, progress], ["upstream_unreachable", {
      requestSent: false,
      answerBegun: false,
    }]);
    assertEquals([issuer.paths, stats.failed, logs], [[], 0, []]);
  }, ({ clock }) => ({ servers: () => [serverAt("http://127.0.0.1:1/mcp", clock)] })));

Deno.test("of several servers of one resource the next one is asked where one cannot be reached, three at most", async () => {
  for (const dead of [MAX_SERVERS - 1, MAX_SERVERS]) {
    await under(async ({ source, failure, server }) => {
      if (dead < MAX_SERVERS) await source.current(NEVER_ABORTED);
      else assertEquals((await failure()).kind, "upstream_unreachable");
      assertEquals(server.asked.length, dead < MAX_SERVERS ? 1 : 0);
    }, ({ server, clock }) => ({
      servers: () => [
        ...Array.from({ length: dead }, () => serverAt("http://127.0.0.1:1/mcp", clock)),
        serverAt(server.url, clock),
      ],
    }));
  }
});
