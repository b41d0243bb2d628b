import { assertEquals, assertStrictEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import {
  bridgedCall,
  bridgedServer,
  discovered,
  refusal,
  requestBytes,
  said,
} from "../testing/bridged.ts";
import { settled } from "../testing/relay.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { FakeServer } from "../testing/share.ts";
import { BRIDGED_SESSION } from "./as_session/mod.ts";

Deno.test("initialize goes to the server as it is, and nothing is asked where the server takes it", async () => {
  const { server, upstream, asSession } = bridgedServer();
  const answer = await upstream.exchange(
    bridgedCall("session"),
    requestBytes("initialize", 1, { protocolVersion: "2025-11-25" }),
  );
  assertEquals((await said(answer)).result.serverInfo.name, "fake");
  assertEquals(answer.sessionId, "up-1");
  const call = bridgedCall("session", { sessionId: "up-1" });
  await upstream.exchange(call, requestBytes("tools/list"));
  await upstream.notify(call, requestBytes("notifications/initialized"));
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
    const { server, upstream, asSession } = bridgedServer();
    server.script = (call) => {
      if (call.message.method === "server/discover") return discovered(server, call);
      // On stdio any code may come (versioning, "Compatibility Matrix"): then the server is asked.
      return refusal(server, call, status, status === 400 ? -32022 : -32601);
    };
    for (const _ of [1, 2]) {
      await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
    }
    const call = bridgedCall("session", { sessionId: `${BRIDGED_SESSION}x` });
    await upstream.exchange(call, requestBytes("tools/list"));
    await upstream.notify(call, requestBytes("notifications/initialized"));
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

Deno.test("a server that has taken one initialize is not asked what it speaks where it refuses another", async () => {
  const { server, upstream } = bridgedServer();
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  server.script = (call) => refusal(server, call, 400, -32602);
  const answer = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals((await said(answer)).error.code, -32602);
  assertEquals(server.of("server/discover").length, 0);
});

Deno.test("initialize refused by a server of sessions is the client's answer", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) =>
    refusal(server, call, call.message.method === "initialize" ? 200 : 400, -32000);
  const answer = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals((await said(answer)).error.code, -32000);
  assertEquals(asSession.asked, []);
});

Deno.test("a modern server that is replaced by one of sessions is found out: what cannot have run goes on over the bridge", async () => {
  const { server, upstream, asModern } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  server.script = (call) => {
    const message = "Bad Request: Server not initialized";
    return call.kind === "exchange"
      ? server.json({ jsonrpc: "2.0", id: null, error: { code: -32000, message } }, 400)
      : undefined;
  };
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("tools/call"));
  assertEquals(await said(answer), { bridge: "asModern" });
  assertEquals(asModern.asked, ["tools/call"]);
});

Deno.test("a modern server's own refusals do not have it asked again", async () => {
  const { server, upstream } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : refusal(server, call, 404, -32601);
  for (const _ of [1, 2]) {
    const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("no/such"));
    assertEquals((await said(answer)).error.code, -32601);
  }
  assertEquals(server.of("server/discover").length, 1);
});

Deno.test("a server of sessions that is replaced by a modern one: its sessions are gone, and begin anew over the bridge", async () => {
  const { server, upstream, asSession } = bridgedServer();
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  server.script = (call) => refusal(server, call, 400, -32020);
  const call = bridgedCall("session", { sessionId: "up-1" });
  const answer = await upstream.exchange(call, requestBytes("tools/call"));
  assertEquals([answer.status, (await said(answer)).id], [404, 7]);
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals(asSession.asked, ["initialize"]);
});

Deno.test("the bridge's sessions are gone where the server has come to speak sessions", async () => {
  const { server, upstream, asSession, doubt } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : refusal(server, call, 400, -32022);
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  doubt();
  server.script = (call) =>
    call.message.method === "server/discover" ? refusal(server, call, 400, -32000) : undefined;
  const call = bridgedCall("session", { sessionId: `${BRIDGED_SESSION}x` });
  assertEquals((await upstream.exchange(call, requestBytes("tools/list"))).status, 404);
  assertEquals(asSession.asked, ["initialize"]);
  const answer = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals(answer.sessionId, "up-1");
});

Deno.test("what the config says of a server is not asked, and not doubted", async () => {
  const { server, upstream, asModern, doubt } = bridgedServer({
    pinned: { modern: false, session: true },
  });
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  doubt();
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  assertEquals(asModern.asked, ["tools/list", "tools/list"]);
  server.script = (call) => refusal(server, call, 400, -32022);
  const answer = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals((await said(answer)).error.code, -32022);
  assertEquals(server.of("server/discover").length, 0);
});

Deno.test("close() closes the bridges ahead of the server, and neither where none was needed", async () => {
  const { server, upstream, asModern } = bridgedServer({
    pinned: { modern: false, session: true },
  });
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  await upstream.close();
  assertStrictEquals(asModern.asked.at(-1), "close");
  assertEquals(server.closed, true);
  const other = bridgedServer();
  await other.upstream.close();
  assertEquals(other.asModern.asked, []);
});

