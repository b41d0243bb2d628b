/**
 * Where a token is found, for what it is asked for, and to whom a secret goes: over real sockets.
 *
 * Sources: 2026-07-28 basic/authorization and authorization-server-discovery; RFC 8414, RFC 8707, RFC 9728; R95.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import * as ownTokens from "../testing/own_tokens.ts";
import { scriptedUpstream } from "../testing/scripted_upstream.ts";
import * as serverToken from "../testing/server_token.ts";
import { MAX_SERVERS, SERVER_SHARE_MS } from "./token_finder.ts";

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
    assertEquals((await failure()).kind, "server_access_refused");
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
    assertEquals((await failure()).kind, "server_access_refused");
    assert(String(logs[0]!.reason).includes("token_endpoint of its metadata is not https"));
  });
  await under(async ({ issuer, failure, logs }) => {
    assertEquals((await failure()).kind, "server_access_refused");
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

const RESOURCE = "https://mcp.example.com/mcp";
const DEAD = [1, 2, 3, 4].map((port) => `http://127.0.0.1:${port}/mcp`);

Deno.test("the server whose request wants a token is asked first: others that are dead are no failure of it, nor it of them", () =>
  under(async ({ source, server, clock }) => {
    server.metadata = undefined;
    const dead = source.current(NEVER_ABORTED, { server: serverAt(DEAD[0]!, clock) });
    const failed = assertRejects(() => dead, ProxyError);
    // Who waits with it has its own server asked then.
    const own = source.current(NEVER_ABORTED, { server: serverAt(server.url, clock) });
    assertEquals((await failed).kind, "upstream_unreachable");
    assertEquals((await own).value, "canary-token-1");
    assertEquals(server.asked.length, 1);
  }, ({ server, clock }) => ({
    resource: RESOURCE,
    servers: () => [...DEAD, server.url].map((url) => serverAt(url, clock)),
  })));

Deno.test("a server that was not asked is not blamed for those that were", () =>
  under(async ({ source, clock, server }) => {
    const waiting = DEAD.slice(0, 2).map((url) =>
      assertRejects(
        () => source.current(NEVER_ABORTED, { server: serverAt(url, clock) }),
        ProxyError,
      )
    );
    for (const error of await Promise.all(waiting)) {
      assertEquals(error.kind, "upstream_unreachable");
    }
    const stranger = serverAt(server.url, clock);
    // Its metadata are not to be had for the moment.
    server.instead = () => new Response(null, { status: 401 });
    server.metadata = { resource: "https://other.example.com/mcp" };
    const error = await assertRejects(
      () => source.current(NEVER_ABORTED, { server: stranger }),
      ProxyError,
    );
    assertEquals(error.source, "proxy");
  }, ({ clock }) => ({
    resource: RESOURCE,
    servers: () => DEAD.slice(0, 3).map((url) => serverAt(url, clock)),
  })));

Deno.test("of several servers one that hangs has its share of the time, and the next one is asked", async () => {
  await using hung = scriptedUpstream(() => {});
  await using silent = scriptedUpstream(() => {});
  await under(async ({ source, clock, server }) => {
    server.metadata = undefined;
    const waiting = source.current(NEVER_ABORTED, { server: serverAt(hung.url, clock) });
    await hung.received(0);
    clock.advance(SERVER_SHARE_MS);
    await silent.received(0);
    clock.advance(SERVER_SHARE_MS);
    assertEquals((await waiting).value, "canary-token-1");
  }, ({ server, clock }) => ({
    resource: RESOURCE,
    servers: () => [silent.url, hung.url, server.url].map((url) => serverAt(url, clock)),
  }));
});

Deno.test("where the config has the resource and the scopes no server is asked for anything", () =>
  under(async ({ source, issuer }) => {
    assertEquals((await source.current(NEVER_ABORTED)).scopes, ["a"]);
    assertEquals(issuer.requests[0]!.form.get("resource"), RESOURCE);
  }, ({ clock }) => ({
    resource: RESOURCE,
    scopes: ["a"],
    servers: () => [serverAt(DEAD[0]!, clock)],
  })));

Deno.test("a challenge that says less takes nothing away from what was said before", () =>
  under(async ({ source, server, issuer }) => {
    const place = "/.well-known/oauth-protected-resource/x";
    server.metadata = { scopes_supported: ["admin", "mcp:use"] };
    server.challenge = `scope="mcp:use", resource_metadata="${new URL(place, server.url)}"`;
    const first = await source.current(NEVER_ABORTED);
    const wanted = { metadata: undefined, scopes: undefined, error: "invalid_token" };
    const next = await source.instead(first, { kind: "token", wanted }, NEVER_ABORTED);
    assertEquals([next!.scopes, server.looked], [["mcp:use"], [place, place]]);
    assertEquals([issuer.requests.length, server.asked.length], [2, 1]);
  }));
