import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { FakeServer, SharedClient, sharedOptions, textOf } = share;

function setup(bounds = {}, more = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, { ...sharedOptions(clock, bounds), ...more });
  return { clock, server, shared };
}

Deno.test("clients of one kind share one upstream session, made once", async () => {
  const { server, shared } = setup();
  const clients = Array.from({ length: 5 }, () => new SharedClient(shared));
  const answers = await Promise.all(clients.map((client, at) => client.initialize(`c${at}`)));
  assertEquals(server.calls.map(({ message }) => message.method), [
    "initialize",
    "notifications/initialized",
  ]);
  assertEquals(new Set(clients.map(({ sessionId }) => sessionId)).size, 5);
  for (const [at, { body, sessionId }] of answers.entries()) {
    assert(/^[\w-]{43}$/.test(sessionId!));
    const { id, result } = JSON.parse(await textOf(body));
    assertEquals([id, result.protocolVersion], [`c${at}`, "2025-11-25"]);
  }
  assertEquals(server.calls[1]!.call.sessionId, "up-1");
  assertEquals(server.calls[1]!.call.headers.get("mcp-protocol-version"), "2025-11-25");
});

Deno.test("the proxy declares what clients of the revision can, and no tasks", async () => {
  for (
    const [revision, capabilities] of [
      ["2025-03-26", { roots: { listChanged: true }, sampling: {} }],
      ["2025-06-18", { roots: { listChanged: true }, sampling: {}, elicitation: {} }],
      ["2025-11-25", {
        roots: { listChanged: true },
        sampling: { tools: {}, context: {} },
        elicitation: { form: {}, url: {} },
      }],
    ] as const
  ) {
    const { server, shared } = setup();
    await SharedClient.join(shared, { revision });
    const { params } = server.calls[0]!.message;
    assertEquals(params!.capabilities, capabilities);
    assertEquals(params!.protocolVersion, revision);
    assertEquals(params!.clientInfo, { name: "switchyard", version: "0.1.0" });
  }
});

Deno.test("principals, revisions and queries have sessions of their own", async () => {
  const { server, shared } = setup();
  await SharedClient.join(shared);
  await SharedClient.join(shared, { principal: "q" });
  await SharedClient.join(shared, { revision: "2025-06-18" });
  await SharedClient.join(shared, { query: "?a" });
  assertEquals(server.of("initialize").length, 4);
  assertEquals(shared.stats().hubs, 4);
});

Deno.test("R72 the member of one principal does not exist for another, on any method", async () => {
  const { server, shared } = setup();
  const mine = await SharedClient.join(shared);
  const thief = new SharedClient(shared, { principal: "q" });
  thief.sessionId = mine.sessionId;
  const before = server.calls.length;
  const answers = [
    await thief.exchange({ jsonrpc: "2.0", id: 3, method: "tools/list" }),
    await thief.notify({ jsonrpc: "2.0", method: "notifications/initialized" }),
    await shared.listen(thief.call()),
    await thief.terminate(),
  ];
  assertEquals(answers.map(({ status }) => status), [404, 404, 404, 404]);
  assertEquals(JSON.parse(await textOf(answers[0]!.body)).id, 3);
  assertEquals(server.calls.length, before);
  assertEquals((await mine.request("tools/list")).result, {});
});

Deno.test("a refusal of initialize goes to all who waited, and the next one tries anew", async () => {
  const { server, shared } = setup();
  server.script = ({ message: { id, method } }) =>
    method === "initialize"
      ? server.json({ jsonrpc: "2.0", id, error: { code: -32602, message: "no" } })
      : undefined;
  const answers = await Promise.all(
    ["a", "b"].map((id) => new SharedClient(shared).initialize(id)),
  );
  for (const [at, { body, sessionId, status }] of answers.entries()) {
    assertEquals([status, sessionId], [200, undefined]);
    const { id, error } = JSON.parse(await textOf(body));
    assertEquals([id, error.code], [["a", "b"][at], -32602]);
  }
  assertEquals(shared.stats().hubs, 0);
  assertEquals(server.of("initialize").length, 1);
  server.script = () => undefined;
  await SharedClient.join(shared);
});

