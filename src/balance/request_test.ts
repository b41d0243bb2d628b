import { assertEquals, assertStrictEquals } from "@std/assert";
import { Fields, NEVER_ABORTED, outwardId, UNNAMED } from "../http/mod.ts";
import { emptyAnswer } from "../rpc/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall, WholeAnswer } from "../upstream/mod.ts";
import { Interruption } from "./interruption.ts";
import { ask, isListening, outwardAnswer, type Request, type Verb } from "./request.ts";

const CALL: UpstreamCall = {
  headers: new Fields(),
  sessionId: undefined,
  principal: "p",
  query: "",
  lastEventId: null,
  signal: NEVER_ABORTED,
};

function answerIn(sessionId: string | undefined): UpstreamAnswer {
  return { ...emptyAnswer(new ManualClock(), 200), sessionId };
}

/** An upstream that notes what it is asked, and tells each whole answer. */
function noted(answer: UpstreamAnswer) {
  const asked: { verb: Verb; call: UpstreamCall; rest: readonly unknown[] }[] = [];
  const note = (verb: Verb) => (call: UpstreamCall, ...rest: readonly unknown[]) => {
    asked.push({ verb, call, rest });
    (rest[1] as WholeAnswer | undefined)?.(answer);
    return Promise.resolve(answer);
  };
  const upstream: Upstream = {
    exchange: note("exchange"),
    notify: note("notify"),
    listen: note("listen"),
    terminate: note("terminate"),
    close: () => Promise.resolve(),
  };
  return { upstream, asked };
}

function request(verb: Verb, call: Partial<UpstreamCall> = {}, rest: Partial<Request> = {}) {
  return { verb, call: { ...CALL, ...call }, body: new Uint8Array([1]), safe: true, ...rest };
}

Deno.test("ask() asks the upstream what the verb says, with a body where there is one", async () => {
  const { upstream, asked } = noted(answerIn(undefined));
  const requests = (["exchange", "notify", "listen", "terminate"] as const).map((verb) =>
    request(verb)
  );
  for (const one of requests) await ask(upstream, UNNAMED, one);
  assertEquals(asked.map(({ verb }) => verb), ["exchange", "notify", "listen", "terminate"]);
  assertEquals(asked.map(({ rest }) => rest[0] !== undefined), [true, true, false, false]);
  // What has no name, and cannot be taken back, goes down as it is.
  for (const [at, { call }] of asked.entries()) assertStrictEquals(call, requests[at]!.call);
});

Deno.test("ask() tells the server its own id of the session, and those above the one with the name", async () => {
  const { upstream, asked } = noted(answerIn("new"));
  const told: (string | undefined)[] = [];
  const onWhole: WholeAnswer = (answer) => {
    told.push(answer.sessionId);
    return undefined;
  };
  const answer = await ask(
    upstream,
    "a",
    request("exchange", { sessionId: outwardId("a", "old") }, { onWhole }),
  );
  assertEquals([asked[0]!.call.sessionId, told], ["old", [outwardId("a", "new")]]);
  assertEquals(outwardAnswer("a", answer).sessionId, outwardId("a", "new"));
  assertStrictEquals(outwardAnswer(UNNAMED, answer), answer);
});

Deno.test("ask() gives the signal of what may be taken back, and has a new connection made", async () => {
  const { upstream, asked } = noted(answerIn(undefined));
  const interruption = new Interruption(NEVER_ABORTED);
  await ask(upstream, UNNAMED, request("exchange", {}, { interruption, fresh: true }));
  assertStrictEquals(asked[0]!.call.signal, interruption);
  assertEquals(asked[0]!.call.fresh, true);
});

Deno.test("isListening() knows the streams on which the server speaks first, of both eras", () => {
  assertEquals(isListening(request("listen")), true);
  assertEquals(isListening(request("exchange", { method: "subscriptions/listen" })), true);
  assertEquals(isListening(request("exchange", { method: "tools/call" })), false);
});
