/**
 * R9 to R13, R15, R20, R90: requests that are not what they seem, over a real socket.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';

/** A proxy in front of an upstream that answers every request; `count` tells how many it got. */
async function withCounted(
  test: (proxy: TestProxy, count: () => number) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy(
    { upstream: upstream.url, config },
    (proxy) => test(proxy, () => upstream.requests.length),
  );
}

function assertRefusal(text: string, code: number): void {
  const body = JSON.parse(text);
  assertEquals(Object.keys(body).toSorted(), ["error", "jsonrpc"]);
  assertEquals(Object.keys(body.error).toSorted(), ["code", "message"]);
  assertEquals(body.error.code, code);
}

const BAD_TARGETS: readonly [string, string, number][] = [
  ["R9 a missing Host", "POST /mcp HTTP/1.1\r\n", 400],
  ["R9 an empty Host", "POST /mcp HTTP/1.1\r\nhost: \r\n", 400],
  [
    "R10 an absolute-form target that differs from Host",
    "POST http://evil.test/mcp HTTP/1.1\r\nhost: localhost\r\n",
    400,
  ],
  ["R11 a Host with @", "POST /mcp HTTP/1.1\r\nhost: a@localhost\r\n", 400],
  ["R11 a Host with /", "POST /mcp HTTP/1.1\r\nhost: localhost/mcp\r\n", 400],
  ["R11 a Host with ?", "POST /mcp HTTP/1.1\r\nhost: localhost?x\r\n", 400],
  ["R12 CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n", 405],
  ["R12 TRACE", "TRACE /mcp HTTP/1.1\r\nhost: localhost\r\n", 405],
  ["R13 a path with ..", "POST /mcp/../mcp HTTP/1.1\r\nhost: localhost\r\n", 404],
  ["R13 a path with %2e%2e", "POST /x/%2e%2e/mcp HTTP/1.1\r\nhost: localhost\r\n", 404],
  ["R13 a path with //", "POST //mcp HTTP/1.1\r\nhost: localhost\r\n", 404],
  ["R13 a path behind the endpoint", "POST /mcp/ HTTP/1.1\r\nhost: localhost\r\n", 404],
  ["R90 a foreign Host", "POST /mcp HTTP/1.1\r\nhost: evil.test\r\n", 403],
  [
    "R90 a foreign Host that begins like ours",
    "POST /mcp HTTP/1.1\r\nhost: localhost.evil.test\r\n",
    403,
  ],
  [
    "R90 a foreign Origin",
    "POST /mcp HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.test\r\n",
    403,
  ],
  ["R90 the Origin null", "POST /mcp HTTP/1.1\r\nhost: localhost\r\norigin: null\r\n", 403],
  [
    "R90 an absolute-form target with a foreign Host",
    "POST http://evil.test/mcp HTTP/1.1\r\nhost: evil.test\r\n",
    403,
  ],
  [
    "R90 a foreign Host on GET",
    "GET /mcp HTTP/1.1\r\nhost: evil.test\r\naccept: text/event-stream\r\n",
    403,
  ],
  ["R90 a foreign Host on DELETE", "DELETE /mcp HTTP/1.1\r\nhost: evil.test\r\n", 403],
  ["R90 a foreign Host on OPTIONS", "OPTIONS /mcp HTTP/1.1\r\nhost: evil.test\r\n", 403],
];

for (const [name, head, status] of BAD_TARGETS) {
  Deno.test(`${name} is answered with ${status} and never goes upstream`, async () => {
    await withCounted(async (proxy, count) => {
      const body = messages.ping();
      const response = await exchange(
        proxy.origin,
        `${head}content-type: application/json\r\naccept: application/json, text/event-stream\r\n` +
          `content-length: ${body.length}\r\n\r\n${body}`,
      );
      assertEquals(response.status, status);
      assertRefusal(response.text, status === 405 ? -31405 : -31000 - status);
      assertEquals(count(), 0);
    });
  });
}

Deno.test("R9 two Hosts are answered with 400 and never go upstream", async () => {
  await withCounted(async (proxy, count) => {
    const response = await exchange(
      proxy.origin,
      "POST /mcp HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
    );
    assertEquals(response.status, 400);
    assertEquals(count(), 0);
  });
});

