import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";
import { PeerNet } from "../../testing/peer_net.ts";

const { ModernSetup, modernMessages } = modern;
const { eventOf } = share;
const { settled, sourceReader } = relay;

const FORM = { message: "Name?", requestedSchema: { type: "object", properties: {} } };
const ASKED = { capabilities: { elicitation: {} } };

/** One instance, whose server answers calls with a stream that the test fills. */
function instance(net: PeerNet, name: string) {
  const member = net.join(name);
  const setup = new ModernSetup({ peers: member.service });
  const { server } = setup;
  const filled: ReturnType<typeof server.events>["filled"][] = [];
  setup.numbered(({ message: { method } }) => {
    if (method !== "tools/call") return undefined;
    const { answer, filled: one } = server.events();
    filled.push(one);
    return answer;
  });
  const say = (message: object) => filled[0]!.send(eventOf({ jsonrpc: "2.0", ...message }));
  return {
    member,
    setup,
    server,
    filled,
    say,
    question: (id: string) => say({ id, method: "elicitation/create", params: FORM }),
    answer: () => say({ id: server.of("tools/call")[0]!.message.id, result: { done: true } }),
    answers: () => server.calls.filter(({ kind, message }) => kind === "notify" && "id" in message),
    /** Asks, has the server ask back, and gives the requestState. */
    async held(id = "e-1", more: modern.Asking = {}) {
      const asked = setup.ask("tools/call", { name: "t" }, { ...ASKED, ...more });
      await settled();
      this.question(id);
      return (await asked).message.result!.requestState!;
    },
  };
}

/** Two instances, and what one request for input looks like that is held at the first. */
function instances() {
  const net = new PeerNet();
  const [a, b] = [instance(net, "a"), instance(net, "b")];
  return {
    net,
    a,
    b,
    async close() {
      await a.setup.close();
      await b.setup.close();
      await net.close();
    },
  };
}

function retry(requestState: string, inputResponses: object = { q1: { action: "accept" } }) {
  return { name: "t", requestState, inputResponses };
}

const refused = async (failing: Promise<unknown>) => {
  const { kind, message } = await assertRejects(() => failing, ProxyError);
  return { kind, message };
};

Deno.test("a retry that comes to another instance goes on where the request is held (ERAS, basic/patterns/mrtr)", async () => {
  const { a, b, close } = instances();
  const first = await a.held();
  const asked = b.setup.ask("tools/call", retry(first), { ...ASKED, id: 8 });
  await settled();
  assertEquals(a.answers().map(({ text }) => text), [
    '{"jsonrpc":"2.0","id":"e-1","result":{"action":"accept"}}',
  ]);
  // And asks once more: what is held then is held at the same instance.
  a.question("e-2");
  const again = (await asked).message;
  assertEquals([again.id, again.result!.resultType], [8, "input_required"]);
  const second = again.result!.requestState!;
  assertNotEquals(second, first);
  const done = b.setup.ask(
    "tools/call",
    retry(second, { q2: { action: "decline" } }),
    { ...ASKED, id: "x" },
  );
  await settled();
  a.answer();
  const { message } = await done;
  assertEquals([message.id, message.result!.done], ["x", true]);
  assertEquals(a.answers().length, 2);
  assertEquals(a.server.of("tools/call").length, 1);
  assertEquals(b.server.calls.length, 0, "the other instance asked its server nothing");
  assertEquals(a.setup.bridge.stats().held, 0);
  await close();
});

Deno.test("the rest of the held stream is streamed through the other instance from its first event on", async () => {
  const { a, b, close } = instances();
  const state = await a.held();
  const retried = b.setup.post("tools/call", retry(state), {
    ...ASKED,
    meta: { progressToken: "mine" },
  });
  await settled();
  const line = (data: string) =>
    a.say({ method: "notifications/message", params: { level: "info", data } });
  line("not wanted");
  a.say({ method: "notifications/custom", params: { n: 1 } });
  const reader = sourceReader((await retried).body);
  await reader.readAll();
  assertEquals(modernMessages(reader).map(({ method }) => method), ["notifications/custom"]);
  a.answer();
  await reader.readAll();
  assertEquals(modernMessages(reader).at(-1)!.result!.done, true);
  assertEquals(reader.ending, null);
  await close();
});

