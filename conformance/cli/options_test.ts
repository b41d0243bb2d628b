import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FLAGS, usage } from "./flags.ts";
import { type Options, readCommandLine } from "./options.ts";

function understood(...args: string[]): Options {
  const line = readCommandLine(args);
  assert(line.kind === "run" || line.kind === "list", JSON.stringify(line));
  return line;
}

function problems(...args: string[]): readonly string[] {
  const line = readCommandLine(args);
  assert(line.kind === "problems", JSON.stringify(line));
  return line.problems;
}

Deno.test("readCommandLine() without flags tests this repository's proxy", () => {
  const { kind, target, upstream, selection, reports, targetFlags } = understood();
  assertEquals(kind, "run");
  assertEquals(target, undefined);
  assertEquals(upstream, { hostname: "127.0.0.1", port: 0 });
  assertEquals(selection, {
    filter: undefined,
    group: undefined,
    revision: undefined,
    latency: true,
  });
  assertEquals(reports, [{ format: "pretty" }]);
  assertEquals(targetFlags, []);
});

Deno.test("readCommandLine() reads every flag, with the -- that deno task hands on", () => {
  const options = understood(
    ...["--", "--target", "http://127.0.0.1:8080/mcp", "--upstream-port", "9000"],
    ...["--sse-target=http://127.0.0.1:8080/events", "--upstream-host", "0.0.0.0"],
    ...["--assume", "body-limit-1m, short-timeouts", "--expected", "known.json"],
    ...["--filter", "answer.", "--group", "answer", "--revision", "2025-11-25"],
    ...["--report", "pretty", "--report", "junit=out/junit.xml", "--patience", "300"],
    ...["--rounds", "7", "--seed", "0", "--pace", "50", "--no-latency", "--list"],
  );
  assertEquals(options.kind, "list");
  assertEquals(options.target?.url.href, "http://127.0.0.1:8080/mcp");
  assertEquals(options.target?.sseUrl.href, "http://127.0.0.1:8080/events");
  assertEquals(options.upstream, { hostname: "0.0.0.0", port: 9000 });
  assertEquals(options.assume, ["short-timeouts", "body-limit-1m"]);
  assertEquals(options.expectedFile, "known.json");
  assertEquals(options.selection, {
    filter: "answer.",
    group: "answer",
    revision: "2025-11-25",
    latency: false,
  });
  assertEquals(options.reports, [
    { format: "pretty" },
    { format: "junit", file: "out/junit.xml" },
  ]);
  assertEquals([options.patienceMs, options.rounds, options.seed, options.pace], [300, 7, 0, 50]);
  assertEquals(options.targetFlags.slice(0, 2), ["--target", "http://127.0.0.1:8080/mcp"]);
});

Deno.test("readCommandLine() takes HTTP+SSE to be served at /sse", () => {
  const { target } = understood("--target", "https://a.example/x/mcp", "--upstream-port", "1");
  assertEquals(target?.sseUrl.href, "https://a.example/sse");
});

Deno.test("readCommandLine() tells every problem at once, with what may have been meant", () => {
  const found = problems(
    ...["--targe", "x", "more", "--group", "anser", "--revision", "2025-11-26"],
    ...["--patience", "1", "--seed", "one", "--report", "xml", "--report", "json="],
    ...["--assume", "short", "--sse-target", "ftp://a/"],
  );
  const starts = [
    "--targe: no such flag; did you mean --target?",
    "more: no flag",
    '--sse-target: "ftp://a/" is no http: or https: URL',
    "--assume: goes with --target",
    '--assume: there is no "short"; did you mean',
    '--group: there is no "anser"; did you mean answer?',
    '--revision: there is no "2025-11-26"; did you mean 2025-11-25?',
    '--report: there is no "xml"; did you mean',
    "--report: json= names no file",
    '--patience: "1" is not from 100 to 600000',
    '--seed: "one" is not from 0 to',
  ];
  for (const start of starts) {
    assert(found.some((problem) => problem.startsWith(start)), `${start} is not in ${found}`);
  }
});

Deno.test("readCommandLine() wants --upstream-port beside --target, and values", () => {
  assertStringIncludes(problems("--target", "http://a/mcp").join(), "--upstream-port");
  assertEquals(problems("--filter="), ["--filter: takes TEXT"]);
});

Deno.test("usage() names every flag", () => {
  assertEquals(readCommandLine(["--help"]).kind, "help");
  for (const { name } of Object.values(FLAGS)) assertStringIncludes(usage(), `--${name}`);
});
