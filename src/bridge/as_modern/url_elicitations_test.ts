import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";

const { ASKED, asking } = modern;
const { settled } = relay;

const COMPLETE = "notifications/elicitation/complete";
const ACCEPT = { action: "accept" };

/** What a server wants opened, by its ids; without an id where one is undefined. */
function wanted(...ids: readonly (string | undefined)[]): object[] {
  return ids.map((elicitationId) => ({
    mode: "url",
    message: "m",
    url: "https://a.example",
    elicitationId,
  }));
}

/** A call that the server has answered with -32042, and its retry. */
async function refused(elicitations: object[], options: Parameters<typeof asking>[0] = {}) {
  const all = asking(options);
  const { setup, server, ask, say } = all;
  const { result } = await ask(() => {
    const { id } = server.of("tools/call")[0]!.message;
    say({ id, error: { code: -32042, message: "x", data: { elicitations } } });
  });
  const retry = (inputResponses: object | undefined, more: modern.Asking = {}) => {
    const params = { name: "t", inputResponses, requestState: result!.requestState };
    return setup.ask("tools/call", params, { ...ASKED, id: 9, ...more });
  };
  const calls = () => server.of("tools/call").length;
  const complete = (elicitationId: string) =>
    server.say({ jsonrpc: "2.0", method: COMPLETE, params: { elicitationId } });
  return { ...all, retry, calls, complete };
}

Deno.test("-32042: who declines or cancels is told an error, and nothing is called again (2025-11-25 client/elicitation, Response Actions)", async () => {
  for (const action of ["decline", "cancel"]) {
    const { setup, retry, calls } = await refused(wanted("e", "f"));
    const { status, message } = await retry({ q1: ACCEPT, q2: { action } });
    assertEquals([status, message.id, message.error?.code], [200, 9, -31400]);
    assertEquals(message.error!.message.includes(`"${action}"`), true);
    const { inFlight, held } = setup.bridge.stats();
    assertEquals([calls(), inFlight, held], [1, 0, 0]);
    await setup.close();
  }
});

Deno.test("-32042: an answer that is none is refused (2026-07-28 basic/patterns/mrtr, Error Handling)", async () => {
  for (const answer of [{}, { action: "yes" }, { action: 1 }]) {
    const { setup, retry, calls } = await refused(wanted("e"));
    const { status, message } = await retry({ q1: answer });
    assertEquals([status, message.error?.code, calls()], [400, -32602, 1]);
    await setup.close();
  }
});

Deno.test("-32042: what has no answer is asked again (2026-07-28 basic/patterns/mrtr, Error Handling)", async () => {
  const { setup, retry, calls } = await refused(wanted(undefined, undefined));
  const { message } = await retry({ q2: ACCEPT });
  assertEquals(Object.keys(message.result!.inputRequests ?? {}), ["q1"]);
  assertEquals(calls(), 1);
  await setup.close();
});

Deno.test("-32042: the call is repeated when all that was opened is complete (2025-11-25 client/elicitation, Completion Notifications)", async () => {
  const { setup, retry, calls, complete, answer } = await refused(wanted("e", "f"));
  const retried = retry({ q1: ACCEPT, q2: ACCEPT });
  for (const id of ["other", "e", "e"]) {
    complete(id);
    await settled();
    assertEquals(calls(), 1);
  }
  complete("f");
  await settled();
  assertEquals(calls(), 2);
  answer({ done: 1 }, 1);
  assertEquals((await retried).message.result!.done, 1);
  assertEquals(setup.bridge.stats().dropped, { [COMPLETE]: 2 });
  await setup.close();
});

Deno.test("-32042: nothing is waited for that is complete already, or has no elicitationId", async () => {
  for (const id of ["e", undefined]) {
    const { setup, retry, calls, complete, answer } = await refused(wanted(id));
    if (id !== undefined) complete(id);
    await settled();
    const retried = retry({ q1: ACCEPT });
    await settled();
    assertEquals(calls(), 2);
    answer({}, 1);
    await retried;
    await setup.close();
  }
});

Deno.test("-32042: that an elicitation is complete is heard on the stream of another request, by all who wait for it", async () => {
  const { setup, server, ask, say, answer, streams } = asking();
  const states: unknown[] = [];
  for (const at of [0, 1]) {
    const { result } = await ask(() => {
      const { id } = server.of("tools/call")[at]!.message;
      const error = { code: -32042, message: "x", data: { elicitations: wanted("e") } };
      say({ id, error }, at);
    });
    states.push(result!.requestState);
  }
  const other = setup.ask("tools/call", { name: "t" }, ASKED);
  const retried = states.map((requestState) =>
    setup.ask("tools/call", { name: "t", inputResponses: { q1: ACCEPT }, requestState }, ASKED)
  );
  await settled();
  assertEquals(streams.length, 3);
  say({ method: COMPLETE, params: { elicitationId: "e" } }, 2);
  await settled();
  assertEquals(streams.length, 5);
  for (const at of [2, 3, 4]) answer({}, at);
  await Promise.all([other, ...retried]);
  await setup.close();
});

Deno.test("-32042: what is not said to be complete is waited for so long, and no longer than leaves time for the answer", async () => {
  for (const [elicitationMs, firstMessageMs] of [[1_000, 10_000], [10_000, 2_000]] as const) {
    const options = { bounds: { elicitationMs }, firstMessageMs };
    const { setup, server, retry, calls, complete, answer } = await refused(wanted("e"), options);
    const retried = retry({ q1: ACCEPT });
    await settled();
    server.clock.advance(999);
    await settled();
    assertEquals(calls(), 1);
    server.clock.advance(1);
    await settled();
    assertEquals(calls(), 2);
    complete("e");
    answer({}, 1);
    assertEquals((await retried).message.result!.resultType, "complete");
    await setup.close();
  }
});

Deno.test("-32042: whoever leaves while that is waited for has nothing called again", async () => {
  const { setup, server, retry, calls, complete } = await refused(wanted("e"));
  const gone = new AbortController();
  const retried = retry({ q1: ACCEPT }, { signal: gone.signal });
  await settled();
  gone.abort();
  assertEquals((await assertRejects(() => retried, ProxyError)).kind, "client_closed");
  complete("e");
  await settled();
  assertEquals([calls(), setup.bridge.stats().inFlight], [1, 0]);
  assertEquals(server.of("notifications/cancelled"), []);
  await setup.close();
  assertEquals(server.clock.timers, 0);
});
