import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";

const { ANONYMOUS, ModernSetup } = modern;
const { settled } = relay;
const ANYBODY = { principal: ANONYMOUS };

/** A server that numbers its sessions, and answers `tools/call` when the test says so. */
function numbered(options: ConstructorParameters<typeof ModernSetup>[0] = {}) {
  const setup = new ModernSetup(options);
  const { server } = setup;
  const waiting: (() => void)[] = [];
  setup.numbered(({ message: { method, id } }) => {
    if (method !== "tools/call") return undefined;
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof server.json>>();
    waiting.push(() => resolve(server.json({ jsonrpc: "2.0", id, result: {} })));
    return promise;
  });
  return {
    setup,
    server,
    /** Lets the stock be filled. */
    filled: async () => {
      await settled();
      server.clock.advance(0);
      await settled();
    },
    /** Answers all calls that wait. */
    answer: () => waiting.splice(0).forEach((answer) => answer()),
    call: (asking: modern.Asking = {}) => setup.ask("tools/call", { name: "t" }, asking),
    opened: () => server.of("initialize").length,
    ended: () =>
      server.calls.filter(({ kind }) => kind === "terminate").map(({ call }) => call.sessionId),
    used: (method = "tools/list") => server.of(method).map(({ call }) => call.sessionId),
  };
}

Deno.test("a principal's requests share one session, other principals and other capabilities have others", async () => {
  const { setup, used, opened } = numbered();
  await setup.ask("tools/list");
  await setup.ask("tools/list");
  await setup.ask("tools/list", {}, { principal: "q" });
  await setup.ask("tools/list", {}, { capabilities: { sampling: {}, roots: {} } });
  await setup.ask("tools/list", {}, { capabilities: { roots: {}, sampling: {} } });
  await setup.ask("tools/list", {}, { query: "?a=1" });
  assertEquals(used(), ["s-1", "s-1", "s-2", "s-3", "s-3", "s-4"]);
  assertEquals(opened(), 4);
  await setup.close();
});

Deno.test("a session is never used with other credentials than it was opened with", async () => {
  const { setup, used } = numbered();
  for (
    const headers of [
      {},
      { authorization: "Bearer a" },
      { authorization: "Bearer b" },
      {
        cookie: "a",
      },
      { "x-tenant-id": "a" },
      { "x-api-key": "a" },
    ]
  ) {
    await setup.ask("tools/list", {}, { headers: headers as Record<string, string> });
  }
  await setup.ask("tools/list", {}, { headers: { traceparent: "a" } });
  assertEquals(used(), ["s-1", "s-2", "s-3", "s-4", "s-5", "s-6", "s-1"]);
  assertEquals(setup.sent("initialize").call.headers.get("x-api-key"), "a");
  await setup.close();
});

Deno.test("an anonymous caller's session serves one request and is ended after it", async () => {
  const { setup, used, ended, filled } = numbered();
  await setup.ask("tools/list", {}, ANYBODY);
  await setup.ask("tools/list", {}, ANYBODY);
  await filled();
  const [first, second] = used();
  assert(first !== second);
  assertEquals(ended(), [first, second]);
  assertEquals(setup.bridge.stats().stock, 2);
  await setup.close();
});

Deno.test("no anonymous tools/call but the first pays for a handshake: the stock is filled in the background", async () => {
  const { setup, server, call, answer, filled } = numbered();
  const first = call(ANYBODY);
  await filled();
  answer();
  await first;
  assertEquals(setup.bridge.stats().stock, 2);
  const before = server.calls.length;
  const second = call(ANYBODY);
  await settled();
  assertEquals(server.calls[before]!.message.method, "tools/call");
  answer();
  await second;
  await setup.close();
});

