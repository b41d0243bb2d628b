import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";

const { ANONYMOUS, metaKey, ModernSetup, modernMessages } = modern;
const { eventOf } = share;
const { settled, sourceReader } = relay;

/** A server that logs, and answers calls with streams which the test fills. */
function logging(options: ConstructorParameters<typeof ModernSetup>[0] = {}) {
  const setup = new ModernSetup(options);
  const { server } = setup;
  server.capabilities = { logging: {} };
  const streams: ReturnType<typeof server.events>["filled"][] = [];
  setup.numbered(({ message: { method } }) => {
    if (method !== "tools/call") return undefined;
    const { answer, filled } = server.events();
    streams.push(filled);
    return answer;
  });
  const line = (level: string, data = "x") => ({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level, data },
  });
  return {
    setup,
    server,
    streams,
    line,
    log: (level: string, at = 0) => streams[at]!.send(eventOf(line(level))),
    answer: (at = 0) => {
      const { id } = server.of("tools/call")[at]!.message;
      streams[at]!.send(eventOf({ jsonrpc: "2.0", id, result: {} }));
    },
    levels: () => server.of("logging/setLevel").map(({ message }) => message.params!.level),
    call: (level?: string, more: modern.Asking = {}) =>
      setup.post(
        "tools/call",
        { name: "t" },
        { ...more, meta: level === undefined ? {} : { [metaKey("logLevel")]: level } },
      ),
  };
}

/** Levels of the lines in an answer that came. */
async function levelsIn(answer: Promise<{ body: Parameters<typeof sourceReader>[0] }>) {
  const reader = sourceReader((await answer).body);
  await reader.readAll();
  return modernMessages(reader).flatMap(({ params }) => params === undefined ? [] : [params.level]);
}

Deno.test("without logLevel no log line reaches the client, and no level is set (server/utilities/logging)", async () => {
  const { setup, call, log, answer, levels } = logging();
  const asked = call();
  await settled();
  log("emergency");
  answer();
  assertEquals((await asked).kind, "json");
  assertEquals(levels(), []);
  await setup.close();
});

Deno.test("logLevel becomes logging/setLevel ahead of the request, once as long as the level stays", async () => {
  const { setup, server, call, log, answer, levels } = logging();
  const first = call("info");
  await settled();
  assertEquals(server.calls.slice(-2).map(({ message }) => message.method), [
    "logging/setLevel",
    "tools/call",
  ]);
  log("debug");
  log("info");
  log("error");
  answer();
  assertEquals(await levelsIn(first), ["info", "error"]);
  const second = call("info");
  await settled();
  answer(1);
  await second;
  assertEquals(levels(), ["info"]);
  const third = call("error");
  await settled();
  answer(2);
  await third;
  assertEquals(levels(), ["info", "error"]);
  await setup.close();
});

Deno.test("requests at the same time: the session has the most verbose of their levels, each gets its own", async () => {
  const { setup, call, log, answer, levels } = logging();
  const loud = call("debug", { id: 1 });
  await settled();
  const quiet = call("error", { id: 2 });
  await settled();
  assertEquals(levels(), ["debug"]);
  for (const at of [0, 1]) {
    for (const level of ["debug", "error"]) log(level, at);
    answer(at);
  }
  assertEquals(await levelsIn(loud), ["debug", "error"]);
  assertEquals(await levelsIn(quiet), ["error"]);
  await setup.close();
});

Deno.test("a server that does not log, or refuses the level, is asked all the same", async () => {
  for (const capabilities of [{}, { logging: {} }]) {
    const { setup, server, call, answer, levels } = logging();
    server.capabilities = capabilities;
    const { script } = server;
    server.script = (call) => {
      const { method, id } = call.message;
      if (method !== "logging/setLevel") return script(call);
      return server.json({ jsonrpc: "2.0", id, error: { code: -32602, message: "no" } });
    };
    const asked = call("info");
    await settled();
    answer();
    assertEquals((await asked).status, 200);
    assertEquals(levels().length, "logging" in capabilities ? 1 : 0);
    await setup.close();
  }
});