Deno.test("a failure of initialize goes to all who waited, a status with its fields", async () => {
  const { server, shared } = setup();
  const failure = new ProxyError("upstream_unreachable", "gone");
  server.script = () => Promise.reject(failure);
  const both = [new SharedClient(shared), new SharedClient(shared)].map((client) =>
    assertRejects(() => client.initialize(), ProxyError, "gone")
  );
  await Promise.all(both);
  server.script = () => {
    const answer = server.json("busy", 503);
    answer.headers.set("retry-after", "3");
    return answer;
  };
  const refused = await new SharedClient(shared).initialize();
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "3"]);
  server.script = ({ message }) =>
    message.method === "notifications/initialized" ? server.json("no", 400) : undefined;
  assertEquals((await new SharedClient(shared).initialize()).status, 400);
  assertEquals(shared.stats().hubs, 0);
});

Deno.test("initialize may be answered with a stream", async () => {
  const { server, shared } = setup();
  server.script = ({ message: { id, method } }) => {
    if (method !== "initialize") return undefined;
    const { answer, filled } = server.events();
    filled.send(share.eventOf({ jsonrpc: "2.0", method: "notifications/message", params: {} }));
    filled.send(share.eventOf({ jsonrpc: "2.0", id, result: { protocolVersion: "2025-06-18" } }));
    return { ...answer, sessionId: "s" };
  };
  const client = await SharedClient.join(shared);
  await client.request("tools/list");
  const { call } = server.calls.at(-1)!;
  assertEquals(call.sessionId, "s");
});

Deno.test("calls without a session, and those of 2026-07-28, pass untouched", async () => {
  const { server, shared } = setup();
  const client = new SharedClient(shared);
  const text = ' {"jsonrpc":"2.0", "id":1.0,"method":"tools/list"}';
  await client.exchange(text);
  await client.notify('{"jsonrpc":"2.0","method":"notifications/x"}');
  await shared.listen(client.call());
  await client.terminate();
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
  await client.exchange({ jsonrpc: "2.0", id: 1, method: "initialize", params: { _meta } });
  assertEquals(server.calls.map(({ kind }) => kind), [
    "exchange",
    "notify",
    "listen",
    "terminate",
    "exchange",
  ]);
  assertEquals(server.calls[0]!.text, text);
  assertEquals(shared.stats().hubs, 0);
});

Deno.test("a client that has gone while initialize was under way leaves no member behind", async () => {
  const { server, shared, clock } = setup();
  const control = new AbortController();
  const client = new SharedClient(shared);
  const params = { protocolVersion: "2025-11-25", capabilities: {} };
  const message = { jsonrpc: "2.0", id: 1, method: "initialize", params };
  const joining = client.exchange(message, control.signal);
  control.abort();
  await assertRejects(() => joining, ProxyError, "gone");
  assertEquals([shared.stats().members, shared.stats().hubs], [0, 1]);
  clock.advance(60_000);
  await relay.settled();
  assertEquals(server.calls.at(-1)!.kind, "terminate");
});

Deno.test("R82 the session ends some time after its last member, unless one comes back", async () => {
  const { server, shared, clock } = setup({ idleMs: 1_000 });
  const first = await SharedClient.join(shared);
  const second = await SharedClient.join(shared);
  assertEquals((await first.terminate()).status, 200);
  assertEquals((await first.exchange({ jsonrpc: "2.0", id: 1, method: "x" })).status, 404);
  await second.terminate();
  clock.advance(999);
  await SharedClient.join(shared);
  clock.advance(5_000);
  assertEquals(server.of("initialize").length, 1);
  assertEquals(shared.stats().hubs, 1);
});

