import { assert, assertEquals } from "@std/assert";
import { type CommandLine, COMMANDS, readCommandLine, USAGE } from "./args.ts";

function read(...args: string[]): CommandLine {
  const line = readCommandLine(args);
  assert(!Array.isArray(line), JSON.stringify(line));
  return line;
}

function paths(...args: string[]): string[] {
  const problems = readCommandLine(args);
  assert(Array.isArray(problems));
  return problems.map(({ path, wanted }) => `${path}: ${wanted}`);
}

Deno.test("readCommandLine() reads command and flags, in either form", () => {
  const line = read(
    "serve",
    "--listen=127.0.0.1:0",
    "--upstream",
    "http://x/mcp",
    "--path",
    "/a",
    "--admin",
    "off",
    "--config",
    "c.json",
    "--log-level",
    "debug",
    "--allow-public-bind",
  );
  assertEquals([line.command, line.file, line.help, line.version], [
    "serve",
    "c.json",
    false,
    false,
  ]);
  assertEquals(line.flags, {
    listen: "127.0.0.1:0",
    upstream: "http://x/mcp",
    path: "/a",
    admin: "off",
    logLevel: "debug",
    allowPublicBind: true,
  });
});

Deno.test("readCommandLine() takes --upstream as often as there are servers, and record one", () => {
  const urls = ["http://x/mcp", "http://y/mcp"];
  const given = urls.flatMap((url) => ["--upstream", url]);
  assertEquals(read("serve", ...given).flags, { upstream: urls });
  assertEquals(paths("record", ...given), ["--upstream: one server to record"]);
  assertEquals(paths("serve", "--upstream=", ...given), [
    "--upstream: a value: --upstream VALUE",
  ]);
});

Deno.test("readCommandLine() reads the flags of record, which has some of its own", () => {
  const { command, recording, flags } = read(
    "record",
    "--upstream=http://x/mcp",
    "--out=a",
    "--har=b",
    "--name=c",
    "--title=d",
    "--max-bytes=7",
    "--force",
  );
  assertEquals([command, flags], ["record", { upstream: "http://x/mcp" }]);
  const wanted = { out: "a", har: "b", name: "c", title: "d", maxBytes: "7", force: true };
  assertEquals(recording, wanted);
  assertEquals(read("serve", "--record", "a").flags, { record: "a" });
});

Deno.test("readCommandLine() reads new-key, which has a name and nothing else", () => {
  const { command, recording } = read("new-key", "--name", "ci");
  assertEquals([command, recording.name], ["new-key", "ci"]);
  assertEquals(paths("new-key", "--listen=127.0.0.1:0", "--out=a", "--allow-public-bind"), [
    "--listen: a flag of new-key; see --help",
    "--out: the command: switchyard record ...",
    "--allow-public-bind: a flag of new-key; see --help",
  ]);
  assertEquals(paths("serve", "--name", "ci"), ["--name: a flag of serve; see --help"]);
});

Deno.test("readCommandLine() reads stdio, whose --header may be given often", () => {
  const line = read("stdio", "--header", "A: b", "--header=C: d", "--transport", "http+sse");
  assertEquals([line.command, line.headers], ["stdio", ["A: b", "C: d"]]);
  assertEquals(line.flags, { transport: "http+sse" });
  assertEquals(read("serve").headers, []);
  assertEquals(paths("stdio", "--admin", "off"), ["--admin: a flag of stdio; see --help"]);
  assertEquals(paths("new-key", "--header", "A: b"), ["--header: a flag of new-key; see --help"]);
});

Deno.test("readCommandLine() without a command means start, and passes over --", () => {
  assertEquals(read().command, "start");
  assertEquals(read("--", "--upstream", "http://x").flags, { upstream: "http://x" });
  assertEquals(read("start", "--", "--path", "/b").flags, { path: "/b" });
  assertEquals([read("-h").help, read("-V").version], [true, true]);
});

Deno.test("readCommandLine() tells all that is wrong, and what was meant", () => {
  assertEquals(paths("sevre", "--upstraem", "x", "--pth=/a", "--listen"), [
    "--upstraem: a known flag: did you mean --upstream?",
    "--pth: a known flag: did you mean --path?",
    "command: a known command: did you mean serve?",
    "--listen: a value: --listen VALUE",
  ]);
  const [guess = ""] = paths("serve", "--bogus");
  assert(guess.startsWith("--bogus: a known flag: one of --"), `a guess too far: ${guess}`);
  assertEquals(paths("serve", "http://x"), [
    "command: flags alone; an upstream is given with --upstream URL",
  ]);
  assertEquals(paths("switchyard.json"), [
    "command: a command, or flags: a config file is given with --config FILE",
  ]);
  assertEquals(paths("check-config", "my/switchyard.jsonc"), [
    "command: flags alone; a config file is given with --config FILE",
  ]);
});

Deno.test("the usage names every flag and command", () => {
  for (const command of COMMANDS) {
    assert(USAGE.includes(`switchyard ${command}`) || command === "start");
  }
  for (
    const flag of [
      "listen",
      "upstream",
      "transport",
      "header",
      "path",
      "admin",
      "config",
      "log-level",
      "allow-public-bind",
      "record",
      "out",
      "har",
      "name",
      "title",
      "max-bytes",
      "force",
    ]
  ) {
    assert(USAGE.includes(`--${flag}`), flag);
  }
});