Deno.test("a level that the server has refused is asked for again, and one that cannot be asked for is no failure", async () => {
  const { setup, server, call, answer, levels } = logging();
  const { script } = server;
  let answers = 0;
  server.script = (call) => {
    const { method, id } = call.message;
    if (method !== "logging/setLevel") return script(call);
    if (++answers === 2) return Promise.reject(new ProxyError("upstream_unreachable", "x"));
    return server.json({ jsonrpc: "2.0", id, error: { code: -32602, message: "no" } });
  };
  for (const at of [0, 1, 2]) {
    const asked = call("info");
    await settled();
    answer(at);
    assertEquals((await asked).status, 200);
  }
  assertEquals(levels(), ["info", "info", "info"]);
  await setup.close();
});

Deno.test("a level is set again in a session that was made anew", async () => {
  const { setup, server, call, answer, levels } = logging();
  const first = call("info");
  await settled();
  answer();
  await first;
  const { script } = server;
  server.script = (call) =>
    call.message.method === "tools/call" && call.call.sessionId === "s-1"
      ? server.json({}, 404)
      : script(call);
  const second = call("info");
  await settled();
  // The first that was asked of the new session has failed: it is the third call, on the second stream.
  const { id } = server.of("tools/call")[2]!.message;
  assertEquals(levels(), ["info", "info"]);
  assertEquals(setup.sent("logging/setLevel").call.sessionId, "s-2");
  assert(id !== undefined);
  await setup.close();
  await assertRejects(() => second, ProxyError);
});

Deno.test("a log line on the session's own stream goes to the one request that wants lines", async () => {
  const { setup, server, call, line, answer } = logging();
  const capabilities = { roots: {} };
  const asked = call("info", { capabilities });
  const other = call(undefined, { capabilities });
  await settled();
  server.say(line("info"));
  await settled();
  answer(0);
  answer(1);
  assertEquals(await levelsIn(asked), ["info"]);
  assertEquals((await other).kind, "json");
  await setup.close();
});

Deno.test("progress on the session's own stream goes to the request that it names", async () => {
  const { setup, server, answer } = logging();
  const asked = [1, 2].map((id) =>
    setup.post("tools/call", { name: "t" }, {
      id,
      capabilities: { roots: {} },
      meta: { progressToken: `t${id}` },
    })
  );
  await settled();
  const token = server.of("tools/call")[1]!.message.params!._meta!.progressToken;
  const params = { progressToken: token, progress: 5 };
  server.say({ jsonrpc: "2.0", method: "notifications/progress", params });
  await settled();
  answer(0);
  answer(1);
  assertEquals((await asked[0]!).kind, "json");
  const reader = sourceReader((await asked[1]!).body);
  await reader.readAll();
  assertEquals(modernMessages(reader)[0]!.params, { progressToken: "t2", progress: 5 });
  await setup.close();
});

Deno.test("notifications that nobody knows belong to the request on whose answer they come", async () => {
  const { setup, streams, call, answer } = logging();
  const asked = call();
  await settled();
  streams[0]!.send(eventOf({ jsonrpc: "2.0", method: "notifications/acme", params: { a: 1 } }));
  answer();
  const reader = sourceReader((await asked).body);
  await reader.readAll();
  assertEquals(modernMessages(reader)[0]!.params, { a: 1 });
  await setup.close();
});

Deno.test("a client that closes its stream cancels: the server is told under its id, the stream is given up (basic/patterns/cancellation)", async () => {
  for (const principal of ["p", ANONYMOUS]) {
    const { setup, server, streams, call, log } = logging();
    const asked = call("debug", { principal });
    await settled();
    log("info");
    const { body } = await asked;
    body.discard();
    await settled();
    const cancelled = setup.sent("notifications/cancelled");
    const { message, call: sent } = server.of("tools/call")[0]!;
    assertEquals(cancelled.message.params!.requestId, message.id);
    assertEquals(cancelled.call.sessionId, sent.sessionId);
    assert(streams[0]!.aborted);
    assertEquals(setup.bridge.stats().inFlight, 0);
    // The session of an anonymous caller is ended once that is said.
    const last = server.calls.findLast(({ call }) => call.sessionId === sent.sessionId)!;
    assertEquals(last.kind, principal === ANONYMOUS ? "terminate" : "notify");
    await setup.close();
  }
});