Deno.test("the stock is bounded over all kinds of callers, and what nobody takes is ended after a while", async () => {
  const bounds = { stockSize: 2, maxStock: 3, stockIdleMs: 1_000 };
  const { setup, ended, opened, server, filled } = numbered({ bounds });
  for (const name of ["roots", "sampling", "elicitation"]) {
    await setup.ask("tools/list", {}, {
      ...ANYBODY,
      capabilities: { experimental: { [name]: {} } },
    });
    await filled();
  }
  assertEquals(setup.bridge.stats().stock, 3);
  assertEquals(opened(), 6);
  server.clock.advance(1_000);
  await settled();
  assertEquals(setup.bridge.stats(), { ...setup.bridge.stats(), stock: 0, sessions: 0 });
  assertEquals(ended().length, 6);
  await setup.close();
});

Deno.test("sharesSessions: anonymous callers use one session, as a principal does", async () => {
  const { setup, used } = numbered({ sharesSessions: true });
  await setup.ask("tools/list", {}, ANYBODY);
  await setup.ask("tools/list", {}, ANYBODY);
  assertEquals(used(), ["s-1", "s-1"]);
  assertEquals(setup.bridge.stats().stock, 0);
  await setup.close();
});

Deno.test("server/discover spoils no session of the stock", async () => {
  const { setup, ended, opened, filled } = numbered();
  for (let n = 0; n < 3; n++) {
    await setup.ask("server/discover", {}, ANYBODY);
    await filled();
  }
  assertEquals([opened(), ended().length], [2, 0]);
  await setup.close();
});

Deno.test("a server without session ids is asked without one, and handshakes are not repeated", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.sessionId = undefined;
  for (let n = 0; n < 5; n++) {
    await setup.ask("tools/list", {}, ANYBODY);
    server.clock.advance(0);
    await settled();
  }
  assertEquals(server.of("tools/list").map(({ call }) => call.sessionId), Array(5).fill(undefined));
  assertEquals(server.of("initialize").length, 1);
  await setup.close();
  assertEquals(server.calls.filter(({ kind }) => kind === "terminate"), []);
});

Deno.test("a server without session ids: those opened at once that no stock has room for are forgotten", async () => {
  const setup = new ModernSetup();
  setup.server.sessionId = undefined;
  await Promise.all([1, 2, 3].map(() => setup.ask("tools/list", {}, ANYBODY)));
  await settled();
  assertEquals([setup.bridge.stats().sessions, setup.bridge.stats().stock], [2, 2]);
  await setup.close();
});

Deno.test("a lost session is made anew and the request sent once more (404, and the SDK's 400)", async () => {
  for (const status of [404, 400]) {
    const { setup, server, used, opened } = numbered();
    await setup.ask("tools/list");
    const { script } = server;
    const error = { code: -32000, message: "Bad Request: No valid session ID provided" };
    server.script = (call) =>
      call.message.method === "tools/list" && call.call.sessionId === "s-1"
        ? server.json({ jsonrpc: "2.0", error, id: null }, status)
        : script(call);
    const [one, two] = await Promise.all([setup.ask("tools/list"), setup.ask("tools/list")]);
    assertEquals([one.status, two.status], [200, 200]);
    assertEquals(used(), ["s-1", "s-1", "s-1", "s-2", "s-2"]);
    assertEquals(opened(), 2);
    await setup.close();
  }
});

Deno.test("a server that loses each session: one more try, then an error", async () => {
  const { setup, server, used } = numbered();
  const { script } = server;
  server.script = (call) =>
    call.message.method === "tools/list" ? server.json({}, 404) : script(call);
  const error = await assertRejects(() => setup.ask("tools/list"), ProxyError);
  assertEquals(error.kind, "upstream_protocol");
  assertEquals(used().length, 2);
  await setup.close();
});

Deno.test("where initialize is refused the client is told, and asked again for the next request", async () => {
  for (const principal of ["p", ANONYMOUS]) {
    const { setup, server, opened } = numbered();
    const { script } = server;
    server.script = ({ message: { method } }) => {
      if (method !== "initialize") return undefined;
      const answer = server.json({ error: "invalid_token" }, 401);
      answer.headers.set("www-authenticate", "Bearer");
      return answer;
    };
    const { status, headers } = await setup.post("tools/list", {}, { principal });
    assertEquals([status, headers.get("www-authenticate")], [401, "Bearer"]);
    assertEquals((await setup.post("server/discover", {}, { principal })).status, 401);
    server.script = script;
    assertEquals((await setup.ask("tools/list", {}, { principal })).status, 200);
    assert(opened() >= 3);
    await setup.close();
  }
});

