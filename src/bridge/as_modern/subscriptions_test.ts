import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";

const { ANONYMOUS, metaKey, ModernSetup, modernMessages } = modern;
const { settled, sourceReader } = relay;

const ALL = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
};
const ID = metaKey("subscriptionId");

function listening(options: ConstructorParameters<typeof ModernSetup>[0] = {}) {
  const setup = new ModernSetup(options);
  const { server } = setup;
  server.capabilities = ALL;
  setup.numbered(() => undefined);
  const post = (filter: unknown, asking: modern.Asking = {}) =>
    setup.post("subscriptions/listen", { notifications: filter }, asking);
  return {
    setup,
    server,
    post,
    listen: async (filter: object, asking: modern.Asking = {}) => {
      const { body } = await post(filter, asking);
      const reader = sourceReader(body);
      await reader.readAll();
      return { reader, body, messages: () => modernMessages(reader) };
    },
    changed: (list: string) =>
      server.say({ jsonrpc: "2.0", method: `notifications/${list}/list_changed` }),
    updated: (uri: string) =>
      server.say({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } }),
    uris: (what: "subscribe" | "unsubscribe") =>
      server.of(`resources/${what}`).map(({ message }) => message.params!.uri),
  };
}

Deno.test("the acknowledgement comes first and says what is honoured, tagged with the request's own id (basic/patterns/subscriptions)", async () => {
  const { setup, server, listen } = listening();
  server.capabilities = { ...ALL, prompts: {} };
  for (const id of [1, "1"]) {
    const { messages } = await listen({
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: false,
      resourceSubscriptions: ["a:1"],
      other: true,
    }, { id });
    assertEquals(messages(), [{
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ["a:1"] },
        _meta: { [ID]: id },
      },
    }]);
  }
  await setup.close();
});

Deno.test("only what was asked for is told, each with the id of its own subscription", async () => {
  const { setup, listen, changed, updated } = listening();
  const tools = await listen({ toolsListChanged: true }, { id: 1 });
  const both = await listen(
    { promptsListChanged: true, resourceSubscriptions: ["a:1"] },
    { id: "2" },
  );
  for (const list of ["tools", "prompts", "resources"]) changed(list);
  updated("a:1");
  updated("a:2");
  await tools.reader.readAll();
  await both.reader.readAll();
  assertEquals(tools.messages().slice(1), [{
    jsonrpc: "2.0",
    method: "notifications/tools/list_changed",
    params: { _meta: { [ID]: 1 } },
  }]);
  assertEquals(both.messages().slice(1).map(({ method, params }) => [method, params]), [
    ["notifications/prompts/list_changed", { _meta: { [ID]: "2" } }],
    ["notifications/resources/updated", { uri: "a:1", _meta: { [ID]: "2" } }],
  ]);
  await setup.close();
});

Deno.test("one GET stream per session, whoever listens", async () => {
  const { setup, server, listen } = listening();
  await Promise.all([listen({ toolsListChanged: true }), listen({ promptsListChanged: true })]);
  await listen({ promptsListChanged: true });
  assertEquals(server.streams.length, 1);
  await listen({ promptsListChanged: true }, { principal: "q" });
  assertEquals(server.streams.length, 2);
  await setup.close();
  assert(server.streams.every(({ aborted }) => aborted));
});

Deno.test("a server that does not say that resources can be subscribed to is not asked to", async () => {
  const { setup, server, listen, uris } = listening();
  server.capabilities = { resources: {} };
  const { messages } = await listen({ resourceSubscriptions: ["a:1"] });
  assertEquals([messages()[0]!.params!.notifications, uris("subscribe")], [{}, []]);
  await setup.close();
});

Deno.test("a server without a GET stream honours nothing, and the stream stays open", async () => {
  const { setup, server, listen, uris } = listening();
  setup.numbered(({ kind }) => kind === "listen" ? server.json({}, 405) : undefined);
  const filter = { toolsListChanged: true, resourceSubscriptions: ["a:1"] };
  const { reader, messages } = await listen(filter);
  assertEquals(messages()[0]!.params!.notifications, {});
  assertEquals([reader.waits, uris("subscribe")], [true, []]);
  await listen(filter);
  assertEquals(server.calls.filter(({ kind }) => kind === "listen").length, 1);
  await setup.close();
});