Deno.test("R10 an absolute-form target that agrees with Host is served", async () => {
  await withCounted(async (proxy) => {
    const post = jsonPost(messages.ping(), {}, "http://localhost/mcp");
    const response = await exchange(proxy.origin, post);
    assertEquals([response.status, response.text], [200, RESULT]);
  });
});

Deno.test("R90 where any Host is served, a page under that name is not: the name may have been rebound", async () => {
  await withCounted(async (proxy) => {
    const call = (fields: Record<string, string>) =>
      postText(proxy.origin, messages.ping(), fields);
    const host = "rebound.test:3100";
    assertEquals((await call({ host })).status, 200);
    assertEquals((await call({ host, origin: `http://${host}` })).status, 403);
  }, { allowedHosts: ["*"] });
});

Deno.test("R90 configured hosts and origins are served", async () => {
  await withCounted(async (proxy) => {
    const response = await postText(proxy.origin, messages.ping(), {
      host: "MCP.example.test:8443",
      origin: "https://app.example.test",
    });
    assertEquals(response.status, 200);
    assertEquals(
      response.headers.get("access-control-allow-origin"),
      "https://app.example.test",
    );
    assertStringIncludes(response.headers.get("vary") ?? "", "origin");
  }, { allowedHosts: ["mcp.example.test"], allowedOrigins: ["https://app.example.test"] });
});

Deno.test("R90 loopback pages are served and may read the session id", async () => {
  await withCounted(async (proxy) => {
    const response = await postText(proxy.origin, messages.ping(), {
      origin: "http://localhost:6274",
    });
    assertEquals(response.status, 200);
    assertStringIncludes(
      response.headers.get("access-control-expose-headers") ?? "",
      "mcp-session-id",
    );
  });
});

Deno.test("OPTIONS of an allowed page is answered by the proxy", async () => {
  await withCounted(async (proxy, count) => {
    const response = await exchange(
      proxy.origin,
      "OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:1\r\n" +
        "access-control-request-method: POST\r\n" +
        "access-control-request-headers: content-type,mcp-session-id,mcp-param-tenant_id\r\n\r\n",
    );
    assertEquals(response.status, 204);
    assertEquals(
      response.headers.get("access-control-allow-headers"),
      "content-type,mcp-session-id,mcp-param-tenant_id",
    );
    assertEquals(count(), 0);
  });
});

Deno.test("OPTIONS without a page says which methods there are", async () => {
  await withCounted(async (proxy) => {
    const response = await exchange(
      proxy.origin,
      "OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    assertEquals(response.status, 204);
    assertEquals(response.headers.get("allow"), "GET, POST, DELETE, OPTIONS");
  });
});

for (const method of ["PUT", "PATCH", "HEAD"]) {
  Deno.test(`${method} is answered with 405 and the methods there are`, async () => {
    await withCounted(async (proxy, count) => {
      const client = await fetch(`${proxy.origin}/mcp`, { method });
      await client.body?.cancel();
      assertEquals(client.status, 405);
      assertEquals(client.headers.get("allow"), "GET, POST, DELETE");
      assertEquals(count(), 0);
    });
  });
}

Deno.test("R15 R20 underscored and forwarding fields of the client never go upstream", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    await postText(proxy.origin, messages.ping(), {
      Mcp_Session_Id: "mine",
      mcp_method: "x",
      "x-forwarded-for": "1.2.3.4",
      "x_forwarded_host": "evil.test",
      forwarded: "for=1.2.3.4",
      "x-custom_name": "kept",
    });
    const names = upstream.requests[0]!.fields.map(([name]) => name);
    assertEquals(names.filter((name) => /_|forwarded/.test(name)), ["x-custom_name"]);
  });
});

Deno.test("the query goes upstream, unless the configured URL has one of its own", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  const post = jsonPost(messages.ping(), {}, "/mcp?a=1");
  await withProxy(
    { upstream: upstream.url },
    async ({ origin }) => void await exchange(origin, post),
  );
  await withProxy(
    { upstream: `${upstream.url}?tenant=x` },
    async ({ origin }) => void await exchange(origin, post),
  );
  assertEquals(
    upstream.requests.map(({ line }) => line),
    ["POST /mcp?a=1 HTTP/1.1", "POST /mcp?tenant=x HTTP/1.1"],
  );
});
