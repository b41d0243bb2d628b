/**
 * The proxy's access token for a server, over real sockets and with time that stands still: how long it is used, and how
 * often one is asked for.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import * as ownTokens from "../testing/own_tokens.ts";
import * as serverToken from "../testing/server_token.ts";
import { ASK_TIMEOUT_MS } from "./discovery.ts";
import { MARGIN_MS, MAX_LIFETIME_MS } from "./renewals.ts";
import { CALM_MS, MAX_SCOPES } from "./server_token.ts";

const { SCOPE } = ownTokens;
const { lacking, REFUSED, under } = serverToken;

Deno.test("all who want a token at a time wait for one, and who has gone waits no longer", () =>
  under(async ({ source, issuer }) => {
    const given = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    issuer.instead = async (path) => {
      if (path !== "/token") return undefined;
      asked.resolve();
      await given.promise;
      return undefined;
    };
    const all = Array.from({ length: 20 }, () => source.current(NEVER_ABORTED));
    const gone = new AbortController();
    const left = assertRejects(() => source.current(gone.signal), ProxyError);
    await asked.promise;
    gone.abort();
    assertEquals((await left).kind, "client_closed");
    given.resolve();
    assertEquals(new Set(await Promise.all(all)).size, 1);
    assertEquals(issuer.requests.length, 1);
  }));

Deno.test("a token is renewed behind a request ahead of its end, once, and nobody waits for that", async () => {
  for (const [lifetimeS, marginMs] of [[3_600, MARGIN_MS], [100, 20_000]] as const) {
    await under(async ({ source, issuer, clock, server, told }) => {
      issuer.lifetimeS = lifetimeS;
      const first = await source.current(NEVER_ABORTED);
      clock.advance(lifetimeS * 1_000 - marginMs - 1);
      assertEquals(source.atHand(), first);
      assertEquals(issuer.requests.length, 1);
      clock.advance(1);
      assertEquals([source.atHand(), source.atHand()], [first, first]);
      await told(2);
      assertEquals([source.atHand()!.value, issuer.requests.length], ["canary-token-2", 2]);
      // What was found out is used again.
      assertEquals([server.asked.length, issuer.paths.length], [1, 3]);
    });
  }
});

Deno.test("a token that has ended is none, and one that says nothing of its end is asked for anew in a week", async () => {
  for (const lifetimeS of [60, undefined]) {
    await under(async ({ source, issuer, clock }) => {
      issuer.lifetimeS = lifetimeS;
      await source.current(NEVER_ABORTED);
      clock.advance(lifetimeS === undefined ? MAX_LIFETIME_MS : 60_000);
      assertEquals(source.atHand(), undefined);
      assertEquals((await source.current(NEVER_ABORTED)).value, "canary-token-2");
    });
  }
});

Deno.test("an authorization server that fails is left alone for longer and longer, and asked at once where it has given a token", () =>
  under(async ({ source, issuer, clock, failure, stats, logs }) => {
    issuer.instead = (path) => path === "/token" ? new Response("no", { status: 503 }) : undefined;
    const waits: string[] = [];
    for (let times = 1; times <= 8; times++) {
      const { kind, status, retrySafe, headers } = await failure();
      assertEquals([kind, status, retrySafe], ["server_token_unavailable", 503, true]);
      const seconds = Number(headers["retry-after"]);
      waits.push(headers["retry-after"]!);
      // Nobody is asked meanwhile, however many want to know.
      clock.advance(seconds * 1_000 - 1);
      await Promise.all([failure(), failure(), failure()]);
      assertEquals(issuer.requests.length, times);
      clock.advance(1);
    }
    assertEquals(waits, ["1", "2", "4", "8", "16", "32", "60", "60"]);
    assertEquals(stats, { fetched: 0, failed: 8, refused: 0 });
    assertEquals(
      logs.map(({ reason }) => reason),
      new Array(8).fill("its token endpoint answered 503"),
    );
    issuer.instead = undefined;
    await source.current(NEVER_ABORTED);
    issuer.instead = (path) => path === "/token" ? new Response("no", { status: 503 }) : undefined;
    clock.advance(3_600_000);
    assertEquals((await failure()).headers["retry-after"], "1");
  }));

Deno.test("RFC 9110 10.2.3: an authorization server is left alone for as long as it wants, five minutes at most", async () => {
  const at = new Date(Date.UTC(2026, 0, 1) + 90_000).toUTCString();
  for (const path of ["/token", "/.well-known/oauth-authorization-server"]) {
    for (const [later, wanted] of [["30", "30"], [at, "90"], ["99999", "300"], ["soon", "1"]]) {
      await under(async ({ issuer, clock, failure, source }) => {
        const headers = { "retry-after": later! };
        issuer.instead = (asked) =>
          asked === path ? new Response("no", { status: 503, headers }) : undefined;
        assertEquals((await failure()).headers["retry-after"], wanted);
        const asked = issuer.paths.length;
        clock.advance(Number(wanted) * 1_000 - 1);
        await failure();
        assertEquals(issuer.paths.length, asked);
        clock.advance(1);
        issuer.instead = undefined;
        await source.current(NEVER_ABORTED);
      });
    }
  }
});

Deno.test("a renewal that fails takes no token away that is still good", () =>
  under(async ({ source, issuer, clock, stats, told }) => {
    const first = await source.current(NEVER_ABORTED);
    issuer.instead = () => new Response("no", { status: 500 });
    clock.advance(3_600_000 - MARGIN_MS);
    assertEquals(source.atHand(), first);
    await told(2);
    assertEquals([source.atHand(), source.atHand()], [first, first]);
    assertEquals(stats, { fetched: 1, failed: 1, refused: 0 });
    issuer.instead = undefined;
    clock.advance(1_000);
    assertEquals(source.atHand(), first);
    await told(3);
    assertEquals(source.atHand()!.value, `canary-token-${issuer.requests.length}`);
  }));

Deno.test("while the server itself cannot be reached a token is not renewed behind each request", async () => {
  let opened = 0;
  let isDown = false;
  await under(async ({ source, clock, logs }) => {
    const first = await source.current(NEVER_ABORTED);
    // What was found out is forgotten by that.
    isDown = true;
    await assertRejects(() => source.instead(first, REFUSED, NEVER_ABORTED), ProxyError);
    assertEquals(opened, 2);
    clock.advance(3_600_000 - MARGIN_MS);
    for (let times = 0; times < 3; times++) assertEquals(source.atHand(), first);
    await assertRejects(() => source.instead(first, REFUSED, NEVER_ABORTED), ProxyError);
    assertEquals([opened, source.atHand(), source.atHand()], [3, first, first]);
    assertEquals(opened, 3);
    clock.advance(2_000);
    source.atHand();
    assertEquals([opened, logs.length], [4, 1]);
    await assertRejects(() => source.instead(first, REFUSED, NEVER_ABORTED), ProxyError);
  }, ({ server, clock }) => ({
    servers: () => {
      opened++;
      return [serverToken.serverAt(isDown ? "http://127.0.0.1:1/mcp" : server.url, clock)];
    },
  }));
});

Deno.test("a client that the authorization server does not know is told apart from one that it cannot serve now", () =>
  under(async ({ issuer, failure, clock, logs }) => {
    issuer.instead = (path) =>
      path === "/token"
        ? Response.json({ error: "invalid_client", error_description: "canary" }, { status: 401 })
        : undefined;
    for (let times = 0; times < 2; times++) {
      const { kind, status, retrySafe, message } = await failure();
      assertEquals([kind, status, retrySafe], ["server_access_refused", 502, true]);
      assert(!message.includes("canary"));
    }
    assertEquals(issuer.requests.length, 1);
    assertEquals(logs[0]!.reason, "its token endpoint answered 401 with invalid_client");
    clock.advance(1_000);
    await failure();
    assertEquals(issuer.requests.length, 2);
  }));

Deno.test("an answer with a token has 64 KiB at most", () =>
  under(async ({ issuer, failure, logs }) => {
    issuer.instead = (path) =>
      path === "/token"
        ? Response.json({ access_token: "x", more: "y".repeat(65_536) })
        : undefined;
    assertEquals((await failure()).kind, "server_token_unavailable");
    assertEquals(logs[0]!.reason, "it has more than 65536 bytes");
  }));

Deno.test("an authorization server that hangs is given up, and what was waited for is told", () =>
  under(async ({ issuer, clock, source, logs, server }) => {
    const hanging = Promise.withResolvers<Response>();
    const asked = Promise.withResolvers<void>();
    issuer.instead = (path) => path === "/token" ? (asked.resolve(), hanging.promise) : undefined;
    const waiting = assertRejects(() => source.current(NEVER_ABORTED), ProxyError);
    await asked.promise;
    clock.advance(5_000);
    assertEquals((await waiting).kind, "server_token_unavailable");
    assertEquals(logs[0]!.reason, "it took longer than 5 seconds");
    // The server itself, too: it is its own failure then.
    const silent = Promise.withResolvers<Response>();
    const reached = Promise.withResolvers<void>();
    server.instead = () => (reached.resolve(), silent.promise);
    clock.advance(1_000);
    const again = assertRejects(() => source.current(NEVER_ABORTED), ProxyError);
    await reached.promise;
    clock.advance(ASK_TIMEOUT_MS);
    assertEquals((await again).kind, "upstream_timeout");
    hanging.resolve(new Response());
    silent.resolve(new Response());
  }));

Deno.test("a token that the server refuses is replaced once for all who are refused, and what the server wants is looked up anew", () =>
  under(async ({ source, issuer, server }) => {
    const first = await source.current(NEVER_ABORTED);
    const instead = () => source.instead(first, REFUSED, NEVER_ABORTED);
    const others = await Promise.all([instead(), instead(), instead()]);
    assertEquals(others.map((token) => token!.value), new Array(3).fill("canary-token-2"));
    // Who comes late gets what is there.
    assertEquals((await instead())!.value, "canary-token-2");
    assertEquals([issuer.requests.length, server.asked.length], [2, 2]);
  }));

Deno.test("a token that is refused is in use until there is another, also while none can be had", () =>
  under(async ({ source, issuer, clock, stats }) => {
    const first = await source.current(NEVER_ABORTED);
    issuer.instead = (path) => path === "/token" ? new Response("no", { status: 503 }) : undefined;
    const instead = () => source.instead(first, REFUSED, NEVER_ABORTED);
    for (let times = 0; times < 2; times++) {
      const renewing = assertRejects(instead, ProxyError);
      assertEquals(await source.current(NEVER_ABORTED), first);
      assertEquals((await renewing).kind, "server_token_unavailable");
      assertEquals(source.atHand(), first);
    }
    assertEquals([issuer.requests.length, stats.refused], [2, 0]);
    issuer.instead = undefined;
    // What has failed there is no token that was refused.
    clock.advance(1_000);
    assertEquals((await instead())!.value, "canary-token-3");
  }));

Deno.test("tokens that live for less than ten minutes are forgiven too: where nothing was refused for that long", () =>
  under(async ({ source, issuer, clock }) => {
    issuer.lifetimeS = 300;
    const refused = async () =>
      await source.instead(await source.current(NEVER_ABORTED), REFUSED, NEVER_ABORTED);
    for (let times = 0; times < 8; times++) {
      assert(await refused());
      clock.advance(CALM_MS);
    }
    assert(await refused());
    clock.advance(999);
    assertEquals(await refused(), undefined);
    clock.advance(1);
    assert(await refused());
  }));

Deno.test("a refusal is told with the target whose it was", () =>
  under(async ({ source, logs }) => {
    const token = await source.current(NEVER_ABORTED);
    source.tellRefused(token, REFUSED, { target: "b" });
    assertEquals([logs[0]!.target, logs[1]!.target], [undefined, "b"]);
  }));

Deno.test("a refusal that says what is wanted is believed, and the server not asked again", () =>
  under(async ({ source, issuer, server }) => {
    const first = await source.current(NEVER_ABORTED);
    const wanted = { metadata: undefined, scopes: ["files:read"], error: "invalid_token" };
    const next = await source.instead(first, { kind: "token", wanted }, NEVER_ABORTED);
    assertEquals(next!.scopes, [SCOPE, "files:read"]);
    assertEquals(issuer.requests[1]!.form.get("scope"), `${SCOPE} files:read`);
    assertEquals(server.asked.length, 1);
  }));

Deno.test("scopes that there were are asked for again, also where a refusal names none", () =>
  under(async ({ source, server, issuer }) => {
    server.challenge = 'scope="a b"';
    const first = await source.current(NEVER_ABORTED);
    server.challenge = 'error="invalid_token"';
    const next = await source.instead(first, REFUSED, NEVER_ABORTED);
    assertEquals([first.scopes, next!.scopes], [["a", "b"], ["a", "b"]]);
    assertEquals(issuer.requests.length, 2);
  }));

Deno.test("a server that refuses each new token has none fetched for each call, and is asked as before", () =>
  under(async ({ source, issuer, clock, stats, logs }) => {
    let token = await source.current(NEVER_ABORTED);
    const fetchedAt: number[] = [];
    for (let seconds = 0; seconds < 120; seconds++) {
      const other = await source.instead(token, REFUSED, NEVER_ABORTED);
      if (other !== undefined) fetchedAt.push(seconds);
      token = other ?? token;
      // The one at hand goes on: the server may mend.
      assertEquals(source.atHand(), token);
      clock.advance(1_000);
    }
    assertEquals(fetchedAt, [0, 1, 3, 7, 15, 31, 63]);
    assertEquals([stats.refused, issuer.requests.length], [113, 8]);
    // Told once for each token.
    const told = logs.filter(({ message }) =>
      message === "the server refuses the proxy's access token"
    );
    assertEquals(told.length, 6);
    clock.advance(CALM_MS);
    // It starts over then.
    for (const waitMs of [0, 1_000]) {
      clock.advance(waitMs);
      assert(await source.instead(source.atHand()!, REFUSED, NEVER_ABORTED));
      assertEquals(await source.instead(source.atHand()!, REFUSED, NEVER_ABORTED), undefined);
    }
  }));

Deno.test("2026-07-28 step-up: scopes that are lacking are asked for with those there were, once for all", () =>
  under(async ({ source, issuer, server }) => {
    const first = await source.current(NEVER_ABORTED);
    const up = (...scopes: string[]) => source.instead(first, lacking(...scopes), NEVER_ABORTED);
    const [one, same, other] = await Promise.all([up("a"), up("a"), up("b")]);
    assertEquals([one!.value, same!.value, other!.value], [
      "canary-token-2",
      "canary-token-2",
      "canary-token-3",
    ]);
    assertEquals(issuer.requests.map(({ form }) => form.get("scope")), [
      SCOPE,
      `${SCOPE} a`,
      `${SCOPE} a b`,
    ]);
    assertEquals(
      await source.instead(source.atHand()!, lacking("a", "b"), NEVER_ABORTED),
      undefined,
    );
    assertEquals(await up("a"), source.atHand());
    assertEquals([issuer.requests.length, server.asked.length], [3, 1]);
  }));

Deno.test("scopes of the config are all that is asked for, and 64 of them are gathered at most", async () => {
  await under(async ({ source, issuer, stats, logs }) => {
    const first = await source.current(NEVER_ABORTED);
    const refusal = lacking("b", "https://canary.example.com");
    assertEquals(await source.instead(first, refusal, NEVER_ABORTED), undefined);
    const { message, reason, scopes } = logs.at(-1)!;
    assertEquals([message, reason, scopes], [
      "the server refuses the proxy's access token",
      "insufficient_scope",
      "b",
    ]);
    assertEquals([issuer.requests.length, stats.refused], [1, 1]);
  }, { scopes: ["a"] });
  await under(async ({ source, issuer }) => {
    const some = (from: number) => Array.from({ length: 32 }, (_, at) => `s${from + at}`);
    const first = await source.current(NEVER_ABORTED);
    const next = await source.instead(first, lacking(...some(0)), NEVER_ABORTED);
    assertEquals(await source.instead(next!, lacking(...some(32)), NEVER_ABORTED), undefined);
    assertEquals([issuer.requests.length, MAX_SCOPES], [2, 64]);
  });
});

/** An authorization server that gives tokens for one scope, and no other. */
function onlyScope(issuer: { instead: unknown }, otherwise = invalidScope): void {
  issuer.instead = (path: string, request?: { readonly form: URLSearchParams }) =>
    path === "/token" && request!.form.get("scope") !== SCOPE ? otherwise() : undefined;
}

