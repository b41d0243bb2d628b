import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import { type FakeCall, FakeServer, textOf } from "../testing/share.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { bridged, type BridgedOptions } from "./bridged.ts";
import { BRIDGED_SESSION } from "./bridged_session.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";

function callOf(era: "modern" | "session", more: Partial<UpstreamCall> = {}): UpstreamCall {
  const headers = new Fields(["content-type", "application/json", "mcp-method", "tools/list"]);
  return {
    era,
    headers,
    sessionId: undefined,
    principal: "p",
    query: "",
    signal: NEVER_ABORTED,
    ...more,
  };
}

function bytesOf(method: string, id: number | string = 7, params: unknown = {}): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
}

/** A bridge that tells what it was asked. */
function marked(server: FakeServer, name: string): Upstream & { asked: string[] } {
  const asked: string[] = [];
  const answer = (what: string) => {
    asked.push(what);
    return Promise.resolve(server.json({ bridge: name }));
  };
  return {
    asked,
    exchange: (_, body) => answer(JSON.parse(new TextDecoder().decode(body)).method),
    notify: (_, body) => answer(JSON.parse(new TextDecoder().decode(body)).method),
    listen: () => answer("GET"),
    terminate: () => answer("DELETE"),
    close: () => Promise.resolve(void asked.push("close")),
  };
}

function setup(options: Partial<BridgedOptions> = {}) {
  const server = new FakeServer();
  const asModern = marked(server, "asModern");
  const asSession = marked(server, "asSession");
  let doubt = () => {};
  const upstream = bridged(server, {
    clock: server.clock,
    timeoutMs: 5_000,
    silenceIsSession: false,
    open: (onDoubt) => {
      doubt = onDoubt;
      return { asModern, asSession };
    },
    ...options,
  });
  return { server, asModern, asSession, upstream, doubt: () => doubt() };
}

function discovered(server: FakeServer, { message: { id } }: FakeCall, versions = ["2026-07-28"]) {
  return server.json({ jsonrpc: "2.0", id, result: { supportedVersions: versions } });
}

function refusal(
  server: FakeServer,
  { message: { id } }: FakeCall,
  status: number,
  code: number,
  data?: unknown,
): UpstreamAnswer {
  return server.json({ jsonrpc: "2.0", id, error: { code, message: "no", data } }, status);
}

async function said({ body }: UpstreamAnswer) {
  return JSON.parse(await textOf(body));
}

Deno.test("a modern client's first call asks the server once what it speaks, and goes on as it is where that is modern", async () => {
  const { server, upstream, asModern } = setup();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  const calls = [1, 2, 3].map((id) =>
    upstream.exchange(callOf("modern"), bytesOf("tools/list", id))
  );
  for (const answer of await Promise.all(calls)) {
    assertEquals((await said(answer)).result, {});
  }
  assertEquals(server.of("server/discover").length, 1);
  assertEquals(server.of("tools/list").length, 3);
  assertEquals(asModern.asked, []);
  const [{ call, message }] = server.of("server/discover") as [FakeCall];
  assertEquals(call.era, "modern");
  assertEquals(call.headers.get("mcp-method"), "server/discover");
  assertEquals(call.headers.get("mcp-protocol-version"), "2026-07-28");
  assertEquals(message.params?._meta?.[VERSION], "2026-07-28");
  await upstream.close();
  assertEquals(server.closed, true);
});

const SESSION_SERVERS: Readonly<
  Record<string, (server: FakeServer, call: FakeCall) => UpstreamAnswer>
> = {
  "400 without a session": (server, call) => refusal(server, call, 400, -32000),
  "404 of another kind": (server) => server.json(undefined, 404),
  "405": (server) => server.json(undefined, 405),
  "method not found": (server, call) => refusal(server, call, 200, -32601),
  "only older versions": (server, call) => discovered(server, call, ["2025-11-25"]),
  "-32022 that names older versions alone": (server, call) =>
    refusal(server, call, 400, -32022, { supported: ["2025-11-25", "2025-06-18"] }),
};

for (const [name, answer] of Object.entries(SESSION_SERVERS)) {
  Deno.test(`2026-07-28 versioning: ${name} to server/discover means a server of sessions`, async () => {
    const { server, upstream, asModern } = setup();
    server.script = (call) =>
      call.message.method === "server/discover" ? answer(server, call) : undefined;
    for (const _ of [1, 2]) {
      const got = await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
      assertEquals(await said(got), { bridge: "asModern" });
    }
    assertEquals(server.calls.length, 1);
    assertEquals(asModern.asked, ["tools/list", "tools/list"]);
    assertEquals(upstream.eras, { modern: false, session: true });
  });
}