Deno.test("a JSON-RPC error to initialize is told under the client's id", async () => {
  const { setup, server } = numbered();
  const error = { code: -32603, message: "broken" };
  server.script = ({ message: { id } }) => server.json({ jsonrpc: "2.0", id, error });
  const { message, status } = await setup.ask("tools/list", {}, { id: "mine" });
  assertEquals([message.id, message.error, status], ["mine", error, 200]);
  assertEquals(setup.doubts, 0);
  await setup.close();
});

Deno.test("a refusal of initialize that only a modern server says makes the era doubtful", async () => {
  const refusals: [object, number][] = [
    [{ code: -32022, message: "x", data: { supported: [], requested: "" } }, 400],
    [{ code: -32601, message: "Method not found" }, 404],
    [{ code: -32601, message: "Method not found" }, 200],
    [{ code: -32602, message: 'missing "io.modelcontextprotocol/protocolVersion"' }, 400],
  ];
  for (const [error, status] of refusals) {
    const { setup, server } = numbered();
    server.script = ({ message: { id } }) => server.json({ jsonrpc: "2.0", id, error }, status);
    const answer = await setup.ask("tools/list");
    assertEquals(answer.status, 502);
    // The client has asked for another method.
    assertEquals(answer.message.error!.code === -32601, false);
    assertEquals(setup.doubts, 1, JSON.stringify(error));
    await setup.close();
  }
});

Deno.test("an initialize that is answered with neither a result nor an error is the server's fault", async () => {
  for (const status of [202, 302]) {
    const { setup, server } = numbered();
    server.script = () => server.json(undefined, status);
    const answer = await setup.post("tools/list").catch((error) => error as ProxyError);
    assertEquals(answer.status, 502);
    await setup.close();
  }
});

Deno.test("a server that is out of reach is an error, and asked again for the next request", async () => {
  const { setup, server } = numbered();
  const { script } = server;
  server.script = () => Promise.reject(new ProxyError("upstream_unreachable", "x"));
  assertEquals((await assertRejects(() => setup.ask("tools/list"), ProxyError)).message, "x");
  server.script = script;
  assertEquals((await setup.ask("tools/list")).status, 200);
  await setup.close();
});

Deno.test("a principal's session that nobody uses is ended after a while, one in use is not", async () => {
  const { setup, server, ended, call, answer } = numbered({ bounds: { sessionIdleMs: 1_000 } });
  const asked = call();
  await settled();
  server.clock.advance(5_000);
  await settled();
  assertEquals(ended(), []);
  answer();
  await asked;
  server.clock.advance(999);
  await settled();
  assertEquals(ended(), []);
  server.clock.advance(1);
  await settled();
  assertEquals(ended(), ["s-1"]);
  assertEquals(setup.bridge.stats().sessions, 0);
  await setup.close();
});

Deno.test("one principal has so many sessions: the one idle longest gives way, none in use does", async () => {
  const { setup, ended, call, answer } = numbered({ bounds: { maxPrincipalSessions: 2 } });
  await setup.ask("tools/list", {}, { query: "?1" });
  await setup.ask("tools/list", {}, { query: "?2" });
  await setup.ask("tools/list", {}, { query: "?3" });
  assertEquals(ended(), ["s-1"]);
  const asked = [call({ query: "?2" }), call({ query: "?3" })];
  await settled();
  const error = await assertRejects(() => call({ query: "?4" }), ProxyError);
  assertEquals([error.kind, error.headers["retry-after"]], ["principal_exhausted", "10"]);
  await setup.ask("tools/list", {}, { principal: "q" });
  answer();
  await Promise.all(asked);
  await setup.close();
});

