/**
 * The V8 flags that the proxy runs with: those of `deno task serve`, which stand in deno.json alone.
 *
 * @module
 */

/** The `--v8-flags` of the proxy in the checkout `tree`; none where its tasks have none. */
export async function v8FlagsOf(tree: URL): Promise<readonly string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", tree)));
  return flagsIn(tasks.serve.command);
}

/** The `--v8-flags` of a command line. */
export function flagsIn(command: string): readonly string[] {
  return command.split(" ").filter((word) => word.startsWith("--v8-flags="));
}
