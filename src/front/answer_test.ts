import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { AnswerBody, type UpstreamAnswer, type UpstreamBody } from "../upstream/mod.ts";
import { toAnswer } from "./answer.ts";

function setUp(status: number) {
  const calls: string[] = [];
  const body = new AnswerBody({
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    abort: () => calls.push("abort"),
  }, { clock: new ManualClock(), idleMs: 1_000, untilMs: 100_000 });
  const headers = new Fields(["content-type", "application/json"]);
  const answer: UpstreamAnswer = { status, headers, sessionId: undefined, kind: "json", body };
  const gone = new AbortController();
  const context = {
    expected: "message" as const,
    sessionId: undefined,
    idText: "1",
    signal: gone.signal,
    stream: (of: UpstreamBody) => of,
  };
  return { answer, body, calls, context, gone };
}

for (const status of [200, 400]) {
  Deno.test(`R54 a client that goes while JSON with ${status} is collected is gone upstream`, async () => {
    const { answer, body, calls, context, gone } = setUp(status);
    body.push(new TextEncoder().encode('{"half":'));
    const response = Promise.resolve(toAnswer(answer, context));
    gone.abort();
    const error = await assertRejects(() => response, ProxyError);
    assertEquals([error.kind, calls], ["client_closed", ["abort"]]);
  });
}

Deno.test("R54 a client that has gone before is gone upstream too", async () => {
  const { answer, calls, context, gone } = setUp(200);
  gone.abort();
  await assertRejects(async () => await toAnswer(answer, context), ProxyError);
  assertEquals(calls, ["abort"]);
});

Deno.test("R70 a redirect is refused whatever the client waits for", async () => {
  for (const expected of ["message", "acceptance", "stream", "termination"] as const) {
    const { answer, calls, context } = setUp(302);
    const error = await assertRejects(
      async () => await toAnswer(answer, { ...context, expected }),
      ProxyError,
    );
    assertEquals([error.kind, calls], ["upstream_protocol", ["abort"]]);
  }
});