Deno.test("initialize within a session belongs to that session", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) => refusal(server, call, 400, -32022);
  const call = bridgedCall("session", { sessionId: "up-1" });
  assertEquals((await upstream.exchange(call, requestBytes("initialize"))).status, 404);
  assertEquals(asSession.asked, []);
});

Deno.test("a batch opens no session, whatever is in it", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : server.json({ jsonrpc: "2.0", error: { code: -32600, message: "no" } }, 400);
  const initialize = new TextDecoder().decode(requestBytes("initialize"));
  const batch = new TextEncoder().encode(`[${initialize}]`);
  assertEquals((await upstream.exchange(bridgedCall("session"), batch)).status, 400);
  assertEquals([server.of("server/discover"), asSession.asked], [[], []]);
});

Deno.test("a pinned modern server's refusals are the client's, whatever they say", async () => {
  const { server, upstream } = bridgedServer({ pinned: { modern: true, session: false } });
  server.script = (call) => refusal(server, call, 404, -32000);
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("tools/call"));
  assertEquals(answer.status, 404);
  assertEquals(server.of("server/discover").length, 0);
});

Deno.test("R64 what a replaced server may have run is not sent again over the bridge", async () => {
  const { server, upstream, asModern } = bridgedServer({});
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  server.script = (call) => refusal(server, call, 400, -32000);
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("tools/call"));
  assertEquals((await said(answer)).error.code, -32000);
  assertEquals(asModern.asked, []);
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/call"));
  assertEquals(asModern.asked, ["tools/call"]);
});

Deno.test("sessions of before are unknown to a modern server, which is not asked about them", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) => refusal(server, call, 400, -32022);
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  const before = server.calls.length;
  const old = bridgedCall("session", { sessionId: "up-0" });
  assertEquals((await upstream.exchange(old, requestBytes("tools/list"))).status, 404);
  assertEquals((await upstream.listen(old)).status, 404);
  assertEquals([server.calls.length, asSession.asked], [before, ["initialize"]]);
});

for (const status of [401, 429, 503]) {
  Deno.test(`initialize answered with ${status} says nothing of the server, which is not asked`, async () => {
    const { server, upstream } = bridgedServer();
    server.script = (call) => refusal(server, call, status, -32000);
    const answer = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
    assertEquals([answer.status, server.calls.length], [status, 1]);
    assertEquals(upstream.eras, { modern: undefined, session: undefined });
  });
}

Deno.test("initialize answered with a stream passes as it comes", async () => {
  const { server, upstream } = bridgedServer();
  const { answer, filled } = server.events();
  server.script = () => answer;
  const got = await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertStrictEquals(got.body, filled.body);
  assertEquals(upstream.eras.session, true);
});

Deno.test("what is known of a server is not asked for again when it refuses initialize", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : call.message.method === "initialize"
      ? refusal(server, call, 200, -32601)
      : undefined;
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals(server.of("server/discover").length, 1);
  assertEquals(asSession.asked, ["initialize"]);
});

/** What a server of 2026-07-28 alone may say to `initialize`. */
const NO_SUCH_METHOD = [404, -32601, "Method not found"] as const;
const NO_METADATA = [
  400,
  -32602,
  'params._meta lacks "io.modelcontextprotocol/protocolVersion"',
] as const;

/** From now on a modern server that refuses everything else like this. */
function becomeModern(
  server: FakeServer,
  [status, code, message]: readonly [number, number, string],
): void {
  server.script = (call) =>
    call.message.method === "server/discover"
      ? discovered(server, call)
      : server.json({ jsonrpc: "2.0", id: call.message.id, error: { code, message } }, status);
}

for (const how of [NO_SUCH_METHOD, NO_METADATA]) {
  Deno.test(`versioning: a server of sessions is replaced by a modern one that refuses with ${how[1]}: clients begin anew`, async () => {
    const { server, upstream, asSession } = bridgedServer();
    await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
    becomeModern(server, how);
    const call = bridgedCall("session", { sessionId: "up-1" });
    assertEquals((await upstream.exchange(call, requestBytes("tools/call"))).status, 404);
    await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
    assertEquals(asSession.asked, ["initialize"]);
  });

  Deno.test(`versioning: what passed for a server of sessions while it was away, and refuses with ${how[1]}, is found out`, async () => {
    const { server, upstream, asModern, asSession } = bridgedServer();
    server.script = () => server.json("<html>no backend</html>", 404);
    await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
    assertEquals(asModern.asked, ["tools/list"]);
    becomeModern(server, how);
    await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
    assertEquals(asSession.asked, ["initialize"]);
  });
}

Deno.test("a malformed initialize does not take a server of both eras its sessions", async () => {
  const { server, upstream, asSession } = bridgedServer();
  server.script = (call) => {
    if (call.message.method === "server/discover") return discovered(server, call);
    const params = call.message.params as { broken?: boolean } | undefined;
    return params?.broken ? refusal(server, call, 400, -32602) : undefined;
  };
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize", 1, { broken: true }));
  const call = bridgedCall("session", { sessionId: "up-0" });
  assertEquals((await upstream.exchange(call, requestBytes("tools/list"))).status, 200);
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  assertEquals(asSession.asked, ["initialize"]);
});