Deno.test("so many sessions in all: idle ones and the stock give way, none in use does", async () => {
  const bounds = { maxSessions: 3, stockSize: 1 };
  const { setup, call, answer, ended, filled } = numbered({ bounds });
  await setup.ask("tools/list");
  await setup.ask("tools/list", {}, ANYBODY);
  await filled();
  assertEquals(setup.bridge.stats().sessions, 2);
  const asked = [call({ principal: "a" }), call({ principal: "b" }), call({ principal: "c" })];
  await settled();
  assertEquals(ended().length, 3);
  const error = await assertRejects(() => call({ principal: "d" }), ProxyError);
  assertEquals(error.kind, "sessions_exhausted");
  await assertRejects(() => call(ANYBODY), ProxyError, "as many sessions");
  answer();
  await Promise.all(asked);
  await setup.close();
});

Deno.test("one session carries so many requests at a time", async () => {
  const { setup, call, answer } = numbered({ bounds: { maxRequests: 1 } });
  const first = call();
  await settled();
  assertEquals((await assertRejects(() => call(), ProxyError)).kind, "principal_exhausted");
  answer();
  await first;
  assertEquals(setup.bridge.stats().inFlight, 0);
  await setup.close();
});

Deno.test("close ends every session with DELETE, tells those who wait, and leaves the server open", async () => {
  const { setup, server, call, opened, ended } = numbered();
  await setup.ask("tools/list", {}, ANYBODY);
  const asked = call({ principal: "a" });
  const failed = assertRejects(() => asked, ProxyError, "stopping");
  await settled();
  await setup.close();
  await failed;
  assertEquals(ended().length, opened());
  assertEquals(new Set(ended()).size, opened());
  assertEquals(server.closed, false);
  assertEquals(server.clock.timers, 0);
  await assertRejects(() => setup.ask("tools/list"), ProxyError, "stopping");
});

Deno.test("close waits for a server that does not answer no longer than it may", async () => {
  const { setup, server } = numbered({ bounds: { closeMs: 100 } });
  await setup.ask("tools/list");
  server.script = ({ kind }) => kind === "terminate" ? new Promise(() => {}) : undefined;
  let isClosed = false;
  const closing = setup.bridge.close().then(() => isClosed = true);
  await settled();
  assertEquals(isClosed, false);
  server.clock.advance(100);
  await closing;
});

Deno.test("the bridge's own messages that nobody waits for are bounded; the rest is counted", async () => {
  const { setup, server } = numbered({ bounds: { maxAside: 1 } });
  await setup.ask("tools/list", {}, { capabilities: { roots: {} } });
  const { script } = server;
  server.script = (call) => call.kind === "notify" ? new Promise<never>(() => {}) : script(call);
  for (const id of [1, 2, 3]) server.say({ jsonrpc: "2.0", id, method: "ping" });
  await settled();
  assertEquals(setup.bridge.stats().dropped, { "(answer to the server)": 2 });
  const closing = setup.bridge.close();
  await settled();
  server.clock.advance(5_000);
  await closing;
});

Deno.test("a session whose server may ask listens ahead of its first request, and waits for that only so long", async () => {
  const { setup, server } = numbered({ bounds: { listenHeadMs: 50 } });
  const { script } = server;
  server.script = (call) => call.kind === "listen" ? new Promise<never>(() => {}) : script(call);
  const asked = setup.ask("tools/list", {}, { capabilities: { elicitation: {} } });
  await settled();
  assertEquals(server.calls.at(-1)!.kind, "listen");
  server.clock.advance(50);
  assertEquals((await asked).status, 200);
  await setup.ask("tools/list");
  assertEquals(server.calls.filter(({ kind }) => kind === "listen").length, 1);
  await setup.close();
});