function invalidScope(): Response | Promise<Response> {
  return Response.json({ error: "invalid_scope" }, { status: 400 });
}

Deno.test("scopes that the authorization server does not give take no token away, hold up no renewal, and are not asked for again at once", () =>
  under(async ({ source, issuer, clock, stats }) => {
    const first = await source.current(NEVER_ABORTED);
    onlyScope(issuer);
    const up = async (scope: string) => {
      const token = source.atHand()!;
      const stepUp = () => source.instead(token, lacking(scope), NEVER_ABORTED);
      return (await assertRejects(stepUp, ProxyError)).kind;
    };
    assertEquals([await up("a"), await up("a")], new Array(2).fill("server_access_refused"));
    assertEquals([source.atHand(), issuer.requests.length, stats.failed], [first, 2, 1]);
    // Others have theirs renewed meanwhile, and what was found out holds.
    assertEquals((await source.instead(first, REFUSED, NEVER_ABORTED))!.value, "canary-token-3");
    assertEquals(source.atHand()!.scopes, [SCOPE]);
    // Each set of scopes has its own wait, which doubles.
    for (const [scope, requests] of [["a", 3], ["b", 4], ["b", 4]] as const) {
      assertEquals([await up(scope), issuer.requests.length], ["server_access_refused", requests]);
    }
    for (const [waitMs, requests] of [[1_000, 5], [1_999, 5], [1, 6]] as const) {
      clock.advance(waitMs);
      assertEquals([await up("a"), issuer.requests.length], ["server_access_refused", requests]);
    }
    issuer.instead = undefined;
    clock.advance(4_000);
    const wider = await source.instead(source.atHand()!, lacking("a"), NEVER_ABORTED);
    assertEquals(wider!.scopes, [SCOPE, "a"]);
  }));

