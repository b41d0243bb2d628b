import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Cleanup } from "../../bench/cleanup.ts";
import { freePort } from "../free_port.ts";
import { assess } from "../report/mod.ts";
import { type Case, type Check, expectEqual, type Group, type Verdict } from "../suite/mod.ts";
import {
  type Catalogue,
  catalogueProblems,
  foreignSource,
  loadCatalogue,
  openTarget,
  runSuite,
  sectionOf,
  select,
  type SuiteOptions,
  TargetError,
  type TargetSource,
} from "./mod.ts";

function check(id: string): Check {
  return { id, group: id.split(".")[0] as Group, title: "a rule", source: "none" };
}

function passes(id: string, checks: string[], revisions: Case["revisions"] = []): Case {
  const verdicts = checks.map((name): Verdict => ({ check: name, status: "pass" }));
  return { id, title: id, revisions, assumes: [], checks, run: () => Promise.resolve(verdicts) };
}

const SMALL: Catalogue = {
  checks: ["answer.status", "answer.bytes", "events.order", "latency.p95-20ms"].map(check),
  cases: [
    passes("answer.status", ["answer.status"]),
    passes("events.order", ["events.order"], ["2025-06-18"]),
    passes("fixtures/2025-11-25/echo", ["answer.bytes", "events.order"], ["2025-11-25"]),
  ],
};

function ids(of: readonly { readonly id: string }[]): string[] {
  return of.map(({ id }) => id);
}

Deno.test("the catalogue of the suite is sound", async () => {
  assertEquals(catalogueProblems(await loadCatalogue()), []);
});

Deno.test("catalogueProblems() finds what is there twice or not at all", () => {
  const { checks, cases } = SMALL;
  const wrong: Catalogue = {
    checks: [...checks, checks[0]!, { ...check("door.host"), group: "json" }],
    cases: [...cases, cases[0]!, passes("x", ["answer.none"])],
  };
  assertEquals(catalogueProblems(wrong), [
    "check answer.status is there twice",
    "check door.host does not begin with its group",
    "case answer.status is there twice",
    "case x judges answer.none, which is no check",
  ]);
});

Deno.test("select() goes by part of an id, by group, by revision, and without latency", () => {
  const chosen = (selection: Parameters<typeof select>[1]) => {
    const { checks, cases } = select(SMALL, selection);
    return [ids(checks), ids(cases)];
  };
  const latency = "latency.p95-20ms";
  const echo = "fixtures/2025-11-25/echo";
  assertEquals(chosen({}), [ids(SMALL.checks), ids(SMALL.cases)]);
  assertEquals(chosen({ filter: "status" }), [["answer.status"], ["answer.status"]]);
  assertEquals(chosen({ filter: echo }), [["answer.bytes", "events.order"], [echo]]);
  assertEquals(chosen({ group: "events" }), [["events.order"], ["events.order", echo]]);
  assertEquals(chosen({ revision: "2025-06-18" }), [["events.order"], ["events.order"]]);
  assertEquals(chosen({ group: "latency" }), [[latency], []]);
  assertEquals(chosen({ group: "latency", latency: false }), [[], []]);
});

Deno.test("select() has a case judge only what was asked for", async () => {
  const [, echo] = select(SMALL, { group: "events" }).cases;
  const verdicts = await echo!.run(undefined as never);
  assertEquals(verdicts, [{ check: "events.order", status: "pass" }]);
});

Deno.test("sectionOf() is the group of a check, or the fixtures of a revision", () => {
  assertEquals(SMALL.cases.map((one) => sectionOf(one, SMALL)), [
    "answer",
    "events",
    "fixtures/2025-11-25",
  ]);
});

/** The mock in the place of a proxy: what forwards everything as it is. */
const TRANSPARENT: TargetSource = {
  name: "nothing",
  assume: [],
  command: "deno task conformance",
  start: (upstream) => {
    const url = new URL(upstream);
    const target = { url, sseUrl: url };
    return Promise.resolve({ target, [Symbol.asyncDispose]: () => Promise.resolve() });
  },
};

function optionsFor(catalogue: Catalogue, cleanup: Cleanup): SuiteOptions {
  return {
    source: TRANSPARENT,
    catalogue,
    expected: [],
    upstream: { hostname: "127.0.0.1", port: 0 },
    patienceMs: 2_000,
    seed: 1,
    rounds: 2,
    cleanup,
  };
}

Deno.test("runSuite() runs the cases, and leaves the mock to each as if it were the first", async () => {
  const one: Case = {
    ...passes("answer.status", ["answer.status"]),
    async run(context) {
      expectEqual(context.mock.requests.length, 0, "the number of requests before");
      context.mock.use((_, reply) => reply.empty(204));
      expectEqual((await context.send({ method: "GET" })).status, 200, "the status");
      return [];
    },
  };
  const told: string[] = [];
  const run = await runSuite({
    ...optionsFor({ checks: [check("answer.status")], cases: [one] }, new Cleanup()),
    onResult: ({ id }, done, of) => told.push(`${id} ${done}/${of}`),
  });
  assertEquals(told, ["answer.status 1/1"]);
  const { checks, ok } = assess(run);
  assertEquals(ok, false);
  assertEquals(checks[0]?.findings[0]?.message, "the status is 204, expected 200");
});

Deno.test("openTarget() tells a proxy that does not run from one that does not forward", async () => {
  const upstream = { hostname: "127.0.0.1", port: 0 };
  const failure = async (url: URL) => {
    const target = { url, sseUrl: url };
    const source = foreignSource({ target, assume: [], command: "x" });
    const options = { source, upstream, cleanup: new Cleanup(), patienceMs: 200 };
    return (await assertRejects(() => openTarget(options), TargetError)).message;
  };
  const nobody = new URL(`http://127.0.0.1:${freePort()}/mcp`);
  assertStringIncludes(await failure(nobody), "cannot be called");
  const elsewhere = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(null, { status: 502 }),
  );
  const url = new URL(`http://127.0.0.1:${elsewhere.addr.port}/mcp`);
  assertStringIncludes(await failure(url), "is the proxy set up to forward to it?");
  await elsewhere.shutdown();
});

Deno.test("openTarget() says so where the port of the mock is taken", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const upstream = { hostname: "127.0.0.1", port: taken.addr.port };
  const options = { source: TRANSPARENT, upstream, cleanup: new Cleanup(), patienceMs: 500 };
  const error = await assertRejects(() => openTarget(options), TargetError);
  assert(error.message.startsWith(`the mock cannot listen on 127.0.0.1:${upstream.port}`));
  taken.close();
});