Deno.test("a session that opens while the bridge closes is ended, and nothing is sent in it", async () => {
  for (const principal of ["p", ANONYMOUS]) {
    const setup = new ModernSetup();
    const { server } = setup;
    const opening = Promise.withResolvers<void>();
    server.script = ({ message: { method, id } }) =>
      method !== "initialize" ? undefined : opening.promise.then(() => {
        const result = { protocolVersion: "2025-11-25", capabilities: {} };
        return { ...server.json({ jsonrpc: "2.0", id, result }), sessionId: "up-1" };
      });
    const asked = [
      setup.ask("tools/call", { name: "t" }, { principal }),
      setup.ask("subscriptions/listen", { notifications: {} }, { principal }),
    ].map((asked) => assertRejects(() => asked, ProxyError, "stopping"));
    await settled();
    const closing = setup.bridge.close();
    await settled();
    opening.resolve();
    await settled();
    server.clock.advance(5_000);
    await closing;
    await Promise.all(asked);
    assertEquals(server.of("tools/call"), []);
    assert(server.calls.some(({ kind }) => kind === "terminate"));
    assertEquals([server.clock.timers, setup.bridge.stats().listening], [0, 0]);
  }
});

Deno.test("a session that is used again is not idle, and one of two requests leaves it in use", async () => {
  const { setup, server, ended, call, answer } = numbered({ bounds: { sessionIdleMs: 1_000 } });
  await setup.ask("tools/list");
  const asked = call();
  await settled();
  await setup.ask("tools/list");
  server.clock.advance(2_000);
  await settled();
  assertEquals(ended(), []);
  answer();
  await asked;
  await setup.close();
});

Deno.test("the session that gives way is the one that was used longest ago", async () => {
  const { setup, ended } = numbered({ bounds: { maxPrincipalSessions: 2 } });
  for (const query of ["?1", "?2", "?1", "?3"]) await setup.ask("tools/list", {}, { query });
  assertEquals(ended(), ["s-2"]);
  await setup.close();
});

Deno.test("what comes back unspoilt is put into the stock as long as there is room", async () => {
  for (const [bounds, stock] of [[{ stockSize: 2 }, 2], [{ maxStock: 1 }, 1]] as const) {
    const { setup, ended } = numbered({ bounds });
    await Promise.all([1, 2, 3].map(() => setup.ask("server/discover", {}, ANYBODY)));
    await settled();
    assertEquals([setup.bridge.stats().stock, ended().length], [stock, 3 - stock]);
    await setup.close();
  }
});

Deno.test("a session that was taken from the stock is in use for as long as its request needs", async () => {
  const { setup, server, ended, filled, call, answer } = numbered({ bounds: { stockIdleMs: 100 } });
  await setup.ask("server/discover", {}, ANYBODY);
  await filled();
  const asked = call(ANYBODY);
  await settled();
  const { sessionId } = server.of("tools/call")[0]!.call;
  server.clock.advance(1_000);
  await settled();
  assertEquals(ended().includes(sessionId), false);
  answer();
  await asked;
  await setup.close();
});

Deno.test("a session that was refused counts no more", async () => {
  const { setup, server } = numbered();
  server.script = () => server.json({}, 503);
  await setup.post("tools/list", {}, ANYBODY);
  await setup.post("tools/list");
  await settled();
  assertEquals(setup.bridge.stats().sessions, 0);
  await setup.close();
});

Deno.test("a session is ended once all is said in it", async () => {
  const { setup, server, ended } = numbered();
  const { script } = server;
  const told = Promise.withResolvers<ReturnType<typeof server.json>>();
  server.script = (call) =>
    call.message.method === "notifications/cancelled" ? told.promise : script(call);
  const gone = new AbortController();
  const asked = setup.post("tools/call", { name: "t" }, { ...ANYBODY, signal: gone.signal });
  await settled();
  gone.abort();
  await assertRejects(() => asked, ProxyError);
  await settled();
  assertEquals(ended(), []);
  told.resolve(server.json(undefined, 202));
  await settled();
  assertEquals(ended(), ["s-1"]);
  await setup.close();
});

Deno.test("the stock is not filled beyond the bound of all sessions", async () => {
  const { setup, filled, call, answer } = numbered({ bounds: { maxSessions: 2, stockSize: 3 } });
  const asked = call(ANYBODY);
  await filled();
  assertEquals(setup.bridge.stats().sessions, 2);
  answer();
  await asked;
  await setup.close();
});