Deno.test("a token is renewed for who has waited behind a step-up that came to nothing", async () => {
  for (const isEnded of [false, true]) {
    await under(async ({ source, issuer, clock }) => {
      issuer.lifetimeS = 2;
      const first = await source.current(NEVER_ABORTED);
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<Response>();
      onlyScope(issuer, () => (asked.resolve(), answer.promise));
      const stepUp = () => source.instead(first, lacking("a"), NEVER_ABORTED);
      const up = assertRejects(stepUp, ProxyError);
      await asked.promise;
      if (isEnded) clock.advance(2_000);
      const other = isEnded
        ? source.current(NEVER_ABORTED)
        : source.instead(first, REFUSED, NEVER_ABORTED);
      answer.resolve(await invalidScope());
      assertEquals((await up).kind, "server_access_refused");
      assertEquals((await other)!.value, "canary-token-3");
    });
  }
});

Deno.test("a step-up that fails since the authorization server does is a failure like any other, and its scopes are kept", () =>
  under(async ({ source, issuer, clock }) => {
    const first = await source.current(NEVER_ABORTED);
    const wider = await source.instead(first, lacking("a"), NEVER_ABORTED);
    issuer.instead = (path) => path === "/token" ? new Response("no", { status: 503 }) : undefined;
    for (const refusal of [lacking("b"), REFUSED]) {
      const another = () => source.instead(wider!, refusal, NEVER_ABORTED);
      assertEquals((await assertRejects(another, ProxyError)).kind, "server_token_unavailable");
    }
    assertEquals(issuer.requests.length, 3);
    issuer.instead = undefined;
    clock.advance(3_600_000);
    assertEquals((await source.current(NEVER_ABORTED)).scopes, [SCOPE, "a"]);
  }));

Deno.test("close() gives up what is being fetched, and nothing is fetched any more", () =>
  under(async ({ source, issuer, logs }) => {
    const asked = Promise.withResolvers<void>();
    const hanging = Promise.withResolvers<Response>();
    issuer.instead = (path) => path === "/token" ? (asked.resolve(), hanging.promise) : undefined;
    const waiting = assertRejects(() => source.current(NEVER_ABORTED), ProxyError);
    await asked.promise;
    source.close();
    assertEquals((await waiting).kind, "server_token_unavailable");
    assertEquals(
      (await assertRejects(() => source.current(NEVER_ABORTED), ProxyError)).kind,
      "server_token_unavailable",
    );
    assertEquals([issuer.requests.length, logs], [1, []]);
    hanging.resolve(new Response());
  }));