Deno.test("R72 what one session's client is refused for does not end the sessions of others", async () => {
  const { server, upstream } = bridgedServer();
  await upstream.exchange(bridgedCall("session"), requestBytes("initialize"));
  server.script = (call) =>
    call.call.sessionId === "up-bad" ? refusal(server, call, 400, -32020) : undefined;
  const bad = bridgedCall("session", { sessionId: "up-bad" });
  assertEquals((await upstream.exchange(bad, requestBytes("tools/call"))).status, 404);
  const good = bridgedCall("session", { sessionId: "up-good" });
  assertEquals((await upstream.exchange(good, requestBytes("tools/call"))).status, 200);
});

Deno.test("a server/discover that a client has got wrong does not make a modern server one of sessions", async () => {
  const { server, upstream, asModern } = bridgedServer();
  server.script = (call) => {
    if (call.message.method !== "server/discover") return undefined;
    return call.message.id === 7 ? refusal(server, call, 400, -32602) : discovered(server, call);
  };
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("server/discover"));
  assertEquals([answer.status, (await said(answer)).error.code], [400, -32602]);
  assertEquals([upstream.eras.modern, asModern.asked], [true, []]);
});

Deno.test("R91 a caller that joined the probes of others is not told that those may not ask", async () => {
  const { server, upstream } = bridgedServer();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const [first, second] = gates;
  server.script = (call) => {
    if (call.message.method !== "server/discover") return undefined;
    if (call.call.headers.get("authorization") === "good") return discovered(server, call);
    const gate = gates.shift()?.promise ?? Promise.resolve();
    return gate.then(() => refusal(server, call, 401, -32000));
  };
  const send = (authorization: string) => {
    const headers = new Fields(["authorization", authorization]);
    return upstream.exchange(bridgedCall("modern", { headers }), requestBytes("tools/list"));
  };
  const bad = [send("bad"), send("bad")];
  const good = send("good");
  first!.resolve();
  second!.resolve();
  assertEquals((await Promise.all(bad)).map(({ status }) => status), [401, 401]);
  assertEquals((await good).status, 200);
});

Deno.test("R64 a modern call's own refusal is told, also where the server cannot be asked what it speaks", async () => {
  const { server, upstream } = bridgedServer();
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  server.script = (call) => {
    if (call.message.method === "server/discover") {
      throw new ProxyError("upstream_unreachable", "No connection.");
    }
    return refusal(server, call, 400, -32000);
  };
  const answer = await upstream.exchange(bridgedCall("modern"), requestBytes("tools/call"));
  assertEquals((await said(answer)).error.code, -32000);
});

Deno.test("while a refused modern call has the server asked what it speaks, other calls do not wait", async () => {
  const { server, upstream } = bridgedServer();
  let probed = Promise.resolve();
  server.script = (call) => {
    if (call.message.method === "server/discover") {
      return probed.then(() => discovered(server, call));
    }
    return call.message.method === "bad" ? server.json("<html>no</html>", 400) : undefined;
  };
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"));
  const gate = Promise.withResolvers<void>();
  probed = gate.promise;
  const refused = upstream.exchange(bridgedCall("modern"), requestBytes("bad"));
  await settled();
  const other = upstream.exchange(bridgedCall("modern"), requestBytes("x"));
  await settled();
  assertEquals(server.of("x").length, 1);
  assertEquals((await other).status, 200);
  gate.resolve();
  assertEquals((await refused).status, 400);
});

Deno.test("a server's own answers are told as soon as they are whole, those that are looked into are not", async () => {
  const { server, upstream } = bridgedServer();
  const told: UpstreamAnswer[] = [];
  const ask = (era: "modern" | "session", method: string, sessionId?: string) =>
    upstream.exchange(bridgedCall(era, { sessionId }), requestBytes(method), (whole) => {
      told.push(whole);
    });
  await ask("session", "initialize");
  assertEquals(told.length, 0);
  const answer = await ask("session", "tools/list", "up-1");
  assertStrictEquals(told.pop(), answer);
  // Another server by now: the first request of a modern client finds that out.
  server.script = (call) =>
    call.message.method === "server/discover" ? discovered(server, call) : undefined;
  await ask("modern", "server/discover");
  assertEquals(told.length, 0);
  const modern = await ask("modern", "tools/list");
  assertStrictEquals(told.pop(), modern);
});

Deno.test("what a bridge answers is told to nobody ahead of it", async () => {
  const { server, upstream } = bridgedServer({ pinned: { modern: false, session: false } });
  const fail = () => {
    throw new Error("told");
  };
  await upstream.exchange(bridgedCall("modern"), requestBytes("tools/list"), fail);
  await upstream.exchange(bridgedCall("session"), requestBytes("tools/list"), fail);
  const sessionId = `${BRIDGED_SESSION}x`;
  await upstream.exchange(bridgedCall("session", { sessionId }), requestBytes("tools/list"), fail);
  assertEquals(server.calls.length, 0);
});
