/**
 * Callers with access tokens for the proxy before servers of the other era: a token that was refreshed is no other
 * caller (2026-07-28 basic/authorization, "Token Handling": the token is for the proxy, and goes no further).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import { testIssuer } from "../testing/issuer.ts";
import * as messages from "../testing/messages.ts";
import * as processes from "../testing/processes.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { sessionRequest, sessionUpstream } from "../testing/session_upstream.ts";

const PUBLIC = "https://mcp.example.com";
const LIST = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };

interface Setting {
  readonly proxy: TestProxy;
  /** The status of the answer to a message that comes with a token of its own. */
  send(body: string, fields: Readonly<Record<string, string>>, sub?: string): Promise<number>;
}

async function setting(
  upstream: string | undefined,
  upstreamConfig: Readonly<Record<string, unknown>>,
  test: (setting: Setting) => Promise<void>,
): Promise<void> {
  await using issuer = await testIssuer();
  const oauth = { issuer: issuer.issuer, allowPrivateAddresses: true };
  const keys = [{ name: "ci", sha256: hashOfKey("sy_ci") }];
  const config = { publicUrl: PUBLIC, auth: { oauth, keys } };
  await withProxy({ ...(upstream && { upstream }), upstreamConfig, config }, async (proxy) => {
    let tokens = 0;
    const send: Setting["send"] = async (body, fields, sub = "alice") => {
      const claims = { aud: `${PUBLIC}/mcp`, sub, jti: String(++tokens) };
      const authorization = `Bearer ${await issuer.keys.token(claims)}`;
      const { status } = await exchange(
        proxy.origin,
        jsonPost(body, { authorization, ...fields }),
      );
      return status;
    };
    await test({ proxy, send });
  });
}

const initializes = (told: readonly string[]) => told.filter((one) => one === "initialize").length;

Deno.test("a modern client goes on in its session at the server with each token that it gets", async () => {
  await using upstream = sessionUpstream();
  await setting(upstream.url, { era: "session" }, async ({ send }) => {
    for (let at = 0; at < 4; at++) {
      assertEquals(await send(messages.modern("tools/list"), LIST), 200);
    }
    assertEquals(initializes(upstream.told()), 1);
    // R72, R98: nobody else's, whatever else says who calls.
    assertEquals(await send(messages.modern("tools/list"), LIST, "bob"), 200);
    assertEquals(initializes(upstream.told()), 2);
    assertEquals(await send(messages.modern("tools/list"), { ...LIST, "x-tenant-id": "a" }), 200);
    assertEquals(initializes(upstream.told()), 3);
    const key = { ...LIST, authorization: "Bearer sy_ci" };
    assertEquals(await send(messages.modern("tools/list"), key), 200);
    assertEquals(initializes(upstream.told()), 4);
  });
});

Deno.test("a modern client has one process for all its tokens", async () => {
  const stdio = { ...processes.stdioServer(), closeMs: 100, maxProcesses: 1 };
  await setting(undefined, { era: "session", stdio }, async ({ send }) => {
    for (let at = 0; at < 3; at++) {
      assertEquals(await send(messages.modern("tools/list"), LIST), 200);
    }
  });
});

Deno.test("what a modern server says of itself is kept for a session-era client whatever token it comes with", async () => {
  const discovered = {
    resultType: "complete",
    supportedVersions: ["2026-07-28"],
    capabilities: {},
    ttlMs: 60_000,
    cacheScope: "private",
  };
  await using upstream = scriptedUpstream((received, to) => {
    const { message: { id } } = sessionRequest(received);
    return to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result: discovered })));
  });
  await setting(upstream.url, { era: "modern" }, async ({ send }) => {
    for (const sub of ["alice", "alice", "bob"]) {
      assertEquals(await send(messages.initialize(), {}, sub), 200);
    }
    const methods = upstream.requests.map((request) => sessionRequest(request).method);
    assertEquals(methods, ["server/discover", "server/discover"]);
  });
});
