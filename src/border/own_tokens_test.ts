/**
 * The proxy as an OAuth client of its server, through a whole proxy over real sockets: clients that know nothing of
 * OAuth, and a server that wants access tokens.
 *
 * Sources: 2026-07-28 basic/authorization; RFC 6749 section 4.4, RFC 6750; R93, R96, R99.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as admin from "../testing/admin.ts";
import * as messages from "../testing/messages.ts";
import * as ownTokens from "../testing/own_tokens.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { postText } from "../testing/raw_client.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";

const { guardedServer, SCOPE, tokenIssuer } = ownTokens;
const KEY = "sy_canary-key-of-a-client-0123456789";
const ADMIN = { admin: "127.0.0.1:0" };

/** Runs `test` with a server of sessions that wants tokens, and a proxy that has credentials for it. */
async function guarded(
  test: (
    proxy: TestProxy,
    server: ownTokens.GuardedServer,
    issuer: ownTokens.TokenIssuer,
  ) => Promise<void>,
  { config = {}, ...more }: Readonly<Record<string, unknown>> & { readonly config?: object } = {},
): Promise<void> {
  await using issuer = tokenIssuer();
  await using behind = sessionUpstream();
  await using server = guardedServer(issuer, behind.url);
  const upstreamConfig = { era: "both", oauth: { ...issuer.oauth, ...more } };
  await withProxy(
    { upstream: server.url, upstreamConfig, config: { ...ADMIN, ...config } },
    async (proxy) => {
      await test(proxy, server, issuer);
      const page = await admin.adminRequest(proxy.adminOrigin, "GET", "/metrics");
      const status = await admin.adminRequest(proxy.adminOrigin, "GET", "/status");
      const { host } = new URL(server.url);
      for (const text of [proxy.logs.join("\n"), page.text, status.text]) {
        // R96
        for (const secret of ["canary", host]) assert(!text.includes(secret), `${secret}: ${text}`);
      }
    },
  );
}

function refusals({ logs }: TestProxy): Record<string, unknown>[] {
  return logs.map((line) => JSON.parse(line))
    .filter(({ message }) => message === "the server refuses the proxy's access token");
}

async function outcomes(proxy: TestProxy): Promise<number[]> {
  const { text } = await admin.adminRequest(proxy.adminOrigin, "GET", "/metrics");
  return ["fetched", "failed", "refused"].map((outcome) => {
    const name = `switchyard_server_tokens_total{route="/mcp",outcome="${outcome}"} `;
    return Number(text.split("\n").find((line) => line.startsWith(name))?.slice(name.length));
  });
}

Deno.test("R93 a client with an API key alone uses a server that wants tokens: each request has the proxy's, and none the client's", async () => {
  const config = { auth: { keys: [{ name: "ci", sha256: hashOfKey(KEY) }] } };
  await guarded(async (proxy, server, issuer) => {
    const fields = { authorization: `Bearer ${KEY}`, cookie: "canary=1" };
    const opened = await postText(proxy.origin, messages.initialize(), fields);
    const session = { ...fields, "mcp-session-id": opened.headers.get("mcp-session-id")! };
    const answer = await postText(proxy.origin, messages.ping(), session);
    assertEquals([opened.status, answer.status], [200, 200]);
    assertEquals((await postText(proxy.origin, messages.initialized, session)).status, 202);
    assertEquals(server.asked, [
      "POST ping none",
      "POST initialize canary-token-1",
      "POST ping canary-token-1",
      "POST notifications/initialized canary-token-1",
    ]);
    assertEquals(issuer.requests.length, 1);
    for (const headers of server.passed) {
      assertEquals([headers.get("cookie"), headers.get("authorization")], [
        null,
        "Bearer canary-token-1",
      ]);
    }
    assertEquals(await outcomes(proxy), [1, 0, 0]);
    const { text } = await admin.adminRequest(proxy.adminOrigin, "GET", "/status");
    const { routes: [{ upstream }] } = JSON.parse(text);
    assertEquals(upstream.tokens, { fetched: 1, failed: 0, refused: 0 });
  }, { config });
});

