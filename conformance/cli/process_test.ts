/** The command as a process of its own: exit codes, streams, reports, and an end by SIGINT. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../free_port.ts";

const ROOT = new URL("../../", import.meta.url);
const DEADLINE_MS = 60_000;

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=test", "conformance/main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(args).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("wrong flags end with 2 and say what may have been meant", async () => {
  const { code, out, err } = await run("--gruop", "door");
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "--gruop: no such flag; did you mean --group?");
});

Deno.test("a report that cannot be written, and an unknown expected failure, end with 2", async () => {
  const directory = await Deno.makeTempDir();
  const known = `${directory}/known.json`;
  const failures = [{ check: "door.nothing", reason: "none" }];
  await Deno.writeTextFile(known, JSON.stringify({ target: "x", failures }));
  const unknown = await run("--expected", known);
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.err, 'failures.0.check: there is no "door.nothing"');
  const unwritable = await run("--report", `json=${known}/report.json`);
  assertEquals(unwritable.code, 2);
  assertStringIncludes(unwritable.err, "cannot be written");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("--list names checks with their sources and runs nothing", async () => {
  const { code, out } = await run("--list", "--group", "latency");
  assertEquals(code, 0);
  assertStringIncludes(out, "  latency.p95-20ms\n");
  assertStringIncludes(out, "1 checks, 1 cases");
});

Deno.test("a target that does not run ends with 1 and a reason", async () => {
  const target = `http://127.0.0.1:${freePort()}/mcp`;
  const { code, err } = await run(
    ...["--target", target, "--upstream-port", String(freePort()), "--patience", "300"],
  );
  assertEquals(code, 1);
  assertStringIncludes(err, `${target} cannot be called`);
});

Deno.test("reports go where they were told to go, and the run ends with 0", async () => {
  const directory = await Deno.makeTempDir();
  const { code, out, err } = await run(
    ...["--group", "door", "--report", `json=${directory}/new/report.json`],
    ...["--report", "markdown", "--report", `junit=${directory}/junit.xml`],
  );
  assertEquals(code, 0, out + err);
  assertStringIncludes(out, "## Conformance of switchyard: ok");
  const report = JSON.parse(await Deno.readTextFile(`${directory}/new/report.json`));
  assertEquals([report.version, report.ok], [1, true]);
  assert((await Deno.readTextFile(`${directory}/junit.xml`)).startsWith("<?xml"));
  await Deno.remove(directory, { recursive: true });
});

Deno.test({
  name: "SIGINT ends the run and what it started",
  ignore: Deno.build.os === "windows",
  async fn() {
    const port = freePort();
    const child = command(["--upstream-port", String(port)]).spawn();
    const out = new Response(child.stdout).text();
    const errors = new TextDecoderStream();
    const piped = child.stderr.pipeTo(errors.writable);
    let err = "";
    for await (const text of errors.readable.values({ preventCancel: true })) {
      err += text;
      if (/\d+ of \d+ cases/.test(err)) break;
    }
    child.kill("SIGINT");
    for await (const text of errors.readable) err += text;
    await piped;
    assertEquals((await child.status).code, 130, err);
    assertEquals(await out, "");
    // Nobody holds the port any more.
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  },
});
