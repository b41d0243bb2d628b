import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";

const { ASKED, asking, metaKey, ModernSetup } = modern;
const { settled } = relay;
const LOST = { code: -32000, message: "Bad Request: No valid session ID provided" };

/** Has the server forget its first session. */
function loseFirst({ server }: modern.ModernSetup): void {
  const { script } = server;
  server.script = (call) => {
    const isOld = call.call.sessionId === "s-1" && call.kind !== "terminate";
    return isOld ? server.json({}, 404) : script(call);
  };
}

/** The sessions that the server was told to end. */
function endedAt(server: modern.ModernSetup["server"]): (string | undefined)[] {
  const ended = server.calls.filter(({ kind }) => kind === "terminate");
  return ended.map(({ call }) => call.sessionId);
}

Deno.test("where initialized is refused there is no session, and the server's is ended", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method } }) =>
    method === "notifications/initialized" ? server.json({ error: "x" }, 403) : undefined;
  assertEquals((await setup.ask("tools/list")).status, 403);
  assertEquals([server.of("tools/list"), endedAt(server)], [[], ["up-1"]]);
  await setup.close();
});

Deno.test("a session whose head has come is ended at the server where the rest fails", async () => {
  for (const failing of ["initialize", "notifications/initialized"]) {
    const setup = new ModernSetup();
    const { server } = setup;
    server.script = ({ message: { method } }) => {
      if (method !== failing) return undefined;
      // An answer that has no response in it.
      if (method === "initialize") return { ...server.json({}), sessionId: server.sessionId };
      return Promise.reject(new ProxyError("upstream_closed", "It broke off."));
    };
    await assertRejects(() => setup.ask("tools/list"), ProxyError);
    await settled();
    assertEquals(endedAt(server), ["up-1"]);
    await setup.close();
  }
});

Deno.test("a server that had no sessions and wants one by now gets one", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.sessionId = undefined;
  await setup.ask("tools/list");
  server.sessionId = "s-9";
  server.script = ({ message: { method }, call }) =>
    method === "tools/list" && call.sessionId === undefined
      ? server.json({ jsonrpc: "2.0", error: LOST, id: null }, 400)
      : undefined;
  assertEquals((await setup.ask("tools/list")).status, 200);
  assertEquals(setup.sent("tools/list").call.sessionId, "s-9");
  await setup.close();
});

Deno.test("a session that is made anew while the bridge closes is ended", async () => {
  const { setup, server } = asking();
  await setup.ask("tools/list");
  loseFirst(setup);
  const { script } = server;
  const opening = Promise.withResolvers<void>();
  server.script = async (call) => {
    if (call.message.method === "initialize") await opening.promise;
    const { message: { method, id } } = call;
    const given = await script(call);
    if (given !== undefined || method !== "initialize") return given ?? server.json(undefined, 202);
    const result = { protocolVersion: "2025-11-25", capabilities: {} };
    return { ...server.json({ jsonrpc: "2.0", id, result }), sessionId: "s-2" };
  };
  const asked = setup.ask("tools/list");
  const failed = assertRejects(() => asked, ProxyError);
  await settled();
  const closing = setup.bridge.close();
  await settled();
  opening.resolve();
  await closing;
  await failed;
  assertEquals(endedAt(server), ["s-2"]);
});

Deno.test("answers are for the session that asked: in a new one they mean nothing", async () => {
  const { setup, ask, question, answers } = asking();
  const { result } = await ask(() => question(1));
  loseFirst(setup);
  assertEquals((await setup.ask("tools/list", {}, ASKED)).status, 200);
  const retry = { name: "t", inputResponses: { q1: {} }, requestState: result!.requestState };
  const error = await assertRejects(() => setup.ask("tools/call", retry, ASKED), ProxyError);
  assertEquals(error.kind, "upstream_closed");
  assertEquals(answers(), []);
  await setup.close();
});

Deno.test("the answer to a request is not looked for in another session than its own", async () => {
  const { setup, server, streams } = asking();
  const asked = setup.ask("tools/call", { name: "t" });
  const failed = assertRejects(() => asked, ProxyError);
  await settled();
  streams[0]!.send("id: e-1\n\n");
  await settled();
  loseFirst(setup);
  await setup.ask("tools/list");
  streams[0]!.body.finish();
  for (let n = 0; n < 5; n++) {
    await settled();
    server.clock.advance(1);
  }
  await failed;
  assertEquals(server.calls.filter(({ kind }) => kind === "listen"), []);
  await setup.close();
});