Deno.test("a token that the server refuses is renewed, and what was sent with it is sent again: it runs once, and nobody notices", () =>
  guarded(async (proxy, server, issuer) => {
    const caller = await new SessionCaller(proxy).ready();
    issuer.good.clear();
    const { status, headers } = await caller.ask("tools/call", { name: "x" });
    assertEquals([status, headers.get("www-authenticate")], [200, undefined]);
    assertEquals(server.asked.slice(3), [
      "POST tools/call canary-token-1",
      "POST tools/call canary-token-2",
    ]);
    assertEquals((await caller.end()).status >= 200, true);
    assertEquals(server.asked.at(-1), "DELETE canary-token-2");
    assertEquals(await outcomes(proxy), [2, 0, 0]);
  }));

Deno.test("many clients whose token the server refuses at one time have one renewed together", () =>
  guarded(async (proxy, _server, issuer) => {
    const callers = await Promise.all(
      Array.from({ length: 10 }, () => new SessionCaller(proxy).ready()),
    );
    assertEquals(issuer.requests.length, 1);
    issuer.good.clear();
    const answers = await Promise.all(callers.map((caller) => caller.ask("tools/list")));
    assertEquals(answers.map(({ status }) => status), new Array(10).fill(200));
    assertEquals(issuer.requests.length, 2);
  }));

Deno.test("R99 a refusal that stays is an error of the proxy's own, without a challenge, and says that nothing has run", () =>
  guarded(async (proxy, server, issuer) => {
    const caller = await new SessionCaller(proxy).ready();
    server.instead = (_request, text) =>
      text.includes("tools/call")
        ? Response.json({ error: "canary" }, {
          status: 401,
          headers: { "www-authenticate": `Bearer error="invalid_token", realm="canary"` },
        })
        : undefined;
    for (let times = 0; times < 3; times++) {
      const { status, headers, text } = await caller.ask("tools/call", { name: "x" });
      const { error, id } = JSON.parse(text);
      assertEquals([status, error.code, id, headers.get("www-authenticate")], [
        502,
        -31502,
        7,
        undefined,
      ]);
      assert(error.message.includes("was not carried out"), error.message);
      assert(!text.includes("canary"), text);
    }
    // Each new token is refused, so that not each call has one fetched.
    assertEquals(issuer.requests.length, 2);
    assertEquals(server.asked.filter((one) => one.includes("tools/call")).length, 4);
    assertEquals(refusals(proxy).map(({ reason }) => reason), ["invalid_token"]);
    assert(proxy.logs.some((line) => line.includes('"kind":"server_access_refused"')));
    assertEquals(await outcomes(proxy), [2, 0, 3]);
    // The session is there still.
    assertEquals((await caller.ask("tools/list")).status, 200);
  }));

Deno.test("R64 a call that ran and is answered with a third party's 401 is not made again, and its client is told that it may have run", () =>
  guarded(async (proxy, server, issuer) => {
    const caller = await new SessionCaller(proxy).ready();
    server.instead = (_request, text) =>
      text.includes("tools/call")
        ? Response.json({ jsonrpc: "2.0", id: 7, error: { code: -32050, message: "canary" } }, {
          status: 401,
        })
        : undefined;
    const { status, text } = await caller.ask("tools/call", { name: "pay" });
    const { error, id } = JSON.parse(text);
    assertEquals([status, error.code, id], [502, -31502, 7]);
    assert(error.message.includes("may have been carried out"), error.message);
    assertEquals(server.asked.filter((one) => one.includes("tools/call")).length, 1);
    assertEquals(issuer.requests.length, 1);
  }));

