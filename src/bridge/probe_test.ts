import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import {
  bridgedCall,
  bridgedServer,
  discovered,
  refusal,
  requestBytes,
  said,
} from "../testing/bridged.ts";
import { answerWith, filledBody, settled } from "../testing/relay.ts";
import type { FakeCall, FakeServer } from "../testing/share.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import { BRIDGED_SESSION } from "./as_session/mod.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";

Deno.test("a modern client's first call asks the server once what it speaks, and goes on as it is where that is modern", async () => {
  const { server, upstream, asModern } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  const calls = [1, 2, 3].map((id) =>
    upstream.exchange(bridgedCall("modern"), requestBytes("tools/list", id))
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
    const { server, upstream, asModern } = bridgedServer();
    server.script = (call) =>
      call.message.method === "server/discover" ? answer(server, call) : undefined;
    for (const _ of [1, 2]) {
      const got = await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
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
    const { server, upstream, asModern } = bridgedServer();
    server.script = (call) =>
      call.message.method === "server/discover" ? refusal(server, call, status, code) : undefined;
    await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
    assertEquals(upstream.eras.modern, true);
    assertEquals(asModern.asked, []);
  });
}

for (const status of [401, 403, 429, 500, 503, 302]) {
  Deno.test(`a probe answered with ${status} proves nothing: it is the caller's answer, and the next call asks again`, async () => {
    const { server, upstream, asModern } = bridgedServer();
    server.script = (call) => refusal(server, call, status, -32000);
    const body = requestBytes("tools/call", "mine");
    const got = await upstream.exchange(bridgedCall("modern"), body);
    assertEquals(got.status, status);
    assertEquals((await said(got)).id, "mine");
    // The call itself has not left: a server of sessions might have run it (versioning, "Compatibility Matrix").
    assertEquals(server.of("tools/call").length, 0);
    assertEquals(upstream.eras.modern, undefined);
    server.script = (call) =>
      call.message.method === "server/discover" ? discovered(server, call) : undefined;
    await upstream.exchange(bridgedCall("modern"), body);
    assertEquals([server.of("server/discover").length, server.of("tools/call").length], [2, 1]);
    assertEquals(asModern.asked, []);
  });
}

Deno.test("a probe that cannot be sent is the caller's failure, and a retry is safe", async () => {
  const { server, upstream } = bridgedServer();
  server.script = () => {
    const progress = { requestSent: true, answerBegun: false };
    throw new ProxyError("upstream_closed", "Gone.", { progress });
  };
  const error = await assertRejects(
    () => upstream.exchange(bridgedCall("modern"), requestBytes("tools/call")),
    ProxyError,
    "Gone.",
  );
  assertEquals([error.kind, error.retrySafe, error.idText], ["upstream_closed", true, "7"]);
});

for (const isStdio of [true, false]) {
  Deno.test(`stdio "Backward Compatibility": silence means ${isStdio ? "sessions" : "nothing, over HTTP"}`, async () => {
    const { server, upstream, asModern } = bridgedServer({ isStdio });
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
    const asking = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
    const outcome = asking.then(() => "answered", ({ kind }) => kind);
    await Promise.resolve();
    server.clock.advance(5_000);
    await gone.promise;
    assertEquals(await outcome, isStdio ? "answered" : "upstream_timeout");
    assertEquals(asModern.asked, isStdio ? ["tools/list"] : []);
  });
}

/** An answer that only comes when it is told to, or not at all where nobody waits. */
function slowly({ call }: FakeCall) {
  const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>();
  call.signal.addEventListener("abort", () => {
    reject(new ProxyError("client_closed", "The client has gone."));
  });
  return { promise, resolve };
}

Deno.test("stdio: a program that takes long to start is no server of sessions, and initialize is given up", async () => {
  const { server, upstream, asModern } = bridgedServer({ isStdio: true });
  const answers: Record<string, { call: FakeCall; resolve: (answer: UpstreamAnswer) => void }> = {};
  server.script = (call) => {
    if (call.message.method === "tools/list") return undefined;
    const { promise, resolve } = slowly(call);
    answers[String(call.message.method)] = { call, resolve };
    return promise;
  };
  const asking = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  await settled();
  server.clock.advance(30_000);
  await settled();
  const { initialize, "server/discover": discover } = answers;
  assertEquals([initialize!.call.call.era, initialize!.call.call.sessionId], [
    "session",
    undefined,
  ]);
  discover!.resolve(discovered(server, discover!.call));
  assertEquals((await said(await asking)).result, {});
  assertEquals([asModern.asked, upstream.eras.modern], [[], true]);
  assertEquals([initialize!.call.call.signal.aborted, server.clock.timers], [true, 0]);
});

Deno.test("stdio: a program that answers neither server/discover nor initialize in its time has proven nothing", async () => {
  const { server, upstream } = bridgedServer({ isStdio: true });
  server.script = (call) => slowly(call).promise;
  const asking = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  const outcome = asking.then(() => "answered", ({ kind }) => kind);
  await settled();
  server.clock.advance(60_000);
  assertEquals(await outcome, "upstream_timeout");
  assertEquals([upstream.eras.modern, server.clock.timers], [undefined, 0]);
});

Deno.test("stdio: a program that may not run twice is a server of sessions where it stays silent", async () => {
  const { server, upstream, asModern } = bridgedServer({ isStdio: true });
  server.script = (call) => {
    if (call.message.method === "server/discover") return slowly(call).promise;
    throw new ProxyError("upstream_saturated", "It runs once, which is the limit here.");
  };
  const asking = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  await settled();
  server.clock.advance(60_000);
  assertEquals((await asking).status, 200);
  assertEquals(asModern.asked, ["tools/list"]);
});

Deno.test("what one caller may not learn another one asks for itself", async () => {
  const { server, upstream } = bridgedServer();
  const first = Promise.withResolvers<UpstreamAnswer>();
  server.script = (call) => {
    if (call.message.method !== "server/discover") return undefined;
    return server.of("server/discover").length === 1 ? first.promise : discovered(server, call);
  };
  const denied = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  const allowed = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  await Promise.resolve();
  first.resolve(server.json({ jsonrpc: "2.0", error: { code: 1, message: "no" } }, 401));
  assertEquals((await denied).status, 401);
  assertEquals((await allowed).status, 200);
  assertEquals(server.of("server/discover").length, 2);
});

Deno.test("stdio: a program that does not start has not been silent", async () => {
  const { server, upstream, asModern } = bridgedServer({ isStdio: true });
  server.script = () => {
    throw new ProxyError("upstream_unreachable", "No such program.");
  };
  await assertRejects(
    () => upstream.exchange(bridgedCall("modern"), requestBytes("tools/list")),
    ProxyError,
    "No such program.",
  );
  assertEquals([asModern.asked, server.clock.timers], [[], 0]);
});

Deno.test("a refusal that is no JSON comes from a server of sessions", async () => {
  const { server, upstream } = bridgedServer();
  server.script = ({ message }) =>
    message.method === "server/discover"
      ? answerWith(filledBody(server.clock).body, 404, "other")
      : undefined;
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  assertEquals(upstream.eras, { modern: false, session: true });
});

Deno.test("a probe names no session, and its end leaves no timer", async () => {
  const { server, upstream } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  const call = bridgedCall("session", { sessionId: `${BRIDGED_SESSION}x` });
  await upstream.exchange(call, requestBytes("tools/list"));
  assertEquals(server.calls[0]!.call.sessionId, undefined);
  assertEquals(server.clock.timers, 0);
});

Deno.test("a client that leaves ends the probe that it waits for, before and while it is made", async () => {
  const { server, upstream } = bridgedServer();
  const asked = Promise.withResolvers<void>();
  server.script = ({ call }) => {
    const { promise, reject } = Promise.withResolvers<UpstreamAnswer>();
    const leave = () => reject(new ProxyError("client_closed", "The client has gone."));
    if (call.signal.aborted) leave();
    call.signal.addEventListener("abort", leave);
    asked.resolve();
    return promise;
  };
  const client = new AbortController();
  const { signal } = client;
  const asking = upstream.exchange(bridgedCall("modern", { signal }), requestBytes("tools/list"));
  await asked.promise;
  client.abort();
  assertEquals((await assertRejects(() => asking, ProxyError)).kind, "client_closed");
  const again = upstream.exchange(bridgedCall("modern", { signal }), requestBytes("tools/list"));
  assertEquals((await assertRejects(() => again, ProxyError)).kind, "client_closed");
});

Deno.test("an answer to a probe that does not end is given up with it", async () => {
  const { server, upstream } = bridgedServer();
  const { answer, filled } = server.events();
  server.script = () => answer;
  const asking = upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  const outcome = asking.then(() => "answered", ({ kind }) => kind);
  await settled();
  server.clock.advance(5_000);
  assertEquals(await outcome, "upstream_timeout");
  assertEquals(filled.aborted, true);
});

Deno.test("a client that asks what the server speaks has its answer, and the server is asked no second time", async () => {
  const { server, upstream } = bridgedServer();
  server.script = (call) => discovered(server, call);
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("server/discover", 3));
  assertEquals((await said(answer)).id, 3);
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  assertEquals(server.of("server/discover").length, 1);
});

