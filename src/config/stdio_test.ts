import { assertEquals, assertRejects } from "@std/assert";
import { loadConfig } from "./load.ts";
import { ConfigError, formatProblem } from "./problems.ts";

type Sources = Omit<Parameters<typeof loadConfig>[0], "needsRoutes">;

function load(upstream: unknown, sources: Sources = {}) {
  return loadConfig({
    ...upstream === undefined ? {} : { file: "c.json" },
    readTextFile: () => Promise.resolve(JSON.stringify({ routes: [{ path: "/mcp", upstream }] })),
    needsRoutes: true,
    ...sources,
  });
}

async function problems(upstream: unknown, sources: Sources = {}): Promise<string[]> {
  const error = await assertRejects(() => load(upstream, sources), ConfigError);
  return error.problems.map(formatProblem);
}

Deno.test("upstream.stdio takes the place of url, with defaults", async () => {
  const { routes } = await load({ stdio: { command: "x" }, sessions: "shared" });
  const { url, stdio } = routes[0]!.upstream;
  assertEquals(url, undefined);
  assertEquals(stdio, {
    command: "x",
    args: [],
    env: {},
    maxProcesses: 64,
    startTimeoutMs: 120_000,
    closeMs: 2_000,
  });
});

Deno.test("exactly one of url and stdio, and no settings of HTTP beside stdio, all told at once", async () => {
  const wanted = "nothing here; the server gets what it needs by stdio.env and stdio.args";
  assertEquals(
    await problems({
      url: "http://x/",
      headers: { a: "b" },
      http2: true,
      stdio: { args: [3], env: { KEY: 5 }, closeMs: 0 },
    }),
    [
      "routes[0].upstream.stdio.command: found nothing, wanted a string",
      "routes[0].upstream.stdio.args[0]: found a value that is not shown, wanted a string",
      "routes[0].upstream.stdio.env.KEY: found a value that is not shown, wanted a string",
      "routes[0].upstream.stdio.closeMs: found a value that is not shown, wanted at least 1 ms",
      "routes[0].upstream.stdio: found stdio beside url, wanted one of the two",
      `routes[0].upstream.headers: found a setting of HTTP beside stdio, wanted ${wanted}`,
      `routes[0].upstream.http2: found a setting of HTTP beside stdio, wanted ${wanted}`,
    ],
  );
  assertEquals(await problems({}), [
    "routes[0].upstream.url: found nothing, wanted the URL of the server, targets with several, or stdio with the command that starts it",
  ]);
});

Deno.test("--stdio is split into words, and takes the place of a url that weighs less", async () => {
  const flags = { stdio: "npx -y 'some server'" };
  const made = (await load(undefined, { flags })).routes[0]!;
  assertEquals(made.path, "/mcp");
  assertEquals([made.upstream.stdio?.command, made.upstream.stdio?.args], [
    "npx",
    ["-y", "some server"],
  ]);
  const over = (await load({ url: "http://x/" }, { flags })).routes[0]!.upstream;
  assertEquals([over.url, over.stdio?.command], [undefined, "npx"]);
  const environment = { stdio: "other" };
  const under = await load(undefined, { environment, flags: { upstream: "http://x/" } });
  assertEquals([under.routes[0]!.upstream.url, under.routes[0]!.upstream.stdio], [
    "http://x/",
    undefined,
  ]);
  const kept = await load({ stdio: { command: "x", cwd: "/tmp" } }, { flags });
  assertEquals(kept.routes[0]!.upstream.stdio?.cwd, "/tmp");
});

Deno.test("--stdio beside --upstream, and one that cannot be split, are told", async () => {
  assertEquals(await problems(undefined, { flags: { stdio: "x", upstream: "http://x/" } }), [
    "--stdio: found stdio beside url, wanted one of the two",
  ]);
  assertEquals(await problems(undefined, { flags: { stdio: "a 'b" } }), [
    '--stdio: found a quote that is not closed, wanted a command line such as "npx -y some-server"',
  ]);
});
