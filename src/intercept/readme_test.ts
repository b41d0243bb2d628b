import { assert, assertEquals } from "@std/assert";
import { parse as parseJsonc } from "@std/jsonc";
import { interceptContext, keptLog } from "../testing/intercept.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { parseMessages, stringifyMessage } from "./codec.ts";
import { fileLines } from "./deps.ts";
import { createPipeline } from "./pipeline.ts";
import { buildEntries } from "./registry.ts";
import { configSchemas } from "./schema.ts";

const ROOT = new URL("../../", import.meta.url);

/** The first block of a language in the section of the README on interceptors. */
async function block(language: string): Promise<string> {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const section = readme.split("\n## Interceptors\n")[1]?.split("\n## ")[0];
  const text = section?.split(`\n\`\`\`${language}\n`)[1]?.split("\n```")[0];
  assert(text !== undefined, `the README has no ${language} block under Interceptors`);
  return text;
}

async function inFolder(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/row_limit.ts`, await block("ts"));
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function message(text: string) {
  return parseMessages(`{"jsonrpc":"2.0",${text}}`).messages[0]!;
}

Deno.test("the interceptor that the README shows does what the README says, in the pipeline it shows", async () => {
  await inFolder(async (baseDir) => {
    const { routes } = parseJsonc(await block("jsonc")) as { routes: { interceptors: unknown }[] };
    const deps = { clock: new ManualClock(), log: keptLog(), openLines: fileLines };
    const configs = configSchemas.interceptors.parse(routes[0]!.interceptors);
    const pipeline = createPipeline(await buildEntries(configs, { ...deps, baseDir }), deps);
    const context = interceptContext({ method: "tools/call" });
    const send = async (text: string) => {
      const outcome = await pipeline.clientMessage(message(text), context);
      return outcome.kind === "drop" ? "" : `${outcome.kind} ${stringifyMessage(outcome.message)}`;
    };
    const call = (name: string, args: string) =>
      `"id":9007199254740993,"method":"tools/call","params":{"name":"${name}","arguments":${args}}`;

    assertEquals(
      await send(call("query", '{"rows":500,"x":1.0}')),
      `send {"jsonrpc":"2.0",${call("query", '{"rows":100,"x":1.0}')}}`,
    );
    assertEquals(
      await send(call("list_a", "{}")),
      `send {"jsonrpc":"2.0",${call("list_a", "{}")}}`,
    );
    const refused = async (text: string) => /"message":"([^"]*)"/.exec(await send(text))?.[1];
    assertEquals(await refused(call("list_users", "{}")), "Unknown tool: list_users");
    assertEquals(await refused(call("query", '{"table":"salaries"}')), "Unknown table: salaries");

    const note = '"method":"notifications/message","params":{"level":"info","data":"x"}';
    assertEquals((await pipeline.serverMessage(message(note), context)).messages, []);
    const result = '"id":1,"result":{"structuredContent":{"rows":[{"password":"x"}]}}';
    const { messages } = await pipeline.serverMessage(message(result), context);
    assertEquals(messages.map(stringifyMessage), [
      '{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"rows":[{"password":"[redacted]"}]}}}',
    ]);
    assertEquals([context.lines, deps.log.lines.filter(([level]) => level !== "debug")], [
      [{ rows: 1 }],
      [],
    ]);
  });
});

Deno.test("the interceptor that the README shows has the right types", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/row_limit.ts`;
    const own = new URL("mod.ts", import.meta.url).href;
    const text = await Deno.readTextFile(path);
    assert(text.includes('"./src/intercept/mod.ts"'));
    await Deno.writeTextFile(path, text.replace("./src/intercept/mod.ts", own));
    const config = new URL("deno.json", ROOT).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--frozen", "--config", config, path],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  });
});

Deno.test("a local module is imported with the permission to read alone, which -P grants", async () => {
  await inFolder(async (dir) => {
    const main = `${dir}/main.ts`;
    const registry = new URL("registry.ts", import.meta.url).href;
    await Deno.writeTextFile(
      main,
      `import { loadUserModule } from ${JSON.stringify(registry)};
       console.log((await loadUserModule("./row_limit.ts", Deno.args[0]!, { maxRows: 1 })).name);`,
    );
    const config = new URL("deno.json", ROOT).pathname;
    const run = async (...permissions: string[]) => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--no-check", "--config", config, ...permissions, main, dir],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
      }).output();
      return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
    };
    assertEquals(await run("--allow-read"), "row-limit");
    assertEquals(await run("-P"), "row-limit");
    const refused = await run();
    assert(refused.includes("allow the proxy to read it (--allow-read)"), refused);
  });
});
