/**
 * The proxy's own access tokens on every way to a server: HTTP+SSE, across eras, streams that are opened again, several
 * targets, probes, reloads.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { startSessionServer } from "../../conformance/servers/session.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import * as ownTokens from "../testing/own_tokens.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost, postText } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const { guardedServer, tokenIssuer } = ownTokens;
const CALL = { name: "test_echo", arguments: { message: "weft" } };

function isGuarded({ asked }: ownTokens.GuardedServer, tokens: readonly string[]): void {
  const [first, ...others] = asked;
  assert(first!.endsWith(" none"), first);
  for (const one of others.filter((one) => !/^(POST ping|GET) none$/.test(one))) {
    assert(tokens.some((token) => one.endsWith(` ${token}`)), asked.join("\n"));
  }
}

const TOKEN = "canary-token-1";

Deno.test("a server of HTTP+SSE gets the token with its stream and with each message, and a new one where it refuses that", async () => {
  await using issuer = tokenIssuer();
  const behind = await startHttpSseServer();
  await using server = guardedServer(issuer, behind.url);
  const upstreamConfig = { transport: "http+sse", oauth: issuer.oauth };
  try {
    await withProxy({ upstream: server.url, upstreamConfig }, async (proxy) => {
      const caller = await new SessionCaller(proxy).ready();
      assertEquals(server.asked[0], "GET none");
      assertEquals((await caller.ask("tools/list")).status, 200);
      isGuarded(server, [TOKEN]);
      issuer.good.clear();
      const before = server.asked.length;
      assertEquals((await caller.ask("tools/list")).status, 200);
      const after = server.asked.slice(before);
      assertEquals(after, [
        `POST tools/list ${TOKEN}`,
        "POST tools/list canary-token-2",
      ]);
    });
  } finally {
    await behind.close();
  }
});

const SERVERS = { "server of sessions": startSessionServer, "modern server": startModernServer };

for (const [name, start] of Object.entries(SERVERS)) {
  Deno.test(`${name}: clients of all eras and transports reach it with the proxy's token, and what it speaks is found out with it`, async () => {
    await using issuer = tokenIssuer();
    const behind = start();
    await using server = guardedServer(issuer, behind.url);
    try {
      await withProxy(
        { upstream: server.url, upstreamConfig: { oauth: issuer.oauth } },
        async (proxy) => {
          const session = await new SessionCaller(proxy).ready();
          const answers = [await session.ask("tools/call", CALL), await modernCall(proxy)];
          for (const { status, text } of answers) {
            assert(status === 200 && text.includes("weft"), text);
          }
          using sse = await sseCaller(proxy.origin);
          await sse.start();
          await sse.post(
            JSON.stringify({ jsonrpc: "2.0", id: 3, method: "tools/call", params: CALL }),
          );
          assert((await sse.next()).includes("weft"));
          isGuarded(server, [TOKEN]);
          assertEquals(issuer.requests.length, 1);
          issuer.good.clear();
          for (
            const { status, text } of [
              await session.ask("tools/call", CALL),
              await modernCall(proxy),
            ]
          ) {
            assert(status === 200 && text.includes("weft"), text);
          }
          isGuarded(server, [TOKEN, "canary-token-2"]);
          assertEquals(issuer.requests.length, 2);
        },
      );
    } finally {
      await behind.close();
    }
  });
}

function modernCall({ origin }: TestProxy) {
  return postText(origin, messages.modern("tools/call", CALL), {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "test_echo",
  });
}

Deno.test("a subscription of a modern client on a server of sessions, and shared sessions, go with the proxy's token", async () => {
  await using issuer = tokenIssuer();
  const behind = startSessionServer();
  await using server = guardedServer(issuer, behind.url);
  try {
    const upstreamConfig = { sessions: "shared", oauth: issuer.oauth };
    await withProxy({ upstream: server.url, upstreamConfig }, async (proxy) => {
      const callers = [new SessionCaller(proxy), new SessionCaller(proxy)];
      for (const caller of callers) {
        await caller.ready();
        const { text } = await caller.ask("tools/call", CALL);
        assert(text.includes("weft"), text);
      }
      const begun = server.asked.filter((one) => one.startsWith("POST initialize"));
      assertEquals(begun, [`POST initialize ${TOKEN}`]);
      const notifications = { toolsListChanged: true };
      const body = messages.modern("subscriptions/listen", { notifications });
      const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
      using listening = await eventClient.begin(proxy.origin, jsonPost(body, fields));
      const { data } = await listening.next() as eventClient.ReadEvent;
      assert(data!.includes("subscriptions/acknowledged"), data);
      await server.wasAsked(new RegExp(`^GET ${TOKEN}$`), 1);
      isGuarded(server, [TOKEN]);
      assertEquals(issuer.requests.length, 1);
    });
  } finally {
    await behind.close();
  }
});

Deno.test("a stream that broke off is opened again with the token of then", async () => {
  await using issuer = tokenIssuer();
  await using behind = eventServer();
  await using server = guardedServer(issuer, behind.url);
  const upstreamConfig = { ...reloading.AT_ONCE, oauth: issuer.oauth };
  await withProxy({ upstream: server.url, upstreamConfig }, async (proxy) => {
    const id = await eventClient.openSession(proxy.origin);
    const listening = eventClient.listen(proxy.origin, id);
    const stream = await behind.stream(0);
    await stream.send("id: e1\ndata: one\n\n");
    using client = await listening;
    const said = async () => {
      for (;;) {
        const { data } = await client.next() as eventClient.ReadEvent;
        if (data !== undefined && data !== "") return data;
      }
    };
    assertEquals(await said(), "one");
    issuer.good.clear();
    stream.breakOff();
    const next = await behind.stream(1);
    await next.send("id: e2\ndata: two\n\n");
    assertEquals(await said(), "two");
    const gets = server.asked.filter((one) => one.startsWith("GET"));
    assertEquals(gets, [`GET ${TOKEN}`, `GET ${TOKEN}`, "GET canary-token-2"]);
  });
});

Deno.test("a server of HTTP/2 gets the token, and a new one where it refuses that", async () => {
  await using issuer = tokenIssuer();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const token = String(request.headers.authorization ?? "none").replace("Bearer ", "");
    asked.push(`${request.method} ${request.url} ${token}`);
    request.resume().on("end", () => {
      const status = request.url !== "/mcp" ? 404 : issuer.good.has(token) ? 200 : 401;
      response.writeHead(status, { "content-type": "application/json" });
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const upstreamConfig = { era: "both", http2: true, oauth: issuer.oauth };
  await withProxy({ upstream: `http://127.0.0.1:${port}/mcp`, upstreamConfig }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    issuer.good.clear();
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    const calls = asked.filter((one) => one.startsWith("POST") && !one.endsWith("none"));
    assertEquals(calls, [TOKEN, TOKEN, "canary-token-2"].map((token) => `POST /mcp ${token}`));
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("targets have a token each, for its own address, or one for all where the config says what tokens are for", async () => {
  for (const resource of [undefined, "https://mcp.example.com/mcp"]) {
    await using issuer = tokenIssuer();
    await using a = guardedServer(issuer);
    await using b = guardedServer(issuer);
    const targets = [{ name: "a", url: a.url }, { name: "b", url: b.url }];
    for (const one of [a, b]) if (resource !== undefined) one.metadata = { resource };
    const upstreamConfig = {
      era: "both",
      targets,
      balance: { policy: "round-robin" },
      health: { probe: "off" },
      oauth: { ...issuer.oauth, ...(resource !== undefined && { resource }) },
    };
    await withProxy({ upstreamConfig }, async (proxy) => {
      for (let calls = 0; calls < 4; calls++) {
        assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
      }
      const asked = issuer.requests.map(({ form }) => form.get("resource"));
      assertEquals(
        asked.toSorted(),
        resource === undefined ? [a.url, b.url].toSorted() : [resource],
      );
      assertEquals([a.passed.length, b.passed.length], [2, 2]);
    });
  }
});

Deno.test("probes show the token, and a server that refuses it is up all the same; without a token they say nothing of a target", async () => {
  await using issuer = tokenIssuer();
  await using a = guardedServer(issuer);
  await using b = guardedServer(issuer);
  const targets = [{ name: "a", url: a.url }, { name: "b", url: b.url }];
  const health = { probe: "ping", intervalMs: 20, timeoutMs: 30_000, unhealthyAfter: 1 };
  const upstreamConfig = { era: "both", targets, health, oauth: issuer.oauth };
  const probed = Promise.withResolvers<void>();
  b.instead = (_request, _text, token) => {
    if (token === "none") return undefined;
    probed.resolve();
    return new Response(null, { status: 401 });
  };
  await withProxy({ upstreamConfig }, async (proxy) => {
    await probed.promise;
    await Promise.all([a, b].map((one) => one.wasAsked(/^POST ping canary/, 4)));
    assertEquals(proxy.logs.filter((line) => line.includes("down")), []);
  });
  // The authorization server is down, or does not know the proxy's client.
  const unknown = () => Response.json({ error: "invalid_client" }, { status: 401 });
  for (const answer of [() => new Response(null, { status: 503 }), unknown]) {
    const before = issuer.requests.length;
    issuer.instead = (path) => path === "/token" ? answer() : undefined;
    await withProxy({ upstreamConfig }, async (proxy) => {
      await issuer.wanted(before + 4);
      const down = proxy.logs.filter((line) => line.includes("down"));
      assertEquals(down, []);
    });
  }
});

Deno.test("a reload keeps the token where nothing of the server is another, and has one fetched with other credentials", async () => {
  await using issuer = tokenIssuer();
  await using behind = sessionUpstream();
  await using server = guardedServer(issuer, behind.url);
  const { routeTo, withReloadable } = reloading;
  const settings = (oauth: Readonly<Record<string, unknown>>, more = {}) => ({
    routes: [routeTo("mcp", server.url, { oauth })],
    ...more,
  });
  await withReloadable(settings(issuer.oauth), async (proxy) => {
    const open = async () => (await postText(proxy.origin, messages.initialize())).status;
    assertEquals([await open(), issuer.requests.length], [200, 1]);
    await proxy.put(settings(issuer.oauth, { logLevel: "info" }));
    assertEquals([await open(), issuer.requests.length], [200, 1]);
    await proxy.put(settings({ ...issuer.oauth, clientSecret: "canary-2" }));
    assertEquals([await open(), issuer.requests.length], [200, 2]);
    assertEquals(issuer.requests[1]!.authorization, `Basic ${btoa("switchyard:canary-2")}`);
  });
});

Deno.test("a reload that changes the targets alone keeps the tokens of those that stay", async () => {
  await using issuer = tokenIssuer();
  await using a = guardedServer(issuer);
  await using b = guardedServer(issuer);
  const { withReloadable } = reloading;
  const settings = (...servers: ownTokens.GuardedServer[]) => ({
    routes: [{
      path: "/mcp",
      upstream: {
        era: "both",
        oauth: issuer.oauth,
        balance: { policy: "round-robin" },
        health: { probe: "off" },
        targets: servers.map(({ url }, at) => ({ name: `t${at}`, url })),
      },
    }],
  });
  await withReloadable(settings(a), async (proxy) => {
    const ask = async () => (await postText(proxy.origin, messages.ping())).status;
    assertEquals(await ask(), 200);
    assertEquals((await proxy.put(settings(a, b))).ok, true);
    for (let calls = 0; calls < 4; calls++) assertEquals(await ask(), 200);
    assertEquals(issuer.requests.map(({ form }) => form.get("resource")), [a.url, b.url]);
    await proxy.put(settings(b));
    await proxy.put(settings(a));
    assertEquals(await ask(), 200);
    assertEquals(issuer.requests.length, 2);
  });
});

Deno.test("a proxy that stops gives up a token that is being fetched", async () => {
  await using issuer = tokenIssuer();
  await using server = guardedServer(issuer);
  const gone = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<undefined>();
  issuer.instead = (path, request) => {
    if (path !== "/token") return undefined;
    request!.signal.addEventListener("abort", () => gone.resolve());
    asked.resolve();
    return never.promise;
  };
  const upstreamConfig = { era: "both", oauth: issuer.oauth };
  let answer: Promise<{ status: number }> | undefined;
  await withProxy({ upstream: server.url, upstreamConfig }, async (proxy) => {
    answer = postText(proxy.origin, messages.ping()).catch(() => ({ status: 0 }));
    await asked.promise;
  });
  await gone.promise;
  assert([0, 503].includes((await answer!).status));
  never.resolve(undefined);
});
