/**
 * R64, R66, R77: sessions that the upstream has lost, over real sockets.
 *
 * Source: 2025-11-25 basic/transports, "Session Management".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as herd from "../testing/herd.ts";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { jsonAnswer } from "../testing/scripted_upstream.ts";
import { assertGone, rpcError, SessionCaller } from "../testing/session_caller.ts";
import { sessionRequest, sessionUpstream } from "../testing/session_upstream.ts";

const EMPTY = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

Deno.test("R66 R77 a lost session is made anew once, with all the client had set", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("logging/setLevel", { level: "info" });
    await client.ask("resources/subscribe", { uri: "demo://a" });
    await client.ask("resources/subscribe", { uri: "demo://b" });
    await client.ask("resources/subscribe", { uri: "demo://b" });
    await client.ask("logging/setLevel", { level: "debug" });
    await client.ask("resources/unsubscribe", { uri: "demo://a" });
    const before = upstream.requests.length;
    upstream.forget();
    const answer = await client.ask("tools/call", { name: "t" }, "the id");
    assertEquals([answer.status, answer.headers.get("mcp-session-id")], [200, client.id]);
    const result = { method: "tools/call", params: { name: "t" } };
    assertEquals(JSON.parse(answer.text), { jsonrpc: "2.0", id: "the id", result });
    assertEquals(upstream.told(before), [
      "tools/call@inner-1",
      "initialize",
      "notifications/initialized@inner-2",
      "logging/setLevel@inner-2",
      "resources/subscribe@inner-2",
      "tools/call@inner-2",
    ]);
    const said = upstream.requests.slice(before).map(sessionRequest);
    assertEquals(said[1]!.text, messages.initialize());
    assertEquals(said[3]!.message.params, { level: "debug" });
    assertEquals(said[4]!.message.params, { uri: "demo://b" });
    assertEquals(said[5]!.text, said[0]!.text);
    const revisions = said.map(({ field }) => field("mcp-protocol-version"));
    assertEquals(revisions.filter((_, at) => at !== 1), Array(5).fill("2025-11-25"));
    assertEquals(revisions[1], undefined);
    await client.ask("ping");
    assertEquals(upstream.told(before + 6), ["ping@inner-2"]);
    for (const { headers, text } of client.seen) {
      assert(!JSON.stringify([...headers]).includes("inner-") && !text.includes("inner-"));
    }
    assert(!proxy.logs.join("").includes("inner-"));
  });
});

Deno.test("R66 R77 requests with the same head on one connection go out in the session that is at work", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    const client = new herd.HerdClient(origin);
    await client.connect();
    await client.open();
    const ask = async (id: string) =>
      assertEquals((await client.post(messages.ping(id))).status, 200);
    await ask("1");
    await ask("22");
    const before = upstream.requests.length;
    upstream.forget();
    await ask("3");
    await ask("4");
    client.close();
    const pings = upstream.told(before).filter((one) => one.startsWith("ping"));
    assertEquals(pings, ["ping@inner-1", "ping@inner-2", "ping@inner-2"]);
  });
});

Deno.test("R66 what was refused is not set again, nor said that was not said", async () => {
  await using upstream = sessionUpstream({
    instead: async ({ method, message: { id } }, to) => {
      if (method !== "resources/subscribe" && method !== "logging/setLevel") return false;
      const error = { code: -32602, message: "no" };
      await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, error })));
      return true;
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).open();
    await client.ask("resources/subscribe", { uri: "demo://a" });
    await client.ask("logging/setLevel", { level: "info" });
    upstream.forget();
    const before = upstream.requests.length;
    assertEquals((await client.post(messages.initialized)).status, 202);
    assertEquals(upstream.told(before), [
      "notifications/initialized@inner-1",
      "initialize",
      "notifications/initialized@inner-2",
    ]);
  });
});

Deno.test("R66 what the new session refuses is left out and told in the log", async () => {
  let refuses = false;
  await using upstream = sessionUpstream({
    instead: async ({ method, message: { id } }, to) => {
      if (!refuses || method !== "resources/subscribe") return false;
      const error = { code: -32602, message: "no" };
      await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, error })));
      return true;
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://secret" });
    upstream.forget();
    refuses = true;
    assertEquals((await client.ask("ping")).status, 200);
    const logs = proxy.logs.join("");
    assert(logs.includes("lacks what its client had set") && !logs.includes("demo://"));
  });
});

Deno.test("R66 R78 50 requests in flight: one recovery, each repeated once, none misrouted", async () => {
  const COUNT = 50;
  const allThere = Promise.withResolvers<void>();
  let there = 0;
  await using upstream = sessionUpstream({
    instead: async ({ method, session }) => {
      if (method !== "tools/call" || session !== "inner-1") return false;
      if (++there === COUNT) {
        upstream.forget();
        allThere.resolve();
      }
      await allThere.promise;
      return false;
    },
    unknown: jsonAnswer(
      '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}',
      {},
      "404 Not Found",
    ),
  });
  const upstreamConfig = { maxConnections: COUNT };
  await withProxy({ upstream: upstream.url, upstreamConfig }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    const asked = Array.from({ length: COUNT }, (_, at) => client.ask("tools/call", { at }, at));
    for (const [at, { status, text }] of (await Promise.all(asked)).entries()) {
      const result = { method: "tools/call", params: { at } };
      assertEquals([status, JSON.parse(text)], [200, { jsonrpc: "2.0", id: at, result }]);
    }
    const told = upstream.told(2);
    const count = (what: string) => told.filter((one) => one === what).length;
    assertEquals(count("initialize"), 1);
    assertEquals(count("notifications/initialized@inner-2"), 1);
    for (const session of ["inner-1", "inner-2"]) {
      const ids = upstream.requests.slice(2).map(sessionRequest)
        .filter((one) => one.method === "tools/call" && one.session === session)
        .map(({ message: { id } }) => Number(id));
      assertEquals(ids.sort((a, b) => a - b), Array.from({ length: COUNT }, (_, at) => at));
    }
    assertEquals(told.length, 2 * COUNT + 2);
  });
});

/** Answers after which a request may have run: its status, its body. */
const NOT_REPEATED: readonly (readonly [string, string])[] = [
  ["400 B", rpcError(-32600, "Session not found")],
  ["400 B", rpcError(-32000, "Bad Request: Unsupported protocol version: session")],
  ["400 B", rpcError(-32000, "Tool failed: Session not found")],
  ["400 B", rpcError(-32000, "Session not found in the table of flights")],
  ["400 B", rpcError(-32000, "Bad Request: Mcp-Session-Id header must be a single value")],
  ["400 B", "Session not found"],
  ["400 B", rpcError(-32000, `Session not found${" ".repeat(70_000)}`)],
  ["401 U", rpcError(-32000, "Session not found")],
  ["403 F", rpcError(-32000, "Session not found")],
  ["405 M", rpcError(-32000, "Session not found")],
  ["409 C", rpcError(-32000, "Session not found")],
  ["410 G", rpcError(-32000, "Session not found")],
  ["429 T", rpcError(-32000, "Session not found")],
  ["500 E", rpcError(-32000, "Session not found")],
  ["502 E", rpcError(-32000, "Session not found")],
  ["503 E", rpcError(-32000, "Session not found")],
  ["504 E", rpcError(-32000, "Session not found")],
  ["200 OK", rpcError(-32000, "Session not found")],
];