Deno.test("a client that leaves ahead of the answer's head cancels too (R54)", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  let wasAborted = false;
  server.script = ({ message: { method }, call }) => {
    if (method !== "tools/call") return undefined;
    return new Promise((_resolve, reject) => {
      call.signal.addEventListener("abort", () => {
        wasAborted = true;
        reject(new ProxyError("client_closed", "gone"));
      });
    });
  };
  const gone = new AbortController();
  const asked = setup.post("tools/call", { name: "t" }, { signal: gone.signal });
  await settled();
  gone.abort();
  assertEquals((await assertRejects(() => asked, ProxyError)).kind, "client_closed");
  await settled();
  assert(wasAborted);
  assertEquals(server.of("notifications/cancelled").length, 1);
  await setup.close();
});

Deno.test("a client that leaves ahead of its session: nothing of its request goes up", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const opening = Promise.withResolvers<void>();
  server.script = ({ message: { method, id } }) =>
    method !== "initialize" ? undefined : opening.promise.then(() => {
      const result = { protocolVersion: "2025-11-25", capabilities: {} };
      return { ...server.json({ jsonrpc: "2.0", id, result }), sessionId: "up-1" };
    });
  const gone = new AbortController();
  const asked = setup.post("tools/call", { name: "t" }, { signal: gone.signal });
  await settled();
  gone.abort();
  await assertRejects(() => asked, ProxyError);
  opening.resolve();
  await settled();
  assertEquals(server.of("tools/call"), []);
  assertEquals(server.of("notifications/cancelled"), []);
  await setup.close();
});

Deno.test("a request that is answered is not cancelled when its client leaves", async () => {
  const { setup, server, call, log, answer } = logging();
  const asked = call("debug");
  await settled();
  log("info");
  answer();
  const { body } = await asked;
  await settled();
  body.discard();
  await settled();
  assertEquals(server.of("notifications/cancelled"), []);
  await setup.close();
});

Deno.test("a server that says nothing for too long: the client is told, the server hears that it is cancelled", async () => {
  const { setup, server, call } = logging({ firstMessageMs: 1_000 });
  const { script } = server;
  const { answer } = server.events();
  server.script = (sent) =>
    sent.message.method === "tools/call"
      ? Promise.resolve({ ...answer, kind: "json" })
      : script(sent);
  const asked = call();
  await settled();
  server.clock.advance(1_000);
  assertEquals((await assertRejects(() => asked, ProxyError)).kind, "upstream_timeout");
  await settled();
  assertEquals(server.of("notifications/cancelled").length, 1);
  await setup.close();
});

Deno.test("R61 a server whose stream has begun may be silent in it: the client has a stream by then", async () => {
  const { setup, server, streams, call, answer } = logging({ firstMessageMs: 1_000 });
  const asked = call();
  await settled();
  assertEquals(streams.length, 1);
  server.clock.advance(1_000);
  const { status, kind, body } = await asked;
  assertEquals([status, kind, server.of("notifications/cancelled").length], [200, "sse", 0]);
  server.clock.advance(10_000);
  answer();
  const reader = sourceReader(body);
  await reader.readAll();
  assertEquals(modernMessages(reader).map(({ id }) => id), [7]);
  await setup.close();
});

Deno.test("a client that does not read holds the server back (R49)", async () => {
  const { setup, streams, call } = logging();
  const asked = call();
  await settled();
  for (let n = 0; n < 60; n++) {
    const params = { x: "y".repeat(10_000) };
    streams[0]!.send(eventOf({ jsonrpc: "2.0", method: "notifications/acme", params }));
    await settled();
  }
  assert(streams[0]!.paused);
  const { body } = await asked;
  body.discard();
  await settled();
  assert(streams[0]!.aborted);
  await setup.close();
});