Deno.test("R82 a session without members is ended at the server", async () => {
  const { server, shared, clock } = setup({ idleMs: 1_000 });
  await (await SharedClient.join(shared)).terminate();
  clock.advance(1_000);
  await relay.settled();
  const last = server.calls.at(-1)!;
  assertEquals([last.kind, last.call.sessionId], ["terminate", "up-1"]);
  assertEquals(shared.stats().hubs, 0);
});

Deno.test("R82 members that are not used are forgotten, those that listen are not", async () => {
  const { shared, clock } = setup({}, { memberIdleMs: 10_000 });
  const [idle, used, listening] = [
    await SharedClient.join(shared),
    await SharedClient.join(shared),
    await SharedClient.join(shared),
  ];
  await listening.listen();
  clock.advance(6_000);
  await used.request("ping");
  clock.advance(4_000);
  assertEquals(shared.stats().members, 2);
  assertEquals((await idle.exchange({ jsonrpc: "2.0", id: 1, method: "x" })).status, 404);
  clock.advance(10_000);
  assertEquals(shared.stats().members, 1);
  clock.advance(100_000);
  assertEquals(shared.stats().members, 1);
  await shared.close();
  assertEquals(clock.timers, 0);
});

Deno.test("R85 members and upstream sessions are capped; the longest idle member gives way", async () => {
  const { server, shared } = setup({ maxHubs: 2 }, { maxMembers: 2 });
  const first = await SharedClient.join(shared);
  const second = await SharedClient.join(shared);
  await first.request("ping");
  const third = await SharedClient.join(shared);
  assertEquals((await second.exchange({ jsonrpc: "2.0", id: 1, method: "x" })).status, 404);
  await first.listen();
  await third.listen();
  // Said before anything goes upstream: nobody could reach that session.
  const asked = server.calls.length;
  const another = () => SharedClient.join(shared, { principal: "q0" });
  await assertRejects(another, ProxyError, "as many sessions");
  assertEquals(server.calls.length, asked);
  await third.terminate();
  await SharedClient.join(shared, { principal: "q1" });
  await first.terminate();
  // The hub of the first is without members now, and gives way.
  await SharedClient.join(shared, { principal: "q2" });
  assertEquals(shared.stats().hubs, 2);
  assertEquals(server.calls.filter(({ kind }) => kind === "terminate").length, 1);
});

Deno.test("R85 upstream sessions whose members were used a short time ago do not give way", async () => {
  const { server, shared, clock } = setup({ maxHubs: 1, idleMs: 60_000 });
  const client = await SharedClient.join(shared);
  const asked = server.calls.length;
  const another = () => SharedClient.join(shared, { principal: "q" });
  clock.advance(59_999);
  await assertRejects(another, ProxyError, "as many sessions");
  assertEquals(server.calls.length, asked);
  await client.request("ping");
  clock.advance(1);
  await assertRejects(another, ProxyError, "as many sessions");
  await client.listen();
  clock.advance(60_000);
  await assertRejects(another, ProxyError, "as many sessions");
});

Deno.test("R85 an upstream session whose members all were idle gives way to another principal's", async () => {
  const { server, shared, clock } = setup({ maxHubs: 2, idleMs: 60_000 });
  const idle = [await SharedClient.join(shared), await SharedClient.join(shared)];
  const used = await SharedClient.join(shared, { principal: "q" });
  await SharedClient.join(shared, { principal: "q" });
  clock.advance(60_000);
  await used.request("ping");
  await SharedClient.join(shared, { principal: "r" });
  assertEquals(shared.stats().hubs, 2);
  assertEquals(server.calls.filter(({ kind }) => kind === "terminate").length, 1);
  // Their front has the session made anew.
  for (const client of idle) {
    assertEquals((await client.exchange({ jsonrpc: "2.0", id: 1, method: "x" })).status, 404);
  }
  assertEquals((await used.request("ping")).error, undefined);
});

