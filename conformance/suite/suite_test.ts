import { assert, assertEquals } from "@std/assert";
import { MockUpstream, sessionServer } from "../mock/mod.ts";
import { EventReader } from "../wire/mod.ts";
import {
  callRequest,
  type Case,
  expectEqual,
  runCase,
  type Scenario,
  scenarioCase,
  type Verdict,
} from "./mod.ts";

/** The mock itself in the place of a proxy: what goes through no proxy arrives as it was sent. */
async function directly(run: Scenario["run"]): Promise<readonly Verdict[]> {
  await using mock = await MockUpstream.listen();
  const url = new URL(`http://${mock.host}/mcp`);
  const options = { target: { url, sseUrl: url }, mock, patienceMs: 2_000, assume: [] };
  const one: Case = scenarioCase({
    id: "answer.test",
    group: "answer",
    title: "a test",
    source: "none",
    run,
  });
  const { verdicts } = await runCase(one, options);
  assertEquals(mock.requests.length, 0);
  return verdicts;
}

Deno.test("a case opens a session, calls, and reads events as they come", async () => {
  const verdicts = await directly(async (context) => {
    const go = Promise.withResolvers<void>();
    context.mock.use(sessionServer({
      sessionIds: ["one"],
      on: {
        "tools/call": async (_, reply) => {
          await reply.stream();
          await reply.event({ id: "1", data: "" });
          await go.promise;
          await reply.event({ data: { jsonrpc: "2.0", id: 5, result: {} } });
          await reply.end();
        },
      },
    }));
    const session = await context.openSession();
    expectEqual(session.id, "one", "the session");
    const { response } = await context.begin({ body: callRequest(5), fields: session.fields });
    const events = new EventReader(response.body);
    expectEqual((await events.next())?.id, "1", "the id of the first block");
    go.resolve();
    expectEqual((await events.next())?.data, '{"jsonrpc":"2.0","id":5,"result":{}}', "the data");
    expectEqual(await events.next(), null, "the end");
    expectEqual(response.body.complete, true, "completeness");
    expectEqual(context.mock.requests.length, 3, "the number of requests");
  });
  assertEquals(verdicts, [{ check: "answer.test", status: "pass" }]);
});

Deno.test("a call that fails before it is waited for tells whoever waits for it", async () => {
  const verdicts = await directly(async (context) => {
    context.mock.use((_, reply) => reply.reset());
    const call = { body: callRequest(1) };
    const [sent, begun] = [context.send(call), context.begin(call)];
    await new Promise((resolve) => setTimeout(resolve, 50));
    const results = await Promise.allSettled([sent, begun]);
    expectEqual(results.map(({ status }) => status), ["rejected", "rejected"], "what came of them");
  });
  assertEquals(verdicts, [{ check: "answer.test", status: "pass" }]);
});

Deno.test("what a case throws fails its checks, with the reason", async () => {
  const verdicts = await directly(async (context) => {
    context.mock.use((_, reply) => reply.reset());
    await context.send({ body: callRequest(1) });
  });
  assertEquals(verdicts.map(({ status }) => status), ["fail"]);
});

Deno.test("a case that never ends fails, and the next one runs", async () => {
  await using mock = await MockUpstream.listen();
  const url = new URL(`http://${mock.host}/mcp`);
  const never = scenarioCase({
    id: "faults.test",
    group: "faults",
    title: "a test",
    source: "none",
    run: () => new Promise(() => {}),
  });
  const { verdicts } = await runCase(never, {
    target: { url, sseUrl: url },
    mock,
    patienceMs: 1,
    assume: [],
  });
  const message = "the end of the case did not come within 60 ms";
  assertEquals(verdicts, [{ check: "faults.test", status: "fail", message }]);
});

Deno.test("a case whose assumption is not made is skipped", async () => {
  await using mock = await MockUpstream.listen();
  const url = new URL(`http://${mock.host}/mcp`);
  const one = scenarioCase({
    id: "faults.test",
    group: "faults",
    title: "a test",
    source: "none",
    assumes: ["short-timeouts"],
    run: () => Promise.reject(new Error("must not run")),
  });
  const target = { url, sseUrl: url };
  const result = await runCase(one, { target, mock, patienceMs: 100, assume: [] });
  assertEquals(result.skippedFor, ["short-timeouts"]);
  assertEquals(result.verdicts, []);
});

Deno.test("a request that comes between two cases is answered with 503 and forgotten", async () => {
  await using mock = await MockUpstream.listen();
  const response = await fetch(`http://${mock.host}/mcp`, { method: "POST", body: "{}" });
  assertEquals(response.status, 503);
  await response.body?.cancel();
  mock.reset();
  assert(mock.requests.length === 0);
});