Deno.test("while no token can be had the answer is 503 with Retry-After, and nothing of the request goes out", () =>
  guarded(async (proxy, server, issuer) => {
    issuer.instead = (path) =>
      path === "/token" ? new Response("canary", { status: 503 }) : undefined;
    for (let times = 0; times < 2; times++) {
      const { status, headers, text } = await postText(proxy.origin, messages.initialize());
      assertEquals([status, headers.get("retry-after"), JSON.parse(text).error.code], [
        503,
        "1",
        -31503,
      ]);
    }
    assertEquals([issuer.requests.length, server.asked], [1, ["POST ping none"]]);
    assertEquals(await outcomes(proxy), [0, 1, 0]);
    // Told once, and not with each request.
    assert(!proxy.logs.some((line) => line.includes("request failed")));
    const told = proxy.logs.map((line) => JSON.parse(line))
      .filter(({ message }) => message === "no access token for the server can be had");
    assertEquals(told.map(({ reason, issuer: name, route }) => [reason, name, route]), [
      ["its token endpoint answered 503", issuer.issuer, "/mcp"],
    ]);
  }));

Deno.test("a client that the authorization server does not know is a 502, and not told as a mistake of the caller", () =>
  guarded(async (proxy, _server, issuer) => {
    issuer.instead = (path) =>
      path === "/token" ? Response.json({ error: "invalid_client" }, { status: 401 }) : undefined;
    const { status, text, headers } = await postText(proxy.origin, messages.initialize());
    assertEquals([status, JSON.parse(text).error.code, headers.get("www-authenticate")], [
      502,
      -31502,
      undefined,
    ]);
  }));

Deno.test("2026-07-28 step-up: a call that needs more scopes is made again with a token that has them", () =>
  guarded(async (proxy, server, issuer) => {
    const caller = await new SessionCaller(proxy).ready();
    const strong = () => issuer.requests.at(-1)!.form.get("scope")?.includes("files:write");
    server.instead = (_request, text) => {
      if (!text.includes("tools/call") || strong()) return undefined;
      const challenge = 'Bearer error="insufficient_scope", scope="files:write"';
      return new Response(null, { status: 403, headers: { "www-authenticate": challenge } });
    };
    assertEquals((await caller.ask("tools/call", { name: "x" })).status, 200);
    assertEquals(issuer.requests.map(({ form }) => form.get("scope")), [
      SCOPE,
      `${SCOPE} files:write`,
    ]);
    assertEquals((await caller.ask("tools/call", { name: "x" })).status, 200);
    assertEquals(issuer.requests.length, 2);
  }));

Deno.test("scopes of the config are all that is asked for: a call that needs more is a 502, and any other 403 the server's own", () =>
  guarded(async (proxy, server, issuer) => {
    const caller = await new SessionCaller(proxy).ready();
    let challenge = 'Bearer error="insufficient_scope", scope="files:write"';
    server.instead = (_request, text) =>
      text.includes("tools/call")
        ? Response.json({}, { status: 403, headers: { "www-authenticate": challenge } })
        : undefined;
    const refused = await caller.ask("tools/call", { name: "x" });
    assertEquals([refused.status, JSON.parse(refused.text).error.code], [502, -31502]);
    assertEquals(refusals(proxy).map(({ scopes }) => scopes), ["files:write"]);
    challenge = "Bearer";
    assertEquals((await caller.ask("tools/call", { name: "x" })).status, 403);
    assertEquals(issuer.requests.map(({ form }) => form.get("scope")), ["files:read"]);
  }, { scopes: ["files:read"] }));

Deno.test("a server that wants no token gets the proxy's all the same", async () => {
  await using issuer = tokenIssuer();
  await using behind = sessionUpstream();
  await using server = guardedServer(issuer, behind.url);
  server.instead = (_request, _text, token) =>
    token === "none" ? Response.json({}, { status: 400 }) : undefined;
  server.metadata = undefined;
  const upstreamConfig = { era: "both", oauth: issuer.oauth };
  await withProxy({ upstream: server.url, upstreamConfig }, async (proxy) => {
    await new SessionCaller(proxy).ready();
    assertEquals(server.asked[1], "POST initialize canary-token-1");
  });
});