for (
  const [status, code] of [[400, -32020], [400, -32021], [400, -32022], [404, -32601]] as const
) {
  Deno.test(`2026-07-28 streamable-http: ${status} with ${code} to server/discover proves a modern server`, async () => {
    const { server, upstream, asModern } = setup();
    server.script = (call) =>
      call.message.method === "server/discover" ? refusal(server, call, status, code) : undefined;
    await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
    assertEquals(upstream.eras.modern, true);
    assertEquals(asModern.asked, []);
  });
}

for (const status of [401, 403, 429, 500, 503, 302]) {
  Deno.test(`a probe answered with ${status} proves nothing: it is the caller's answer, and the next call asks again`, async () => {
    const { server, upstream, asModern } = setup();
    server.script = (call) => refusal(server, call, status, -32000);
    const body = bytesOf("tools/call", "mine");
    const got = await upstream.exchange(callOf("modern"), body);
    assertEquals(got.status, status);
    assertEquals((await said(got)).id, "mine");
    // The call itself has not left: a server of sessions might have run it (versioning, "Compatibility Matrix").
    assertEquals(server.of("tools/call").length, 0);
    assertEquals(upstream.eras.modern, undefined);
    server.script = (call) =>
      call.message.method === "server/discover" ? discovered(server, call) : undefined;
    await upstream.exchange(callOf("modern"), body);
    assertEquals([server.of("server/discover").length, server.of("tools/call").length], [2, 1]);
    assertEquals(asModern.asked, []);
  });
}

Deno.test("a probe that cannot be sent is the caller's failure, and a retry is safe", async () => {
  const { server, upstream } = setup();
  server.script = () => {
    const progress = { requestSent: true, answerBegun: false };
    throw new ProxyError("upstream_closed", "Gone.", { progress });
  };
  const error = await assertRejects(
    () => upstream.exchange(callOf("modern"), bytesOf("tools/call")),
    ProxyError,
    "Gone.",
  );
  assertEquals([error.kind, error.retrySafe, error.idText], ["upstream_closed", true, "7"]);
});

for (const silenceIsSession of [true, false]) {
  Deno.test(`stdio "Backward Compatibility": silence means ${silenceIsSession ? "sessions" : "nothing, over HTTP"}`, async () => {
    const { server, upstream, asModern } = setup({ silenceIsSession });
    const gone = Promise.withResolvers<void>();
    server.script = ({ call, message }) => {
      if (message.method !== "server/discover") return undefined;
      const { promise, reject } = Promise.withResolvers<UpstreamAnswer>();
      call.signal.addEventListener("abort", () => {
        gone.resolve();
        reject(new ProxyError("client_closed", "The client has gone."));
      });
      return promise;
    };
    const asking = upstream.exchange(callOf("modern"), bytesOf("tools/list"));
    const outcome = asking.then(() => "answered", ({ kind }) => kind);
    await Promise.resolve();
    server.clock.advance(5_000);
    await gone.promise;
    assertEquals(await outcome, silenceIsSession ? "answered" : "upstream_timeout");
    assertEquals(asModern.asked, silenceIsSession ? ["tools/list"] : []);
  });
}

Deno.test("what one caller may not learn another one asks for itself", async () => {
  const { server, upstream } = setup();
  const first = Promise.withResolvers<UpstreamAnswer>();
  server.script = (call) => {
    if (call.message.method !== "server/discover") return undefined;
    return server.of("server/discover").length === 1 ? first.promise : discovered(server, call);
  };
  const denied = upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  const allowed = upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  await Promise.resolve();
  first.resolve(server.json({ jsonrpc: "2.0", error: { code: 1, message: "no" } }, 401));
  assertEquals((await denied).status, 401);
  assertEquals((await allowed).status, 200);
  assertEquals(server.of("server/discover").length, 2);
});

Deno.test("initialize goes to the server as it is, and nothing is asked where the server takes it", async () => {
  const { server, upstream, asSession } = setup();
  const answer = await upstream.exchange(
    callOf("session"),
    bytesOf("initialize", 1, { protocolVersion: "2025-11-25" }),
  );
  assertEquals((await said(answer)).result.serverInfo.name, "fake");
  assertEquals(answer.sessionId, "up-1");
  const call = callOf("session", { sessionId: "up-1" });
  await upstream.exchange(call, bytesOf("tools/list"));
  await upstream.notify(call, bytesOf("notifications/initialized"));
  await upstream.listen(call);
  await upstream.terminate(call);
  assertEquals(server.calls.map(({ kind }) => kind), [
    "exchange",
    "exchange",
    "notify",
    "listen",
    "terminate",
  ]);
  assertEquals(asSession.asked, []);
  assertEquals(upstream.eras, { modern: undefined, session: true });
});