Deno.test("a client's own server/discover that is refused proves nothing: the server is asked, and judged by that", async () => {
  for (const isModern of [true, false]) {
    const { server, upstream, asModern } = bridgedServer();
    server.script = (call) =>
      isModern && call.message.id === "switchyard-probe"
        ? discovered(server, call)
        : refusal(server, call, 400, -32602);
    const answer = await upstream.exchange(
      bridgedCall("modern"),
      requestBytes("server/discover"),
    );
    assertEquals(upstream.eras.modern, isModern);
    assertEquals(asModern.asked, isModern ? [] : ["server/discover"]);
    if (isModern) assertEquals((await said(answer)).error.code, -32602);
  }
});

Deno.test("a client's own server/discover that it may not send proves nothing", async () => {
  const { server, upstream } = bridgedServer();
  server.script = (call) => refusal(server, call, 401, -32000);
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("server/discover"));
  assertEquals([answer.status, upstream.eras.modern], [401, undefined]);
  const streamed = server.events();
  server.script = () => streamed.answer;
  const stream = await upstream.exchange(bridgedCall("modern"), requestBytes("server/discover"));
  assertEquals([stream.kind, upstream.eras.modern], ["sse", undefined]);
});

Deno.test("stdio: a client's own server/discover does not wait for a program that says nothing to it", async () => {
  const { server, upstream } = bridgedServer({ isStdio: true });
  server.script = (call) => discovered(server, call);
  await upstream.exchange(bridgedCall("modern"), requestBytes("server/discover"));
  assertEquals(server.of("server/discover").map(({ message }) => message.id), [
    "switchyard-probe",
    7,
  ]);
});

Deno.test('stdio "Backward Compatibility": an unknown method proves a server of sessions there', async () => {
  const { server, upstream, asModern } = bridgedServer({ isStdio: true });
  server.script = (call) => refusal(server, call, 404, -32601);
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  assertEquals(asModern.asked, ["tools/list"]);
});