Deno.test("a requestState is good once, whatever the instance, and for its principal and request alone", async () => {
  const { net, a, b, close } = instances();
  const state = await a.held();
  const others = [
    () => b.setup.ask("tools/call", retry(state), { ...ASKED, principal: "other" }),
    () => b.setup.ask("tools/call", { ...retry(state), name: "u" }, ASKED),
    () => b.setup.ask("tools/call", retry(state.slice(0, -2)), ASKED),
  ];
  for (const other of others) assertEquals((await refused(other())).kind, "invalid_params");
  assertEquals(net.said("open"), 0, "what is not good goes nowhere");
  const both = [a, b].map(({ setup }) => setup.post("tools/call", retry(state), ASKED));
  const ends = both.map((one) => one.then(() => "answered", (error: ProxyError) => error.kind));
  await settled();
  a.answer();
  assertEquals((await Promise.all(ends)).toSorted(), ["answered", "invalid_params"]);
  assertEquals(a.answers().length, 1);
  const used = await refused(b.setup.ask("tools/call", retry(state), ASKED));
  assert(used.message.includes("has been used or has expired"), used.message);
  await close();
});

Deno.test("the holder judges for itself: another's retry that is passed on to it is refused there", async () => {
  const { a, b, close } = instances();
  const state = await a.held();
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": ASKED.capabilities,
  };
  const text = (params: object) =>
    new TextEncoder().encode(
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { ...params, _meta },
      }),
    );
  const pass = (principal: string, body: Uint8Array) =>
    b.member.service.call("a", "exchange", b.setup.call({ principal }), body);
  assertEquals((await refused(pass("other", text(retry(state))))).kind, "invalid_params");
  // Nothing but retries: what is new is for the instance that its client has come to.
  assertEquals((await refused(pass("p", text({ name: "t" })))).kind, "invalid_request");
  assertEquals(a.server.of("tools/call").length, 1);
  await close();
});

Deno.test("an instance that has gone has taken its requests with it: -32602, and the client begins anew", async () => {
  const { a, b, close } = instances();
  const state = await a.held();
  a.member.runs = false;
  const { kind, message } = await refused(b.setup.ask("tools/call", retry(state), ASKED));
  assertEquals(kind, "invalid_params");
  assert(message.includes("held this request has gone"), message);
  assert(message.includes("send the request again without requestState"), message);
  await close();
});

Deno.test("one that dies once it has the retry is an error, and the retry is not repeated", async () => {
  const { net, a, b, close } = instances();
  const state = await a.held();
  const retried = refused(b.setup.ask("tools/call", retry(state), ASKED));
  await settled();
  a.member.runs = false;
  net.clock.advance(5_000);
  await settled();
  const { kind, message } = await retried;
  assertEquals(kind, "upstream_closed");
  assert(message.includes("is not known"), message);
  assertEquals(net.said("open"), 1);
  await close();
});

Deno.test("a client that leaves the other instance cancels at the server (basic/patterns/cancellation)", async () => {
  const { a, b, close } = instances();
  const state = await a.held();
  const leaving = new AbortController();
  const retried = refused(
    b.setup.ask("tools/call", retry(state), { ...ASKED, signal: leaving.signal }),
  );
  await settled();
  leaving.abort();
  assertEquals((await retried).kind, "client_closed");
  await settled();
  const { id } = a.server.of("tools/call")[0]!.message;
  assertEquals(a.setup.sent("notifications/cancelled").message.params!.requestId, id);
  assertEquals(a.setup.bridge.stats().inFlight, 0);
  await close();
});

Deno.test("callers whom the proxy does not tell apart are told apart by credentials, which stay where they are", async () => {
  const { net, a, b, close } = instances();
  const caller = (authorization: string) => ({
    ...ASKED,
    principal: modern.ANONYMOUS,
    headers: { authorization },
  });
  const state = await a.held("e-1", caller("Bearer mine"));
  const other = await refused(b.setup.ask("tools/call", retry(state), caller("Bearer other")));
  assertEquals(other.kind, "invalid_params");
  const done = b.setup.ask("tools/call", retry(state), caller("Bearer mine"));
  await settled();
  a.answer();
  assertEquals((await done).message.result!.done, true);
  assert(!JSON.stringify(net.sent).includes("mine"));
  await close();
});

Deno.test("a bridge without other instances refuses what another one holds", async () => {
  const { a, close } = instances();
  const alone = new ModernSetup();
  const state = await a.held();
  assertEquals(
    (await refused(alone.ask("tools/call", retry(state), ASKED))).kind,
    "invalid_params",
  );
  await alone.close();
  await close();
});