Deno.test("R85 one principal has a part of the upstream sessions, however many queries it thinks of", async () => {
  const { server, shared, clock } = setup({ maxHubs: 16, idleMs: 60_000 });
  const queries = ["?0", "?1"];
  for (const query of queries) await SharedClient.join(shared, { query });
  const asked = server.calls.length;
  const another = () => SharedClient.join(shared, { query: "?2" });
  const error = await assertRejects(another, ProxyError);
  assertEquals([error.kind, error.status], ["principal_exhausted", 429]);
  assertEquals(error.headers["retry-after"], "10");
  assertEquals(server.calls.length, asked);
  // Those that it has it may share, and others have theirs.
  const shares = await SharedClient.join(shared, { query: "?0" });
  await SharedClient.join(shared, { principal: "q", query: "?2" });
  clock.advance(60_000);
  await shares.request("ping");
  // Its own gives way, and nobody else's.
  await another();
  assertEquals(shared.stats().hubs, 3);
  assertEquals((await shares.request("ping")).error, undefined);
});

Deno.test("R85 callers without a name are no one principal, and have all upstream sessions", async () => {
  const { shared } = setup({ maxHubs: 4 });
  const principal = sharedOptions(new ManualClock()).anonymous;
  for (const query of ["?0", "?1", "?2", "?3"]) {
    await SharedClient.join(shared, { principal, query });
  }
  const another = () => SharedClient.join(shared, { principal, query: "?4" });
  await assertRejects(another, ProxyError, "as many sessions");
});

Deno.test("a proxy that stops while initialize is under way lets nobody in", async () => {
  const { server, shared, clock } = setup();
  const hold = Promise.withResolvers<ReturnType<typeof server.json>>();
  server.script = ({ message }) => message.method === "initialize" ? hold.promise : undefined;
  const joining = assertRejects(() => SharedClient.join(shared), ProxyError, "has ended");
  await relay.settled();
  await shared.close();
  const result = { protocolVersion: "2025-11-25" };
  hold.resolve(server.json({ jsonrpc: "2.0", id: server.calls[0]!.message.id, result }));
  await joining;
  assertEquals([shared.stats().members, clock.timers], [0, 0]);
});

Deno.test("initialize inside a session is refused here, and without a revision", async () => {
  const { server, shared } = setup();
  const client = await SharedClient.join(shared);
  const { error } = await client.request("initialize", { protocolVersion: "2025-11-25" });
  assertEquals(error!.code, -32600);
  assertEquals(server.of("initialize").length, 1);
  const other = new SharedClient(shared);
  await assertRejects(
    () => other.exchange({ jsonrpc: "2.0", id: 1, method: "initialize", params: {} }),
    ProxyError,
    "protocolVersion",
  );
});

Deno.test("close() ends the streams, leaves no timer, and closes the upstream", async () => {
  const { server, shared, clock } = setup();
  const client = await SharedClient.join(shared);
  const stream = await client.listen();
  await stream.read();
  await shared.close();
  await relay.settled();
  assertNotEquals(stream.ending, undefined);
  assertEquals([server.closed, clock.timers], [true, 0]);
  await assertRejects(() => SharedClient.join(shared), ProxyError, "has ended");
});

Deno.test("R82 close() has the server told that its sessions are over, and waits for one that hangs only so long", async () => {
  for (const hangs of [false, true]) {
    const { server, shared, clock } = setup();
    await SharedClient.join(shared);
    if (hangs) {
      server.script = ({ kind }) => kind === "terminate" ? new Promise(() => {}) : undefined;
    }
    const closing = shared.close();
    await relay.settled();
    assertEquals(server.calls.filter(({ kind }) => kind === "terminate").length, 1);
    assertEquals([server.closed, clock.timers], hangs ? [false, 1] : [true, 0]);
    clock.advance(2_000);
    await closing;
    assertEquals([server.closed, clock.timers], [true, 0]);
  }
});
