import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { Fields } from "../../http/mod.ts";
import { ModernFake } from "../../testing/bridge.ts";
import { settled } from "../../testing/relay.ts";
import { eventOf, type FakeCall, type Rpc, SharedClient, textOf } from "../../testing/share.ts";
import { BRIDGED_SESSION } from "./mod.ts";

async function initialize(fake: ModernFake, revision: string): Promise<Rpc & { result: never }> {
  const client = new SharedClient(fake.bridge, { revision });
  const { body } = await client.initialize();
  return JSON.parse(await textOf(body));
}

Deno.test("ERAS initialize is answered from server/discover, in the client's revision", async () => {
  const fake = new ModernFake();
  assertEquals(await initialize(fake, "2025-11-25"), {
    jsonrpc: "2.0",
    id: 1,
    result: {
      protocolVersion: "2025-11-25",
      capabilities: {
        logging: {},
        completions: {},
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        tools: { listChanged: true },
      },
      serverInfo: { name: "fake", version: "1", title: "F" },
      instructions: "Be kind.",
    },
  } as never);
  const [discover] = fake.of("server/discover");
  assertEquals(
    discover!.message.params!._meta!["io.modelcontextprotocol/protocolVersion"],
    "2026-07-28",
  );
  assertEquals(discover!.call.headers.get("mcp-method"), "server/discover");
  assertEquals(discover!.call.era, "modern");
  await fake.bridge.close();
});

Deno.test("2025-11-25 lifecycle Version Negotiation: known revisions are kept, for others it is the newest", async () => {
  const fake = new ModernFake();
  for (const revision of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
    const { result } = await initialize(fake, revision);
    assertEquals((result as { protocolVersion: string }).protocolVersion, revision);
  }
  for (const revision of ["2026-07-28", "1999-01-01"]) {
    const { result } = await initialize(fake, revision);
    assertEquals((result as { protocolVersion: string }).protocolVersion, "2025-11-25");
  }
  await fake.bridge.close();
});

Deno.test("a refused server/discover has the ids of the clients that wait for it (JSON-RPC 2.0, 5 Response object)", async () => {
  const fake = new ModernFake();
  const error = { code: -32603, message: "maintenance" };
  fake.answers["server/discover"] = ({ message: { id } }) =>
    fake.server.json({ jsonrpc: "2.0", id, error }, 503);
  const ids = [42, "i"];
  const answers = await Promise.all(
    ids.map((id) => new SharedClient(fake.bridge).initialize(id)),
  );
  assertEquals(fake.of("server/discover").length, 1);
  for (const [at, { status, body }] of answers.entries()) {
    assertEquals(status, 503);
    assertEquals(JSON.parse(await textOf(body)), { jsonrpc: "2.0", id: ids[at], error });
  }
  await fake.bridge.close();
});

Deno.test("capabilities and serverInfo are what the revision knows, without extensions", async () => {
  const fake = new ModernFake({
    offers: {
      completions: {},
      tools: { other: true },
      extensions: { "a/b": {} },
      experimental: {},
    },
  });
  fake.discovered["_meta"] = { "io.modelcontextprotocol/serverInfo": { name: "n", title: "t" } };
  const { result } = await initialize(fake, "2024-11-05");
  const { capabilities, serverInfo } = result as { capabilities: unknown; serverInfo: unknown };
  assertEquals(capabilities, { tools: {} });
  assertEquals(serverInfo, { name: "n", version: "unknown" });
  await fake.bridge.close();
});

