/**
 * A server that wants a token, or another one, on every way from a client of one era and transport to a server of the
 * same or another: the client is told with 401 and the challenge, and goes on where it was with the new token.
 *
 * Sources: RFC 9110 section 15.5.2, RFC 9728 section 5.1; 2026-07-28 and 2025-11-25 basic/authorization, "Error
 * Handling"; R77, R99.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { CHALLENGE_WAIT_MS } from "../front/http_sse.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import * as peerClients from "../testing/peer_clients.ts";
import * as peers from "../testing/peer_servers.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, type RawResponse } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller, sseGet } from "../testing/sse_caller.ts";
import { GATE_METADATA, tokenGate } from "../testing/token_gate.ts";

const { PEER_SERVERS } = peers;
const { modernPost } = peerClients;
const AT_ONCE = { attempts: 1, initialDelayMs: 1, maxDelayMs: 1 };
const LIST = JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/list", params: {} });

/** A client, whose token is another one with each request. */
interface Caller extends Disposable {
  /** Begins; the answer that decides. */
  begin(token: string): Promise<RawResponse>;
  /** Lists the tools: what its POST is answered with, and the text that has the result. */
  list(token: string): Promise<{ post: RawResponse; result: () => Promise<string> }>;
  /** Where a challenge says that its metadata is. */
  readonly metadata: string;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const CALLERS: Readonly<Record<string, (proxy: TestProxy) => Promise<Caller>>> = {
  session: ({ origin }) => {
    let fields: Record<string, string> = {};
    return Promise.resolve({
      metadata: "/mcp",
      async begin(token) {
        const answer = await exchange(origin, jsonPost(messages.initialize(), bearer(token)));
        const session = answer.headers.get("mcp-session-id");
        if (session === undefined) return answer;
        fields = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
        await exchange(origin, jsonPost(messages.initialized, { ...fields, ...bearer(token) }));
        return answer;
      },
      async list(token) {
        const post = await exchange(origin, jsonPost(LIST, { ...fields, ...bearer(token) }));
        return { post, result: () => Promise.resolve(post.text) };
      },
      [Symbol.dispose]: () => {},
    });
  },
  modern: ({ origin }) =>
    Promise.resolve({
      metadata: "/mcp",
      begin: (token) => exchange(origin, modernPost("server/discover", {}, bearer(token))),
      async list(token) {
        const post = await exchange(origin, modernPost("tools/list", {}, bearer(token), 5));
        return { post, result: () => Promise.resolve(post.text) };
      },
      [Symbol.dispose]: () => {},
    }),
  "HTTP+SSE": async ({ origin }) => {
    const caller = await sseCaller(origin, "/sse");
    const post = (body: string, token: string) =>
      exchange(origin, jsonPost(body, bearer(token), caller.endpoint));
    return {
      metadata: "/sse",
      async begin(token) {
        const answer = await post(messages.initialize(), token);
        if (answer.status !== 202) return answer;
        await caller.next();
        await post(messages.initialized, token);
        return answer;
      },
      async list(token) {
        return { post: await post(LIST, token), result: () => caller.next() };
      },
      [Symbol.dispose]: () => caller[Symbol.dispose](),
    };
  },
};

function assertChallenged({ status, headers, text }: RawResponse, path: string): void {
  assertEquals(status, 401);
  assertEquals(
    headers.get("www-authenticate"),
    `Bearer error="invalid_token", ` +
      `resource_metadata="http://localhost/.well-known/oauth-protected-resource${path}"`,
  );
  assert(!text.includes("127.0.0.1") && !text.includes(GATE_METADATA), text);
}

for (const [clientKind, callerOf] of Object.entries(CALLERS)) {
  for (const serverKind of ["session", "modern", "HTTP+SSE"] as const) {
    Deno.test(`RFC 9728 5.1 ${clientKind} client, ${serverKind} server: a missing and an old token are 401 with the challenge, and the next one goes on`, async () => {
      await using server = PEER_SERVERS[serverKind]();
      await using gate = tokenGate(server.upstream.url as string, "first");
      const upstreamConfig = {
        ...server.upstream,
        url: gate.url,
        credentials: "forward",
        reconnect: AT_ONCE,
      };
      await withProxy({ upstreamConfig }, async (proxy) => {
        using caller = await callerOf(proxy);
        assertChallenged(await caller.begin("none"), caller.metadata);
        assertEquals([200, 202].includes((await caller.begin("first")).status), true);
        const begun = await caller.list("first");
        assert((await begun.result()).includes('"tools"'));
        gate.token = "second";
        const old = await caller.list("first");
        assertChallenged(old.post, caller.metadata);
        const renewed = await caller.list("second");
        assertEquals([200, 202].includes(renewed.post.status), true);
        assert((await renewed.result()).includes('"tools"'));
        // One session for a client of the session era: nothing was begun anew behind its back.
        const begins = server.messages.filter(({ method }) => method === "initialize").length;
        if (clientKind !== "modern") assertEquals(begins, serverKind === "modern" ? 0 : 1);
      });
    });
  }
}

for (const method of ["GET", "DELETE"]) {
  Deno.test(`RFC 9728 5.1 ${method} in a session with an old token is 401 with the challenge, and the session stays`, async () => {
    await using server = PEER_SERVERS.session();
    await using gate = tokenGate(server.upstream.url as string, "first");
    const upstreamConfig = { ...server.upstream, url: gate.url, credentials: "forward" };
    await withProxy({ upstreamConfig }, async ({ origin }) => {
      const begun = await exchange(origin, jsonPost(messages.initialize(), bearer("first")));
      const session = {
        "mcp-session-id": begun.headers.get("mcp-session-id")!,
        "mcp-protocol-version": "2025-11-25",
      };
      gate.token = "second";
      const head = sseGet("/mcp", { ...session, ...bearer("first") }).replace("GET", method);
      assertChallenged(await exchange(origin, head), "/mcp");
      const listed = await exchange(origin, jsonPost(LIST, { ...session, ...bearer("second") }));
      assertEquals(listed.status, 200);
    });
  });
}

Deno.test("R66 a lost session whose token is refused as well is 401 with the challenge, and is made anew with the next one", async () => {
  await using server = sessionUpstream();
  await using gate = tokenGate(server.url, "first");
  const upstreamConfig = { url: gate.url, credentials: "forward" };
  await withProxy({ upstreamConfig }, async ({ origin }) => {
    const begun = await exchange(origin, jsonPost(messages.initialize(), bearer("first")));
    const session = {
      "mcp-session-id": begun.headers.get("mcp-session-id")!,
      "mcp-protocol-version": "2025-11-25",
    };
    const list = (token: string) =>
      exchange(origin, jsonPost(LIST, { ...session, ...bearer(token) }));
    assertEquals((await list("first")).status, 200);
    server.forget();
    // It was let through once more, and is refused where the session is to be made anew.
    gate.closesAt = "initialize";
    assertChallenged(await list("first"), "/mcp");
    gate.closesAt = undefined;
    gate.token = "second";
    assertEquals((await list("second")).status, 200);
    assertEquals(server.told().filter((one) => one === "initialize").length, 2);
  });
});

Deno.test("a POST of HTTP+SSE waits for a refusal for CHALLENGE_WAIT_MS; one that comes later is told on the stream", async () => {
  const clock = new ManualClock();
  const refuse = Promise.withResolvers<void>();
  await using server = scriptedUpstream(async (_, to) => {
    await refuse.promise;
    const field = { "www-authenticate": 'Bearer error="invalid_token"' };
    await to.write(jsonAnswer('{"error":"invalid_token"}', field, "401 Unauthorized"));
  });
  const upstreamConfig = { credentials: "forward", era: "both" };
  await withProxy({ upstream: server.url, upstreamConfig, clock }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    let isAnswered = false;
    const posting = caller.post(messages.initialize()).finally(() => isAnswered = true);
    await server.received(0);
    clock.advance(CHALLENGE_WAIT_MS - 1);
    // Whatever could answer it by then has had its turn when another request is answered.
    await exchange(origin, "GET /none HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assertEquals(isAnswered, false);
    clock.advance(CHALLENGE_WAIT_MS);
    assertEquals((await posting).status, 202);
    refuse.resolve();
    assertEquals(JSON.parse(await caller.next()).error.code, -31502);
  });
});