for (const status of [400, 200]) {
  Deno.test(`initialize refused by a modern server, with ${status}, is the bridge's, and so is its session`, async () => {
    const { server, upstream, asSession } = setup();
    server.script = (call) => {
      if (call.message.method === "server/discover") return discovered(server, call);
      // On stdio any code may come (versioning, "Compatibility Matrix"): then the server is asked.
      return refusal(server, call, status, status === 400 ? -32022 : -32601);
    };
    for (const _ of [1, 2]) await upstream.exchange(callOf("session"), bytesOf("initialize"));
    const call = callOf("session", { sessionId: `${BRIDGED_SESSION}x` });
    await upstream.exchange(call, bytesOf("tools/list"));
    await upstream.notify(call, bytesOf("notifications/initialized"));
    await upstream.listen(call);
    await upstream.terminate(call);
    assertEquals(asSession.asked, [
      "initialize",
      "initialize",
      "tools/list",
      "notifications/initialized",
      "GET",
      "DELETE",
    ]);
    assertEquals(server.of("initialize").length, 1);
    assertEquals(server.of("server/discover").length, status === 400 ? 0 : 1);
  });
}

Deno.test("initialize refused by a server of sessions is the client's answer", async () => {
  const { server, upstream, asSession } = setup();
  server.script = (call) =>
    refusal(server, call, call.message.method === "initialize" ? 200 : 400, -32000);
  const answer = await upstream.exchange(callOf("session"), bytesOf("initialize"));
  assertEquals((await said(answer)).error.code, -32000);
  assertEquals(asSession.asked, []);
});

Deno.test("a modern server that is replaced by one of sessions is found out: what cannot have run goes on over the bridge", async () => {
  const { server, upstream, asModern } = setup();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  server.script = (call) => {
    const message = "Bad Request: Server not initialized";
    return call.kind === "exchange"
      ? server.json({ jsonrpc: "2.0", id: null, error: { code: -32000, message } }, 400)
      : undefined;
  };
  const answer = await upstream.exchange(callOf("modern"), bytesOf("tools/call"));
  assertEquals(await said(answer), { bridge: "asModern" });
  assertEquals(asModern.asked, ["tools/call"]);
});

Deno.test("a modern server's own refusals do not have it asked again", async () => {
  const { server, upstream } = setup();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : refusal(server, call, 404, -32601);
  for (const _ of [1, 2]) {
    const answer = await upstream.exchange(callOf("modern"), bytesOf("no/such"));
    assertEquals((await said(answer)).error.code, -32601);
  }
  assertEquals(server.of("server/discover").length, 1);
});

Deno.test("a server of sessions that is replaced by a modern one: its sessions are gone, and begin anew over the bridge", async () => {
  const { server, upstream, asSession } = setup();
  await upstream.exchange(callOf("session"), bytesOf("initialize"));
  server.script = (call) => refusal(server, call, 400, -32020);
  const call = callOf("session", { sessionId: "up-1" });
  const answer = await upstream.exchange(call, bytesOf("tools/call"));
  assertEquals([answer.status, (await said(answer)).id], [404, 7]);
  await upstream.exchange(callOf("session"), bytesOf("initialize"));
  assertEquals(asSession.asked, ["initialize"]);
});

Deno.test("the bridge's sessions are gone where the server has come to speak sessions", async () => {
  const { server, upstream, asSession, doubt } = setup();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : refusal(server, call, 400, -32022);
  await upstream.exchange(callOf("session"), bytesOf("initialize"));
  doubt();
  server.script = (call) =>
    call.message.method === "server/discover" ? refusal(server, call, 400, -32000) : undefined;
  const call = callOf("session", { sessionId: `${BRIDGED_SESSION}x` });
  assertEquals((await upstream.exchange(call, bytesOf("tools/list"))).status, 404);
  assertEquals(asSession.asked, ["initialize"]);
  const answer = await upstream.exchange(callOf("session"), bytesOf("initialize"));
  assertEquals(answer.sessionId, "up-1");
});

Deno.test("what the config says of a server is not asked, and not doubted", async () => {
  const { server, upstream, asModern, doubt } = setup({
    pinned: { modern: false, session: true },
  });
  await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  doubt();
  await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  assertEquals(asModern.asked, ["tools/list", "tools/list"]);
  server.script = (call) => refusal(server, call, 400, -32022);
  const answer = await upstream.exchange(callOf("session"), bytesOf("initialize"));
  assertEquals((await said(answer)).error.code, -32022);
  assertEquals(server.of("server/discover").length, 0);
});

Deno.test("close() closes the bridges ahead of the server, and neither where none was needed", async () => {
  const { server, upstream, asModern } = setup({ pinned: { modern: false, session: true } });
  await upstream.exchange(callOf("modern"), bytesOf("tools/list"));
  await upstream.close();
  assertStrictEquals(asModern.asked.at(-1), "close");
  assertEquals(server.closed, true);
  const other = setup();
  await other.upstream.close();
  assertEquals(other.asModern.asked, []);
});