Deno.test("a stream that breaks off is taken up again as one that ends is", async () => {
  const { setup, server, streams } = asking();
  const asked = setup.ask("tools/call", { name: "t" });
  await settled();
  streams[0]!.send("id: e-1\n\n");
  await settled();
  streams[0]!.body.fail(new ProxyError("upstream_closed", "reset"));
  await settled();
  server.clock.advance(1);
  await settled();
  const { id } = server.of("tools/call")[0]!.message;
  server.say({ jsonrpc: "2.0", id, result: { late: 1 } });
  assertEquals((await asked).message.result!.late, 1);
  assertEquals(server.calls.find(({ kind }) => kind === "listen")!.call.lastEventId, "e-1");
  await setup.close();
});

Deno.test("a GET stream goes on behind no event of a session that was lost", async () => {
  for (const finder of ["stream", "request"]) {
    const setup = new ModernSetup();
    const { server } = setup;
    server.capabilities = { tools: { listChanged: true } };
    setup.numbered(() => undefined);
    const params = { notifications: { toolsListChanged: true } };
    const { body } = await setup.post("subscriptions/listen", params);
    server.stream.send("id: e-1\n\n");
    await settled();
    loseFirst(setup);
    server.stream.body.finish();
    await settled();
    if (finder === "request") await setup.ask("tools/list");
    server.clock.advance(1);
    await settled();
    const listens = server.calls.filter(({ kind }) => kind === "listen");
    assertEquals(listens.at(-1)!.call.sessionId, "s-2");
    assertEquals(listens.at(-1)!.call.lastEventId, null);
    assertEquals(listens.length, finder === "stream" ? 3 : 2);
    body.discard();
    await setup.close();
  }
});

Deno.test("an error without an id is about the request that it answers", async () => {
  for (const id of [null, undefined]) {
    const { setup, say } = asking();
    const asked = setup.ask("tools/call", { name: "t" });
    await settled();
    say({ id, error: { code: -32600, message: "x" } });
    assertEquals((await asked).message, {
      jsonrpc: "2.0",
      id: 7,
      error: { code: -32600, message: "x" },
    });
    await setup.close();
  }
});

Deno.test("an error of the modern era in a 200 makes the server's era doubtful too", async () => {
  const { setup, server, say } = asking();
  const asked = setup.ask("tools/call", { name: "t" });
  await settled();
  const { id } = server.of("tools/call")[0]!.message;
  say({ id, error: { code: -32022, message: "x", data: {} } });
  assertEquals([(await asked).status, setup.doubts], [502, 1]);
  await setup.close();
});

Deno.test("a client that has gone already gets no session", async () => {
  const setup = new ModernSetup();
  const gone = new AbortController();
  gone.abort();
  const asked = () => setup.ask("tools/call", { name: "t" }, { signal: gone.signal });
  assertEquals((await assertRejects(asked, ProxyError)).kind, "client_closed");
  await settled();
  assertEquals(setup.server.of("tools/call"), []);
  await setup.close();
});

Deno.test("what has begun to be answered may take its time", async () => {
  const { setup, server, streams, answer } = asking({ firstMessageMs: 1_000 });
  const asked = setup.post("tools/call", { name: "t" });
  await settled();
  streams[0]!.send(share.eventOf({ jsonrpc: "2.0", method: "notifications/acme" }));
  const reader = relay.sourceReader((await asked).body);
  server.clock.advance(5_000);
  answer();
  await reader.readAll();
  const messages = modern.modernMessages(reader);
  assertEquals(messages.at(-1)!.result!.resultType, "complete");
  await setup.close();
});

Deno.test("an answer of JSON that does not end is given up when its client leaves, whatever its status (R54)", async () => {
  for (const status of [200, 500]) {
    const setup = new ModernSetup();
    const { server } = setup;
    const { answer, filled } = server.events();
    server.script = ({ message: { method } }) =>
      method === "tools/call" ? Promise.resolve({ ...answer, status, kind: "json" }) : undefined;
    const gone = new AbortController();
    const asked = setup.post("tools/call", { name: "t" }, { signal: gone.signal });
    await settled();
    filled.send("{");
    await settled();
    gone.abort();
    await assertRejects(() => asked, ProxyError);
    await settled();
    assert(filled.aborted);
    await setup.close();
  }
});

Deno.test("an answer that comes when its client has left is given up", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const { answer, filled } = server.events();
  const head = Promise.withResolvers<typeof answer>();
  server.script = ({ message: { method } }) => method === "tools/call" ? head.promise : undefined;
  const gone = new AbortController();
  const asked = setup.post("tools/call", { name: "t" }, {
    signal: gone.signal,
    meta: { [metaKey("logLevel")]: "info" },
  });
  await settled();
  gone.abort();
  await assertRejects(() => asked, ProxyError);
  head.resolve(answer);
  await settled();
  assert(filled.aborted);
  await setup.close();
});
