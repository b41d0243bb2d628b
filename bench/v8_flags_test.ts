import { assert, assertEquals } from "@std/assert";
import { flagsIn, v8FlagsOf } from "./v8_flags.ts";

const ROOT = new URL("../", import.meta.url);

Deno.test("the proxy has the same V8 flags however it is started, and in the README", async () => {
  const flags = await v8FlagsOf(ROOT);
  assertEquals(flags.length, 1);
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const task of ["start", "serve", "stdio", "compile"]) {
    assertEquals(flagsIn(tasks[task].command), flags, task);
  }
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  assert(readme.includes(`deno run -P ${flags[0]} \\\n  main.ts serve `), flags[0]);
});

Deno.test("V8 knows each of the flags", async () => {
  const flags = await v8FlagsOf(ROOT);
  const args = ["eval", ...flags, "console.log('ran')"];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const decoder = new TextDecoder();
  assertEquals([decoder.decode(stdout), decoder.decode(stderr)], ["ran\n", ""]);
});
