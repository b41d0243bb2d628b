import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseOptions, repeatCommand, usage } from "./options.ts";

Deno.test("parseOptions() has a usual value for everything", () => {
  const parsed = parseOptions([]);
  assert(parsed.kind === "options");
  assertEquals(parsed.options.sections, [
    "latency",
    "throughput",
    "eras",
    "sse",
    "first-event",
    "rss",
    "dripped",
    "stalled",
  ]);
  assertEquals(parsed.options.modes, ["raw", "logged", "inspected"]);
  assertEquals(parsed.options.idleStreams, [1000, 5000]);
  assertEquals(parsed.options.targets, ["proxy", "nginx"]);
  assertEquals(parsed.options.serviceMs, [0, 5, 20]);
  assertEquals(parsed.options.connections, [1, 8]);
  assertEquals(parsed.options.pauseMs, 2);
  assertEquals(parsed.options.erasServiceMs, 0);
  assertEquals(repeatCommand(parsed.options), "deno task bench --seed=1");
});

Deno.test("parseOptions() reads flags behind the dashes that deno task passes on", () => {
  assertEquals(parseOptions(["--", "--only=rss"]), parseOptions(["--only=rss"]));
  assertEquals(parseOptions(["--", "--speed=9"]).kind, "problems");
});

Deno.test("parseOptions() reports every problem at once", () => {
  const parsed = parseOptions([
    "--only=latency,cpu",
    "--rounds=1",
    "--calls=1.5",
    "--service-ms=5,x",
    "--proxy-url=http://example.com/mcp",
    "--seed=1,2",
    "--modes=cooked",
    "--stalled-ms=60000",
    "--speed=9",
  ]);
  assert(parsed.kind === "problems");
  const text = parsed.problems.join("\n");
  const flags = ["only", "rounds", "calls", "service-ms", "proxy-url", "seed", "speed", "modes"];
  for (const flag of [...flags, "stalled-ms"]) assertStringIncludes(text, `--${flag}`);
  assertEquals(parsed.problems.length, 9);
});

Deno.test("repeatCommand() parses back to the same options", () => {
  const args =
    "--only sse,latency --targets nginx --tree ../before --proxy-url http://127.0.0.1:1/mcp " +
    "--service-ms 0,2.5 --eras-service-ms 2.5 --rounds 20 --pause-ms 0.5 --upstream-port 9 --seed 4 " +
    "--modes logged,raw --idle-streams 10,20 --dripped-kib 64";
  const parsed = parseOptions(args.split(" "));
  assert(parsed.kind === "options");
  const again = parseOptions(repeatCommand(parsed.options).split(" ").slice(3));
  assertEquals(again, parsed);
  assertEquals(parsed.options.sections, ["latency", "sse"]);
  assertEquals(parsed.options.modes, ["raw", "logged"]);
});

Deno.test("--candidates adds to the targets, and is how they are written back", () => {
  const parsed = parseOptions(["--candidates", "--seed=3"]);
  assert(parsed.kind === "options");
  assertEquals(parsed.options.targets, ["proxy", "nginx", "undici", "fetch", "denoserve"]);
  assertEquals(repeatCommand(parsed.options), "deno task bench --candidates --seed=3");
  const some = parseOptions(["--targets=fetch"]);
  assert(some.kind === "options");
  assertEquals(some.options.targets, ["fetch"]);
  assertEquals(repeatCommand(some.options), "deno task bench --targets=fetch --seed=1");
});

Deno.test("usage() names every flag, and --help asks for it", () => {
  assertEquals(parseOptions(["--help"]).kind, "help");
  for (const flag of ["--only", "--rounds", "--pause-ms", "--json", "--proxy-url", "--tree"]) {
    assertStringIncludes(usage(), flag);
  }
});