Deno.test("resources are subscribed to once and given back by the last", async () => {
  const { setup, listen, uris } = listening();
  const one = await listen({ resourceSubscriptions: ["a:1", "a:2", "a:1"] });
  const two = await listen({ resourceSubscriptions: ["a:2", "a:3"] });
  assertEquals(uris("subscribe"), ["a:1", "a:2", "a:3"]);
  one.body.discard();
  await settled();
  assertEquals(uris("unsubscribe"), ["a:1"]);
  two.body.discard();
  await settled();
  assertEquals(uris("unsubscribe"), ["a:1", "a:2", "a:3"]);
  assertEquals(setup.bridge.stats().listening, 0);
  await setup.close();
});

Deno.test("what the server does not take is not honoured, not told, and not given back", async () => {
  const { setup, server, listen, updated, uris } = listening();
  setup.numbered(({ message: { method, params, id } }) =>
    method === "resources/subscribe" && params!.uri === "a:2"
      ? server.json({ jsonrpc: "2.0", id, error: { code: -32002, message: "no" } })
      : undefined
  );
  const { reader, body, messages } = await listen({ resourceSubscriptions: ["a:1", "a:2"] });
  assertEquals(messages()[0]!.params!.notifications, { resourceSubscriptions: ["a:1"] });
  updated("a:2");
  await reader.readAll();
  assertEquals(messages().length, 1);
  body.discard();
  await settled();
  assertEquals(uris("unsubscribe"), ["a:1"]);
  await setup.close();
});

Deno.test("what changes while resources are being subscribed to is told behind the acknowledgement", async () => {
  const { setup, server, post, changed } = listening();
  const subscribing = Promise.withResolvers<ReturnType<typeof server.json>>();
  setup.numbered(({ message: { method } }) =>
    method === "resources/subscribe" ? subscribing.promise : undefined
  );
  const asked = post({ toolsListChanged: true, resourceSubscriptions: ["a:1"] });
  await settled();
  changed("tools");
  await settled();
  const { id } = setup.sent("resources/subscribe").message;
  subscribing.resolve(server.json({ jsonrpc: "2.0", id, result: {} }));
  const reader = sourceReader((await asked).body);
  await reader.readAll();
  assertEquals(modernMessages(reader).map(({ method }) => method), [
    "notifications/subscriptions/acknowledged",
    "notifications/tools/list_changed",
  ]);
  await setup.close();
});

Deno.test("the stream never ends by itself", async () => {
  const { setup, server, listen, changed } = listening({ streamIdleMs: 10, firstMessageMs: 10 });
  const { reader, messages } = await listen({ toolsListChanged: true });
  server.clock.advance(400_000_000);
  await settled();
  changed("tools");
  await reader.readAll();
  assertEquals([messages().length, reader.waits], [2, true]);
  await setup.close();
});

Deno.test("when the bridge closes, and when the front ends it, the stream ends with the result (Graceful Closure)", async () => {
  for (const how of ["close", "end"]) {
    const { setup, listen } = listening();
    const { reader, body, messages } = await listen({ toolsListChanged: true }, { id: "x" });
    if (how === "close") await setup.close();
    else body.end();
    await reader.readAll();
    assertEquals(messages().at(-1), {
      jsonrpc: "2.0",
      id: "x",
      result: {
        resultType: "complete",
        _meta: { [ID]: "x", [metaKey("serverInfo")]: { name: "fake", version: "1" } },
      },
    });
    assertEquals(reader.ending, null);
    await setup.close();
  }
});

Deno.test("an anonymous caller listens in a session of its own, also where sessions are shared", async () => {
  for (const sharesSessions of [false, true]) {
    const { setup, server, listen } = listening({ sharesSessions });
    const asking = { principal: ANONYMOUS };
    const one = await listen({ toolsListChanged: true }, asking);
    await listen({ toolsListChanged: true }, asking);
    const sessions = server.calls.filter(({ kind }) => kind === "listen")
      .map(({ call }) => call.sessionId);
    assertEquals(new Set(sessions).size, 2);
    one.body.discard();
    await settled();
    const ended = server.calls.filter(({ kind }) => kind === "terminate");
    assertEquals(ended.map(({ call }) => call.sessionId), [sessions[0]]);
    await setup.close();
  }
});

