import { assertEquals, assertRejects } from "@std/assert";
import { loadConfig } from "./load.ts";
import { ConfigError, formatProblem } from "./problems.ts";

type Sources = Omit<Parameters<typeof loadConfig>[0], "needsRoutes">;

async function load(upstream: unknown, sources: Sources = {}) {
  const config = await loadConfig({
    file: "c.json",
    readTextFile: () => Promise.resolve(JSON.stringify({ routes: [{ path: "/mcp", upstream }] })),
    needsRoutes: true,
    ...sources,
  });
  return config.routes[0]!.upstream;
}

async function problems(upstream: unknown): Promise<string[]> {
  const error = await assertRejects(() => load(upstream), ConfigError);
  return error.problems.map(formatProblem);
}

const A = { name: "a", url: "http://a.example/mcp" };
const B = { name: "b", url: "unix:/run/b.sock" };

Deno.test("upstream.targets takes the place of url, each of weight 1", async () => {
  const { url, targets, balance, health } = await load({ targets: [A, { ...B, weight: 3 }] });
  assertEquals(url, undefined);
  assertEquals(targets, [{ ...A, weight: 1 }, { ...B, weight: 3 }]);
  assertEquals(balance.policy, "random-two");
  assertEquals([health.probe, health.maxFailures], ["auto", 5]);
});

Deno.test("a probe is a word or a path, and what counts can be switched off with 0", async () => {
  for (const probe of ["off", "ping", "discover", "/healthz?deep=1"]) {
    assertEquals((await load({ targets: [A], health: { probe } })).health.probe, probe);
  }
  assertEquals(await problems({ targets: [A], health: { probe: "healthz" } }), [
    'routes[0].upstream.health.probe: found "healthz", wanted auto, off, ping, discover, or a path such as /healthz',
  ]);
  const off = { maxFailures: 0, slowFactor: 0, breakerTimeouts: 0 };
  const { health } = await load({ targets: [A], health: off });
  assertEquals([health.maxFailures, health.slowFactor, health.breakerTimeouts], [0, 0, 0]);
});

Deno.test("several URLs in one are refused, with the way to name several", async () => {
  const both = "http://a.example/mcp,http://b.example/mcp";
  assertEquals(await problems({ url: both }), [
    `routes[0].upstream.url: found "${both}", wanted one URL; further servers go into targets, or each into an --upstream of its own`,
  ]);
  assertEquals((await load({ url: "http://a.example/a,b/mcp" })).url, "http://a.example/a,b/mcp");
});

Deno.test("targets: one of url, targets and stdio; names and addresses of their own", async () => {
  assertEquals(await problems({ url: "http://x/", targets: [A] }), [
    "routes[0].upstream.targets: found targets beside url, wanted one of the two",
  ]);
  assertEquals(await problems({ stdio: { command: "x" }, targets: [A] }), [
    "routes[0].upstream.stdio: found stdio beside targets, wanted one of the two",
  ]);
  assertEquals(await problems({ targets: [A, A, { ...A, name: "c" }] }), [
    'routes[0].upstream.targets[1].name: found "a", wanted a name of its own; targets[0] has it already',
    'routes[0].upstream.targets[1].url: found "http://a.example/mcp", wanted a url of its own; targets[0] has it already',
    'routes[0].upstream.targets[2].url: found "http://a.example/mcp", wanted a url of its own; targets[0] has it already',
  ]);
  assertEquals(await problems({ targets: [] }), [
    "routes[0].upstream.targets: found [], wanted at least one target",
  ]);
});

Deno.test("server/discover is nothing to ask over HTTP+SSE", async () => {
  const upstream = { targets: [A], transport: "http+sse" };
  assertEquals(await problems({ ...upstream, health: { probe: "discover" } }), [
    'routes[0].upstream.health.probe: found "discover" beside http+sse, wanted ping, which opens its stream, a path, or off: HTTP+SSE has no server/discover',
  ]);
  for (const health of [{ probe: "ping" }, {}]) await load({ ...upstream, health });
  assertEquals((await problems({ ...upstream, health: null })).length, 1);
});

Deno.test("targets: HTTP/2 goes with no unix: address, and --upstream takes the place of all", async () => {
  assertEquals(await problems({ targets: [A, B], http2: true }), [
    "routes[0].upstream.http2: found true beside a unix: address, wanted false, or an http:// or https:// URL",
  ]);
  const over = await load({ targets: [A] }, { flags: { upstream: "http://x/" } });
  assertEquals([over.url, over.targets], ["http://x/", undefined]);
});

Deno.test("--upstream given again makes targets, whose problems are the flag's", async () => {
  const { url, targets } = await load({ url: "http://x/" }, {
    flags: { upstream: [A.url, B.url] },
  });
  assertEquals(url, undefined);
  assertEquals(targets?.map(({ name, url }) => [name, url]), [["1", A.url], ["2", B.url]]);
  const error = await assertRejects(
    () => load({}, { flags: { upstream: [A.url, "ftp://b/"] } }),
    ConfigError,
  );
  assertEquals(error.problems.map(({ path }) => path), ["--upstream"]);
});