Deno.test("R64 no other answer has a POST repeated, and Retry-After is kept", async () => {
  let answer = "";
  await using upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      if (method === "tools/call") await to.write(answer);
      return method === "tools/call";
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    for (const [status, body] of NOT_REPEATED) {
      answer = jsonAnswer(body, { "retry-after": "7" }, status);
      const before = upstream.requests.length;
      const got = await client.ask("tools/call");
      assertEquals([got.status, got.headers.get("retry-after")], [parseInt(status), "7"], status);
      assertEquals(upstream.told(before), ["tools/call@inner-1"], `${status} ${body.slice(0, 99)}`);
      if (got.status !== 502 && body.length < 65_536) assertEquals(got.text, body);
    }
  });
});

Deno.test("R64 a request whose connection breaks is not repeated", async () => {
  await using upstream = sessionUpstream({
    instead: ({ method }, to) => {
      if (method === "tools/call") to.close();
      return method === "tools/call";
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    assertEquals((await client.ask("tools/call")).status, 502);
    assertEquals(upstream.told(2), ["tools/call@inner-1"]);
    assertEquals((await client.ask("ping")).status, 200);
  });
});

for (
  const [name, unknown] of [
    [
      "-32000",
      jsonAnswer(rpcError(-32000, "Bad Request: No valid session ID provided"), {}, "400 B"),
    ],
    [
      "a line of text",
      "HTTP/1.1 400 B\r\ncontent-length: 41\r\n\r\nBad Request: No valid session ID provided",
    ],
  ] as const
) {
  Deno.test(`R66 a server that says 400 and ${name} for a lost session is understood`, async () => {
    await using upstream = sessionUpstream({ unknown });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      upstream.forget();
      assertEquals((await client.ask("ping")).status, 200);
      upstream.forget();
      const over = await client.end();
      assertEquals([over.status, over.text], [200, ""]);
      assertGone(await client.ask("ping"));
    });
  });
}