Deno.test("the GET stream is opened again where it breaks, behind its last event (R57)", async () => {
  const { setup, server, listen, changed } = listening();
  const { reader, messages } = await listen({ toolsListChanged: true });
  server.stream.send("id: e-5\n\n");
  await settled();
  server.stream.body.finish();
  await settled();
  server.clock.advance(1);
  await settled();
  const listens = server.calls.filter(({ kind }) => kind === "listen");
  assertEquals(listens.map(({ call }) => call.lastEventId), [null, "e-5"]);
  changed("tools");
  await reader.readAll();
  assertEquals(messages().length, 2);
  await setup.close();
});

Deno.test("the GET stream is opened again however often the server ends it in silence (2025-11-25 transports, Listening 2)", async () => {
  const { setup, server, listen, changed } = listening();
  const { reader, messages } = await listen({ toolsListChanged: true });
  for (let times = 0; times < 8; times++) {
    server.stream.body.finish();
    await settled();
    server.clock.advance(1);
    await settled();
  }
  changed("tools");
  await reader.readAll();
  // Acknowledged, told behind each gap that the lists may have changed, and told of the change.
  assertEquals([messages().length, reader.ending], [1 + 8 + 1, undefined]);
  await setup.close();
});

Deno.test("a GET stream that cannot be had any more breaks the subscriptions off", async () => {
  const { setup, server, listen } = listening();
  const { reader, body } = await listen({ toolsListChanged: true });
  const { script } = server;
  server.script = (call) => call.kind === "listen" ? server.json({}, 503) : script(call);
  server.stream.body.finish();
  for (let n = 0; n < 5; n++) {
    await settled();
    server.clock.advance(1);
  }
  await reader.readAll();
  assert(reader.ending instanceof ProxyError);
  assert(body.ended === false);
  assertEquals(setup.bridge.stats().listening, 0);
  await setup.close();
});

Deno.test("in a session made anew listening and subscriptions go on", async () => {
  const { setup, server, listen, updated, uris } = listening();
  const { reader, messages } = await listen({ resourceSubscriptions: ["a:1"] });
  const { script } = server;
  server.script = (call) =>
    call.message.method === "tools/list" && call.call.sessionId === "s-1"
      ? server.json({}, 404)
      : script(call);
  await setup.ask("tools/list");
  await settled();
  assertEquals(uris("subscribe"), ["a:1", "a:1"]);
  assertEquals(setup.sent("resources/subscribe").call.sessionId, "s-2");
  assertEquals(server.streams.length, 2);
  updated("a:1");
  await reader.readAll();
  // The first one says that the resource may have changed meanwhile.
  assertEquals(messages().slice(1).map(({ params }) => params!.uri), ["a:1", "a:1"]);
  await setup.close();
});

Deno.test("changes that the server tells of on the answer to a request reach who listens, and nobody else", async () => {
  const { setup, server, listen } = listening();
  const { reader, messages } = await listen({ toolsListChanged: true });
  setup.numbered(({ message: { method, id } }) => {
    if (method !== "tools/call") return undefined;
    const { answer, filled } = server.events();
    filled.send(
      share.eventOf({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }) +
        share.eventOf({ jsonrpc: "2.0", id, result: {} }),
    );
    return answer;
  });
  assertEquals(
    (await setup.ask("tools/call", { name: "t" })).message.result!.resultType,
    "complete",
  );
  await reader.readAll();
  assertEquals(messages().length, 2);
  await setup.close();
});

