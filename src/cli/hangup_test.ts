/**
 * SIGHUP from the first moment of the program on.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";

const MODULE = new URL("./hangup.ts", import.meta.url);

/** What a process makes of a SIGHUP that comes while it is held: its lines, and what it ends with. */
async function held(rest: string): Promise<{ lines: string[]; code: number }> {
  const text = `import { holdHangup, letHangupEnd, onHangup } from ${JSON.stringify(MODULE.href)};
    holdHangup();
    const heard = new Promise((told) => Deno.addSignalListener("SIGHUP", told));
    console.log("held");
    for await (const _ of Deno.stdin.readable) break;
    ${rest}
    console.log("alive");`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, text);
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", "--config=deno.json", file],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines: string[] = [];
  const out = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of out) {
    lines.push(line);
    if (line !== "held") continue;
    child.kill("SIGHUP");
    const writer = child.stdin.getWriter();
    await writer.write(new Uint8Array(1));
    await writer.close();
  }
  await Deno.remove(file);
  return { lines, code: (await child.status).code };
}

Deno.test({
  name: "a SIGHUP that was held is handed to who listens, or ends a command that does not",
  ignore: Deno.build.os === "windows",
  async fn() {
    const listening = await held(
      "await new Promise((told) => onHangup((how) => told(console.log(how))));",
    );
    assertEquals(listening, { lines: ["held", "reload", "alive"], code: 0 });
    assertEquals(await held("await heard; letHangupEnd();"), { lines: ["held"], code: 129 });
  },
});

Deno.test("the program holds SIGHUP ahead of loading anything else", async () => {
  const importsOf = async (url: URL) =>
    [...(await Deno.readTextFile(url)).matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gm)]
      .map(([, from]) => from);
  assertEquals(await importsOf(new URL("../../main.ts", import.meta.url)), ["./src/cli/hangup.ts"]);
  assertEquals(await importsOf(MODULE), []);
});