Deno.test("R66 of a large initialize is kept what the protocol knows of it; what is too large in that is a 404", async () => {
  const { params } = JSON.parse(messages.initialize());
  const large = "x".repeat(100_000);
  const { clientInfo } = params;
  const icons = [{ src: `data:image/png;base64,${large}` }];
  const name = "é".repeat(1_000);
  const cases: [more: Record<string, unknown>, kept: unknown][] = [
    [{ _meta: { "x/y": large } }, params],
    [{ clientInfo: { ...clientInfo, name, icons } }, {
      ...params,
      clientInfo: { ...clientInfo, name },
    }],
    [{ capabilities: { experimental: { x: { large } } } }, undefined],
  ];
  for (const [more, kept] of cases) {
    await using upstream = sessionUpstream();
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const body = { jsonrpc: "2.0", id: 0, method: "initialize", params: { ...params, ...more } };
      const client = await new SessionCaller(proxy).open(JSON.stringify(body));
      upstream.forget();
      assertEquals((await client.ask("ping")).status, kept === undefined ? 404 : 200);
      const sent = upstream.requests.slice(1)
        .map(({ body }) => new TextDecoder().decode(body)).find((text) =>
          text.includes('initialize"')
        );
      assertEquals(sent && JSON.parse(sent).params, kept);
    });
  }
});

Deno.test("R66 DELETE of a lost session ends it, and makes none anew", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    upstream.forget();
    assertEquals((await client.end()).status, 200);
    assertGone(await client.ask("ping"));
    assertEquals(upstream.told(2), ["DELETE@inner-1"]);
  });
});

Deno.test("R66 a session whose DELETE did not get through can still be made anew", async () => {
  let breaks = true;
  await using upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      if (method === "DELETE" && breaks) to.close();
      else if (method === "DELETE") await to.write(EMPTY);
      return method === "DELETE";
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    for (const isReady of [true, false]) {
      const client = new SessionCaller(proxy);
      await (isReady ? client.ready() : client.open());
      breaks = true;
      assertEquals((await client.end()).status, 502);
      breaks = false;
      upstream.forget();
      const before = upstream.requests.length;
      assertEquals((await client.ask("ping")).status, 200);
      const told = upstream.told(before).map((one) => one.split("@")[0]);
      assertEquals(told.includes("notifications/initialized"), isReady);
      assertEquals((await client.end()).status, 200);
      assertGone(await client.ask("ping"));
    }
  });
});

Deno.test("R66 fields that mirror one message do not go with those that make the session anew", async () => {
  await using upstream = sessionUpstream();
  const upstreamConfig = { credentials: "forward" };
  await withProxy({ upstream: upstream.url, upstreamConfig }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    upstream.forget();
    const mirrored = {
      "mcp-method": "ping",
      "mcp-name": "n",
      "idempotency-key": "k",
      "content-digest": "d",
      "last-event-id": "e",
    };
    const fields = { ...mirrored, authorization: "Bearer newer", "x-tenant": "t" };
    assertEquals((await client.post(messages.ping(), fields)).status, 200);
    const [lost, ...made] = upstream.requests.slice(2);
    const repeated = made.pop()!;
    for (const { field } of made) {
      for (const name of Object.keys(mirrored)) assertEquals(field(name), undefined, name);
      assertEquals([field("authorization"), field("x-tenant")], ["Bearer newer", "t"]);
      assertEquals(field("content-type"), "application/json");
    }
    const withoutSession = ({ fields }: typeof repeated) =>
      fields.filter(([name]) => name !== "mcp-session-id");
    assertEquals(withoutSession(repeated), withoutSession(lost!));
  });
});

Deno.test("R66 what interceptors changed on its way is set again as they left it", async () => {
  await using upstream = sessionUpstream();
  const module = new URL("../testing/interceptor.ts", import.meta.url).href;
  const config = { interceptors: [{ module, options: { mode: "subscribes elsewhere" } }] };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await client.ask("resources/subscribe", { uri: "demo://denied" });
    upstream.forget();
    const before = upstream.requests.length;
    assertEquals((await client.ask("ping")).status, 200);
    const again = upstream.requests.slice(before).map(sessionRequest)
      .find(({ method }) => method === "resources/subscribe");
    assertEquals(again?.message.params, { uri: "demo://allowed" });
  });
});
