/**
 * The `stdio` command: its config, and the process as a client launches it.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { PROJECT } from "../testing/program.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { consoleOnStderr } from "./console_on_stderr.ts";
import type { CommandIo } from "./io.ts";
import { run } from "./run.ts";

const ANSWER = jsonAnswer(messages.initializeResult(), { "mcp-session-id": "secret-session-1" });
const INITIALIZE = `${messages.initialize()}\n`;

/** Runs the command in this process, with this stdin, which then ends. */
async function stdio(args: readonly string[], input = "", variables: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io: CommandIo = {
    out: () => {},
    err: (line) => void err.push(line),
    env: (name) => variables[name],
    stderrIsTerminal: false,
    isStandalone: false,
    messages: () => ({
      input: ReadableStream.from([new TextEncoder().encode(input)]),
      output: {
        write(bytes) {
          out.push(new TextDecoder().decode(bytes));
          return Promise.resolve(bytes.length);
        },
      },
    }),
    stopSignal: () => ({
      received: new Promise(() => {}),
      repeated: new Promise(() => {}),
      dispose: () => {},
    }),
    onHangup: () => () => {},
  };
  const code = await run(["stdio", "--log-level", "silent", ...args], io);
  return { code, out: out.join(""), err: err.join("\n") };
}

Deno.test("stdio --upstream answers what comes on stdin with the fields of --header, and ends with 0", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
  const args = ["--upstream", upstream.url, "--header", "X-One: ${ONE}", "--header", "X-Two: 2"];
  const { code, out } = await stdio(args, INITIALIZE, { ONE: "1" });
  assertEquals(code, 0);
  assertStringIncludes(out, '"serverInfo"');
  const first = upstream.requests[0]!;
  assertEquals([first.field("x-one"), first.field("x-two")], ["1", "2"]);
});

Deno.test("stdio finds the route that --path names in a file with several, and needs no key, address or folder of it", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.json`;
  const route = (path: string, url: string) => ({ path, upstream: { url } });
  const config = {
    listen: "0.0.0.0:3100",
    admin: "0.0.0.0:3101",
    dataDir: "/dev/null/folder",
    sessions: { store: "sqlite", path: "/dev/null/folder/sessions.db" },
    eventLog: { store: "sqlite", path: "/dev/null/folder/events.db" },
    auth: { keys: [{ name: "ci", sha256: "0".repeat(64) }] },
    routes: [route("/a/mcp", "http://127.0.0.1:9/mcp"), route("/b/mcp", upstream.url)],
  };
  await Deno.writeTextFile(file, JSON.stringify(config));
  const found = await stdio(["--config", file, "--path", "/b/mcp"], INITIALIZE);
  assertEquals([found.code, found.out.includes('"serverInfo"')], [0, true]);
  const inEnvironment = await stdio(["--config", file], INITIALIZE, { SWITCHYARD_PATH: "/b/mcp" });
  assertEquals(inEnvironment.code, 0);
  for (const more of [[], ["--path", "/c"]]) {
    const { code, err } = await stdio(["--config", file, ...more]);
    assertEquals(code, 2);
    assertMatch(
      err,
      /^--path: found .*wanted the path of the route that is meant: \/a\/mcp, \/b\/mcp/,
    );
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("R62 a server that cannot be reached is an error for each request, and the client goes on", async () => {
  const ping = '{"jsonrpc":"2.0","id":2,"method":"ping"}\n';
  const { code, out } = await stdio(["--upstream", "http://127.0.0.1:9/mcp"], INITIALIZE + ping);
  const answers = out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(answers.map(({ id, error }) => [id, error.code]), [[1, -31502], [2, -31502]]);
  assertEquals(code, 0);
});

Deno.test("stdio tells what is wrong with its flags", async () => {
  const url = ["--upstream", "http://127.0.0.1:9/mcp"];
  const cases: [string[], RegExp][] = [
    [[], /--upstream URL/],
    [[...url, "--listen", "127.0.0.1:0"], /^--listen: found a flag that stdio does not have/],
    [[...url, "--transport", "smoke"], /^--transport: found "smoke"/],
    [[...url, "--header", "nothing"], /^--header: found a value without the name/],
    [["--stdio", "x", "--header", "A: b"], /^--header: found a setting of HTTP beside stdio/],
    [["--config", "/dev/null"], /^\/dev\/null: found .*\(it is a pipe or a device\), wanted a/],
  ];
  for (const [args, message] of cases) {
    const { code, err, out } = await stdio(args);
    assertEquals([code, out], [2, ""]);
    assertMatch(err, message);
  }
});

for (const way of ["the end of stdin", "SIGTERM"] as const) {
  Deno.test(`stdio as a process: stdout has messages alone, stderr the rest, and ${way} ends it with 0`, async () => {
    await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
    const args = ["run", "-P", "--frozen", "main.ts", "stdio", "--upstream", upstream.url];
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args, "--log-level", "debug"],
      cwd: PROJECT,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(INITIALIZE));
    const err = new Response(child.stderr).text();
    let out = "";
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += piece;
      if (!out.endsWith("\n")) continue;
      if (way === "SIGTERM") child.kill("SIGTERM");
      else await writer.close();
    }
    if (way === "SIGTERM") await writer.close().catch(() => {});
    assertEquals((await child.status).code, 0, await err);
    assertEquals(out.trim().split("\n").map((line) => JSON.parse(line).id), [1]);
    assertStringIncludes(await err, '"request"');
    const methods = upstream.requests.map(({ line }) => line.split(" ", 1)[0]);
    assertEquals(methods, ["POST", "DELETE"]);
  });
}

Deno.test("what an interceptor writes with the console goes to stderr, and stdout keeps to messages", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/talks.ts`,
    `import nodeConsole from "node:console";
    console.log("at import %d", 1);
    export default () => {
      console.info("made");
      console.group("group");
      console.debug("inside");
      console.groupEnd();
      return { name: "talks", clientMessage() {
        console.table([{ a: 1 }]); console.dir({ dir: 2 }); nodeConsole.log("by node");
        console.count("calls"); console.time("t"); console.timeEnd("t");
      } };
    };`,
  );
  const route = { path: "/mcp", upstream: { url: upstream.url } };
  const config = { routes: [{ ...route, interceptors: [{ module: "./talks.ts" }] }] };
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", "--frozen", "main.ts", "stdio", "--config", `${folder}/config.json`],
    cwd: PROJECT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(INITIALIZE));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, err);
  assertEquals(out!.trim().split("\n").map((line) => JSON.parse(line).id), [1]);
  for (const said of ["at import 1", "made", "  inside", "dir: 2", "by node", "calls: 1", "t: "]) {
    assertStringIncludes(err!, said);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("consoleOnStderr() gives the console back as it was", () => {
  const { console } = globalThis;
  const before = { ...console };
  {
    using _quiet = consoleOnStderr();
    assertNotEquals({ ...console }, before);
  }
  assertEquals({ ...console }, before);
});
