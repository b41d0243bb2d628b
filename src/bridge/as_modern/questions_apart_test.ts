import { assertEquals } from "@std/assert";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";
import { type Asking, metaKey, ModernSetup } from "../../testing/as_modern.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";

const ASKABLE: Asking = { capabilities: { elicitation: { form: {} } } };

/** A server whose tool calls wait until a test lets them go, with its questions on one stream for all. */
function onOneStream(bounds = {}) {
  const waiting: ((answer: UpstreamAnswer) => void)[] = [];
  const setup = new ModernSetup({ asksApart: false, bounds }).numbered(({ message }) => {
    if (message.method !== "tools/call") return undefined;
    const { promise, resolve } = Promise.withResolvers<UpstreamAnswer>();
    waiting.push(resolve);
    return promise;
  });
  const { server } = setup;
  const callsIn = () => server.of("tools/call").map(({ call }) => call.sessionId);
  const finish = () => {
    server.of("tools/call").forEach(({ message: { id } }, at) =>
      waiting[at]!(server.json({ jsonrpc: "2.0", id, result: { content: [] } }))
    );
  };
  return { setup, server, callsIn, finish };
}

Deno.test("calls that may be asked for something at once have sessions apart where all questions come on one stream", async () => {
  const { setup, server, callsIn, finish } = onOneStream();
  const calls = [1, 2].map((id) => setup.ask("tools/call", { name: "t" }, { ...ASKABLE, id }));
  await relay.settled();
  assertEquals(callsIn(), ["s-1", "s-2"]);
  const schema = { type: "object", properties: {} };
  server.streams.forEach(({ send }, at) => {
    const params = { message: `for ${at + 1}`, requestedSchema: schema };
    send(share.eventOf({ jsonrpc: "2.0", id: 0, method: "elicitation/create", params }));
  });
  const asked = (await Promise.all(calls)).map(({ message }) => [
    message.id,
    Object.values(message.result!.inputRequests!).map(({ params }) => params?.message),
  ]);
  assertEquals(asked, [[1, ["for 1"]], [2, ["for 2"]]]);
  finish();
  await setup.bridge.close();
});

Deno.test("calls that nothing can be asked for, and other requests, share one session all the same", async () => {
  const { setup, callsIn, finish, server } = onOneStream();
  const asked = setup.ask("tools/call", { name: "t" }, ASKABLE);
  await relay.settled();
  await setup.ask("tools/list", {}, ASKABLE);
  assertEquals(server.of("tools/list").map(({ call }) => call.sessionId), ["s-1"]);
  const plain = [1, 2].map((id) => setup.ask("tools/call", { name: "t" }, { id }));
  await relay.settled();
  assertEquals(callsIn(), ["s-1", "s-2", "s-2"]);
  finish();
  await Promise.all([asked, ...plain]);
  await setup.bridge.close();
});

Deno.test("a session that is free again takes the next call; where there is no room for another one they share", async () => {
  const { setup, callsIn, finish } = onOneStream({ maxPrincipalSessions: 2 });
  const ask = (id: number) => setup.ask("tools/call", { name: "t" }, { ...ASKABLE, id });
  const calls = [1, 2, 3].map(ask);
  await relay.settled();
  assertEquals(callsIn().toSorted(), ["s-1", "s-1", "s-2"]);
  finish();
  await Promise.all(calls);
  const next = ask(4);
  await relay.settled();
  assertEquals(callsIn().at(-1), "s-1");
  finish();
  await next;
  await setup.bridge.close();
});

Deno.test("sessions apart are bounded by those in all", async () => {
  const { setup, callsIn, finish } = onOneStream({ maxSessions: 1 });
  const calls = [1, 2].map((id) => setup.ask("tools/call", { name: "t" }, { ...ASKABLE, id }));
  await relay.settled();
  assertEquals(callsIn(), ["s-1", "s-1"]);
  finish();
  await Promise.all(calls);
  await setup.bridge.close();
});

Deno.test("what is asked ahead of the request, while the level of the log is set, is answered, and the request goes up", async () => {
  const levelled = Promise.withResolvers<void>();
  const setup = new ModernSetup({ asksApart: false }).numbered(({ message: { id, method } }) => {
    if (method !== "logging/setLevel") return undefined;
    return levelled.promise.then(() => server.json({ jsonrpc: "2.0", id, result: {} }));
  });
  const { server } = setup;
  server.capabilities = { logging: {}, tools: {} };
  const asking = { ...ASKABLE, meta: { [metaKey("logLevel")]: "info" } };
  const asked = setup.ask("tools/call", { name: "t" }, asking);
  await relay.settled();
  const params = { message: "Name?", requestedSchema: { type: "object", properties: {} } };
  const question = { jsonrpc: "2.0", id: 0, method: "elicitation/create", params };
  server.streams.at(-1)!.send(share.eventOf(question));
  const { result } = (await asked).message;
  const [key] = Object.keys(result!.inputRequests!);
  assertEquals(server.of("tools/call"), []);
  const inputResponses = { [key!]: { action: "decline" } };
  const retry = { name: "t", requestState: result!.requestState, inputResponses };
  const retried = setup.ask("tools/call", retry, { ...asking, id: 8 });
  await relay.settled();
  const given = server.calls.filter(({ kind, message }) => kind === "notify" && message.id === 0);
  assertEquals(given.map(({ message }) => message.result), [{ action: "decline" }]);
  levelled.resolve();
  assertEquals((await retried).message.result!.resultType, "complete");
  assertEquals(server.of("tools/call").map(({ message }) => message.params), [{ name: "t" }]);
  await setup.close();
});