Deno.test("a client that leaves ahead of the acknowledgement leaves nothing behind", async () => {
  const { setup, server, post, uris } = listening();
  const subscribing = Promise.withResolvers<ReturnType<typeof server.json>>();
  setup.numbered(({ message: { method } }) =>
    method === "resources/subscribe" ? subscribing.promise : undefined
  );
  const gone = new AbortController();
  const asked = post({ resourceSubscriptions: ["a:1"] }, { signal: gone.signal });
  await settled();
  gone.abort();
  await settled();
  assertEquals(setup.bridge.stats().listening, 0);
  const { id } = setup.sent("resources/subscribe").message;
  subscribing.resolve(server.json({ jsonrpc: "2.0", id, result: {} }));
  assertEquals((await assertRejects(() => asked, ProxyError)).kind, "client_closed");
  await settled();
  assertEquals(uris("unsubscribe"), ["a:1"]);
  assertEquals(setup.bridge.stats().listening, 0);
  await setup.close();
});

Deno.test("a listener that does not read loses its queue, is told, and ends (R50)", async () => {
  const { setup, changed, post } = listening({ bounds: { maxQueuedMessages: 3 } });
  const { body } = await post({ toolsListChanged: true });
  for (let n = 0; n < 5; n++) changed("tools");
  await settled();
  const reader = sourceReader(body);
  await reader.readAll();
  assertEquals(reader.ending, null);
  assertEquals(modernMessages(reader), []);
  assertEquals(setup.bridge.stats().listening, 0);
  await setup.close();
});

Deno.test("so many streams of one principal, so many in all, so many resources of one", async () => {
  const bounds = { maxListeners: 3, maxPrincipalListeners: 1, maxSubscriptions: 2 };
  const { setup, post } = listening({ bounds });
  const refused = async (filter: unknown, principal: string) => {
    const error = await assertRejects(() => post(filter, { principal }), ProxyError);
    return error.kind;
  };
  assertEquals(await refused({ resourceSubscriptions: ["a", "b", "c"] }, "p"), "invalid_params");
  await post({}, { principal: "p" });
  assertEquals(await refused({}, "p"), "principal_exhausted");
  await post({}, { principal: ANONYMOUS });
  await post({}, { principal: ANONYMOUS });
  assertEquals(await refused({}, "q"), "upstream_saturated");
  await setup.close();
});

Deno.test("a filter that is none is refused with -32602", async () => {
  const { setup, post } = listening();
  for (
    const filter of [undefined, [], { resourceSubscriptions: "a" }, { resourceSubscriptions: [1] }]
  ) {
    assertEquals((await assertRejects(() => post(filter), ProxyError)).code, -32602);
  }
  assertEquals(setup.server.calls, []);
  await setup.close();
});

Deno.test("R82 a server without session ids: who listens goes on listening when the stock forgets the session", async () => {
  const { setup, server, listen, changed } = listening();
  server.script = () => undefined;
  server.sessionId = undefined;
  const anybody = { principal: ANONYMOUS };
  const { reader, body, messages } = await listen({ toolsListChanged: true }, anybody);
  server.clock.advance(3_600_000);
  await settled();
  changed("tools");
  await settled();
  await reader.readAll();
  assertEquals(messages().map(({ method }) => method).slice(1), [
    "notifications/tools/list_changed",
  ]);
  body.discard();
  await settled();
  assertEquals([setup.bridge.stats().sessions, setup.bridge.stats().stock], [0, 0]);
  await setup.close();
});

Deno.test("R82 what is subscribed to for a stream that has broken off meanwhile is given back", async () => {
  const { setup, server, post, uris } = listening();
  const gate = Promise.withResolvers<void>();
  const { script } = server;
  let listens = 0;
  server.script = (call) => {
    if (call.kind === "listen" && ++listens > 1) return server.json({}, 405);
    if (call.message.method !== "resources/subscribe") return script(call);
    return gate.promise.then(() =>
      server.json({ jsonrpc: "2.0", id: call.message.id, result: {} })
    );
  };
  const posted = post({ resourceSubscriptions: ["a:1"] });
  await settled();
  server.stream.body.finish();
  for (let n = 0; n < 5; n++) {
    await settled();
    server.clock.advance(1);
  }
  gate.resolve();
  await sourceReader((await posted).body).readAll();
  await settled();
  assertEquals([uris("subscribe"), uris("unsubscribe")], [["a:1"], ["a:1"]]);
  await setup.close();
});