Deno.test("a session id is the bridge's own and unknown ones are 404, also those of others (R72)", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  assert(client.sessionId!.startsWith(BRIDGED_SESSION));
  assert(client.sessionId!.length >= BRIDGED_SESSION.length + 32);
  const other = new SharedClient(fake.bridge, { principal: "q" });
  other.sessionId = client.sessionId;
  assertEquals((await other.exchange({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 404);
  assertEquals((await other.notify({ jsonrpc: "2.0", method: "notifications/x" })).status, 404);
  assertEquals((await fake.bridge.listen(other.call())).status, 404);
  assertEquals((await other.terminate()).status, 404);
  assertEquals(fake.bridge.stats().sessions, 1);
  await fake.bridge.close();
});

Deno.test("without a session id everything but initialize is 400", async () => {
  const fake = new ModernFake();
  const client = new SharedClient(fake.bridge);
  assertEquals((await client.exchange({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 400);
  assertEquals((await client.notify({ jsonrpc: "2.0", method: "notifications/x" })).status, 400);
  assertEquals((await fake.bridge.listen(client.call())).status, 400);
  assertEquals((await client.terminate()).status, 400);
  assertEquals(fake.server.calls.length, 0);
});

Deno.test("DELETE ends a session here, and the server is told nothing", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  assertEquals((await client.terminate()).status, 200);
  assertEquals((await client.exchange({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 404);
  assertEquals(fake.server.calls.map(({ kind }) => kind), ["exchange"]);
  assertEquals(fake.clock.timers, 0);
});

Deno.test("closing ends the sessions and leaves the server open", async () => {
  const fake = new ModernFake();
  await fake.join();
  await fake.bridge.close();
  assertEquals([fake.bridge.stats().sessions, fake.server.closed, fake.clock.timers], [
    0,
    false,
    0,
  ]);
  await assertRejects(() => fake.join(), ProxyError);
});

Deno.test("caching: server/discover is asked once for its ttlMs, by everybody where it is public", async () => {
  const fake = new ModernFake();
  fake.discovered = { ...fake.discovered, ttlMs: 1_000, cacheScope: "public" };
  await Promise.all([fake.join(), fake.join()]);
  await fake.join({ principal: "q" });
  assertEquals(fake.of("server/discover").length, 1);
  fake.clock.advance(1_000);
  await fake.join();
  assertEquals(fake.of("server/discover").length, 2);
  await fake.bridge.close();
});

Deno.test("caching: a private answer is kept for one principal with the same credentials alone", async () => {
  const fake = new ModernFake();
  fake.discovered["ttlMs"] = 1_000;
  await fake.join();
  await fake.join();
  assertEquals(fake.of("server/discover").length, 1);
  await fake.join({ principal: "q" });
  assertEquals(fake.of("server/discover").length, 2);
  const client = new SharedClient(fake.bridge);
  const headers = new Fields(["authorization", "B"]);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} };
  const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await fake.bridge.exchange(client.call({ headers }), new TextEncoder().encode(text));
  assertEquals(fake.of("server/discover").length, 3);
  await fake.bridge.close();
});

Deno.test("caching: what says nothing of the caller does not count, and nothing is kept for more than a day", async () => {
  const fake = new ModernFake();
  fake.discovered["ttlMs"] = 1e300;
  const initialize = async (...fields: string[]) => {
    const client = new SharedClient(fake.bridge);
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} };
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    const call = client.call({ headers: new Fields(fields) });
    await fake.bridge.exchange(call, new TextEncoder().encode(text));
    return fake.of("server/discover").length;
  };
  assertEquals(await initialize("user-agent", "a"), 1);
  assertEquals(await initialize("user-agent", "b"), 1);
  fake.clock.advance(86_400_000);
  assertEquals(await initialize("user-agent", "b"), 2);
  await fake.bridge.close();
});

Deno.test("a session that is not there before the bridge closes never is", async () => {
  const fake = new ModernFake();
  const { answer, filled } = fake.server.events();
  fake.answers["server/discover"] = () => answer;
  const joining = fake.join();
  await settled();
  await fake.bridge.close();
  filled.send(eventOf({ jsonrpc: "2.0", id: 1, result: fake.discovered }));
  filled.body.finish();
  await assertRejects(() => joining, ProxyError, "stopping");
  assertEquals([fake.bridge.stats().sessions, fake.clock.timers], [0, 0]);
});

Deno.test("a session with a stream or a request under way is not idle", async () => {
  const fake = new ModernFake();
  const listening = await fake.join();
  const reader = await listening.listen();
  const asking = await fake.join();
  const { answer } = fake.server.events();
  fake.answers["x/y"] = () => answer;
  const { body } = await asking.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  await fake.join();
  fake.clock.advance(130_000);
  assertEquals([fake.bridge.stats().sessions, reader.ending], [2, undefined]);
  body.discard();
  await settled();
  fake.clock.advance(130_000);
  assertEquals(fake.bridge.stats().sessions, 1);
  await fake.bridge.close();
});

Deno.test("a server that does not list 2026-07-28 is doubted and none", async () => {
  const fake = new ModernFake();
  fake.discovered["supportedVersions"] = ["2027-01-01"];
  await assertRejects(() => fake.join(), ProxyError, "does not say that it speaks");
  assertEquals([fake.doubts, fake.bridge.stats().sessions], [1, 0]);
});

Deno.test("a 404 of server/discover without JSON-RPC is a doubt and a 502, not the end of a session", async () => {
  const fake = new ModernFake();
  fake.answers["server/discover"] = () => fake.server.json("Not found", 404);
  const error = await assertRejects(() => fake.join(), ProxyError);
  assertEquals([error.status, fake.doubts], [502, 1]);
});

Deno.test("a server that wants credentials is told so to the client, and not doubted", async () => {
  const fake = new ModernFake();
  fake.answers["server/discover"] = () => fake.server.json({ error: "no" }, 401);
  const answer = await new SharedClient(fake.bridge).initialize();
  assertEquals([answer.status, answer.sessionId, fake.doubts], [401, undefined, 0]);
});

Deno.test("sessions are bounded in number and in idle time", async () => {
  const fake = new ModernFake({ maxSessions: 1 });
  await fake.join();
  const error = await assertRejects(() => fake.join(), ProxyError);
  assertEquals(error.kind, "upstream_saturated");
  fake.clock.advance(99_000);
  assertEquals(fake.bridge.stats().sessions, 1);
  fake.clock.advance(30_000);
  assertEquals([fake.bridge.stats().sessions, fake.clock.timers], [0, 0]);
  await fake.join();
  await fake.bridge.close();
});

Deno.test("R82 what a client says of itself, and goes with each of its requests, is bounded", async () => {
  const fake = new ModernFake({ limits: { maxClientCharacters: 200 } });
  fake.answers["tools/list"] = () => ({ tools: [] });
  const large = "x".repeat(300);
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: { roots: { listChanged: true } },
    clientInfo: { name: "n", version: "1", icons: [{ src: `data:image/png,${large}` }] },
  };
  const client = new SharedClient(fake.bridge);
  const open = (params: unknown) =>
    client.exchange({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  client.sessionId = (await open(params)).sessionId;
  await client.request("tools/list");
  const [{ message }] = fake.of("tools/list") as [FakeCall];
  assertEquals(message.params!._meta!["io.modelcontextprotocol/clientInfo"], {
    name: "n",
    version: "1",
  });
  client.sessionId = undefined;
  const capabilities = { experimental: { x: { large } } };
  const error = await assertRejects(() => open({ ...params, capabilities }), ProxyError);
  assertEquals([error.kind, error.idText], ["invalid_params", "1"]);
  await fake.bridge.close();
});

Deno.test("ERAS ping, initialized, roots/list_changed and setLevel end at the bridge", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  assertEquals(
    await client.ask('{"jsonrpc":"2.0","id":1.0,"method":"ping"}'),
    '{"jsonrpc":"2.0","id":1.0,"result":{}}',
  );
  assertEquals((await client.request("logging/setLevel", { level: "info" })).result, {});
  for (const method of ["notifications/initialized", "notifications/roots/list_changed"]) {
    assertEquals((await client.notify({ jsonrpc: "2.0", method })).status, 202);
  }
  await settled();
  assertEquals(fake.server.calls.length, 1);
  await client.request("tools/list");
  const { _meta } = fake.of("tools/list")[0]!.message.params!;
  assertEquals(_meta!["io.modelcontextprotocol/logLevel"], "info");
  await fake.bridge.close();
});

Deno.test("logging: an unknown level is -32602, and without the capability there is no such method", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  assertEquals((await client.request("logging/setLevel", { level: "x" })).error!.code, -32602);
  await fake.bridge.close();
  const plain = new ModernFake({ offers: { tools: {} } });
  const other = await plain.join();
  assertEquals((await other.request("logging/setLevel", { level: "info" })).error!.code, -32601);
  assertEquals((await other.request("resources/subscribe", { uri: "a:" })).error!.code, -32601);
  await plain.bridge.close();
});

Deno.test("methods of the modern era alone do not exist for a session, nor do those no field can hold", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  for (const method of ["server/discover", "subscriptions/listen", "a\nb", "ü"]) {
    const answer = await client.exchange({ jsonrpc: "2.0", id: 1, method, params: {} });
    assertEquals(answer.status, 200, method);
    assertEquals(JSON.parse(await textOf(answer.body)).error.code, -32601);
  }
  assertEquals(fake.server.calls.length, 1);
  await fake.bridge.close();
});
