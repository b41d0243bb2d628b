/**
 * The program reads its config again: at SIGHUP, and however its file is replaced.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { startProgram } from "../testing/program.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

type Program = ReturnType<typeof startProgram>;

/** The lines of the log so far that say this. */
function told(err: string, message: string): Record<string, unknown>[] {
  return err.split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line)).filter((line) => line.message === message);
}

/** Resolves when the log says `message` for the time number `count`. */
async function times(program: Program, message: string, count: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (told(program.err, message).length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`"${message}" was not told ${count} times:\n${program.err}`);
}

const RELOADED = "config reloaded";
const REFUSED = "config not reloaded; the old one stays";

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly upstream: string;
}

/** A config with one route of this name, and what else is to stand in it. */
function configText(upstream: string, name: string, more = {}): string {
  const routes = [{ name, path: `/${name}`, upstream: { url: upstream } }];
  return JSON.stringify({ listen: "127.0.0.1:0", routes, ...more });
}

/** Runs `test` with the program, whose config file has a route `a`. */
async function withProgram(
  test: (program: Program, origin: string, place: Place) => Promise<void>,
  { more = {}, args = [] as string[] } = {},
): Promise<void> {
  await using upstream = scriptedUpstream((_, to) =>
    to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'))
  );
  const folder = await Deno.makeTempDir();
  const file = `${folder}/switchyard.json`;
  await Deno.writeTextFile(file, configText(upstream.url, "a", more));
  const program = startProgram(["serve", "--config", file, ...args]);
  try {
    const { origin } = new URL((await program.first).slice("listening ".length));
    await test(program, origin, { folder, file, upstream: upstream.url });
  } finally {
    program.child.kill("SIGTERM");
    assertEquals((await program.end()).code, 0);
    await Deno.remove(folder, { recursive: true });
  }
}

async function status(origin: string, name: string): Promise<number> {
  return (await exchange(origin, jsonPost(messages.ping(), {}, `/${name}`))).status;
}

Deno.test({
  name: "SIGHUP has the file read again, with the flags of the start; a bad file changes nothing",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withProgram(async (program, origin, { file, upstream }) => {
      await Deno.writeTextFile(file, configText(upstream, "b", { watchConfig: false }));
      program.child.kill("SIGHUP");
      await times(program, RELOADED, 1);
      assertEquals([await status(origin, "a"), await status(origin, "b")], [404, 200]);
      const [{ added, removed, level } = {}] = told(program.err, RELOADED);
      assertEquals([added, removed, level], [["b"], ["a"], "info"]);
      const bad: [string, RegExp][] = [
        ["{ nonsense", /switchyard\.json/],
        [configText(upstream, "c", { nope: 1 }), /^nope: found a key that does not exist/],
        [configText(upstream, "c", { limits: { sessionIdleTimeoutMs: 1 } }), /or a restart$/],
      ];
      for (const [at, [text, problem]] of bad.entries()) {
        await Deno.writeTextFile(file, text);
        program.child.kill("SIGHUP");
        await times(program, REFUSED, at + 1);
        const { problems } = told(program.err, REFUSED)[at]!;
        assertMatch((problems as string[]).join("\n"), problem);
        assertEquals([await status(origin, "b"), await status(origin, "c")], [200, 404]);
      }
      // The level changes with the file, but where a flag says otherwise.
      await Deno.writeTextFile(file, configText(upstream, "d", { logLevel: "error" }));
      program.child.kill("SIGHUP");
      await times(program, RELOADED, 2);
      assertEquals(await status(origin, "d"), 200);
      await times(program, "request", 8);
    }, { more: { watchConfig: false }, args: ["--log-level", "info"] }),
});

Deno.test("a file that is written, renamed over or led to elsewhere is read again, and only where it is another", () =>
  withProgram(async (program, origin, { folder, file, upstream }) => {
    // Written in place.
    await Deno.writeTextFile(file, configText(upstream, "b"));
    await times(program, RELOADED, 1);
    assertEquals([await status(origin, "a"), await status(origin, "b")], [404, 200]);
    // Renamed over, as editors do.
    await Deno.writeTextFile(`${folder}/new`, configText(upstream, "c"));
    await Deno.rename(`${folder}/new`, file);
    await times(program, RELOADED, 2);
    assertEquals(await status(origin, "c"), 200);
    // The same text once more, and noise beside it, are no change.
    await Deno.writeTextFile(file, configText(upstream, "c"));
    await Deno.writeTextFile(`${folder}/noise`, "x");
    await new Promise((resolve) => setTimeout(resolve, 400));
    assertEquals(told(program.err, RELOADED).length, 2);
    // A bad one is told once, and what follows it is read.
    await Deno.writeTextFile(file, "[]");
    await times(program, REFUSED, 1);
    assertEquals(await status(origin, "c"), 200);
    await Deno.writeTextFile(`${folder}/noise`, "y");
    await Deno.writeTextFile(file, configText(upstream, "d"));
    await times(program, RELOADED, 3);
    assertEquals(await status(origin, "d"), 200);
    // Gone, it changes nothing; back, it does.
    await Deno.remove(file);
    await Deno.writeTextFile(`${folder}/noise`, "z");
    await new Promise((resolve) => setTimeout(resolve, 400));
    assertEquals(await status(origin, "d"), 200);
    await Deno.writeTextFile(file, configText(upstream, "e"));
    await times(program, RELOADED, 4);
    assertEquals([told(program.err, RELOADED).length, told(program.err, REFUSED).length], [4, 1]);
    // Not watched any more, it is read at SIGHUP alone.
    await Deno.writeTextFile(file, configText(upstream, "e", { watchConfig: false }));
    await times(program, RELOADED, 5);
    await Deno.writeTextFile(file, configText(upstream, "f"));
    await new Promise((resolve) => setTimeout(resolve, 400));
    assertEquals(told(program.err, RELOADED).length, 5);
    if (Deno.build.os !== "windows") {
      program.child.kill("SIGHUP");
      await times(program, RELOADED, 6);
      await Deno.writeTextFile(file, configText(upstream, "g", { logLevel: "warn" }));
      await times(program, RELOADED, 7);
      assertEquals(await status(origin, "g"), 200);
      await Deno.writeTextFile(file, "{}");
      await times(program, REFUSED, 2);
      const requests = told(program.err, "request");
      assert(requests.every(({ route }) => route !== "g"));
    }
  }));

Deno.test({
  name: "a ConfigMap of Kubernetes, a link in a folder that is swapped, is read again",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using upstream = scriptedUpstream((_, to) =>
      to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'))
    );
    const folder = await Deno.makeTempDir();
    const put = async (version: string, name: string) => {
      await Deno.mkdir(`${folder}/..${version}`);
      const text = configText(upstream.url, name);
      await Deno.writeTextFile(`${folder}/..${version}/config.json`, text);
      await Deno.symlink(`..${version}`, `${folder}/..data_tmp`);
      await Deno.rename(`${folder}/..data_tmp`, `${folder}/..data`);
    };
    await put("1", "a");
    await Deno.symlink("..data/config.json", `${folder}/config.json`);
    const program = startProgram(["serve", "--config", `${folder}/config.json`]);
    const { origin } = new URL((await program.first).slice("listening ".length));
    assertEquals(await status(origin, "a"), 200);
    await put("2", "b");
    await times(program, RELOADED, 1);
    assertEquals(await status(origin, "b"), 200);
    // The folder that it is in now is watched too.
    await Deno.writeTextFile(`${folder}/..2/config.json`, configText(upstream.url, "c"));
    await times(program, RELOADED, 2);
    await put("3", "d");
    await times(program, RELOADED, 3);
    assertEquals(await status(origin, "d"), 200);
    program.child.kill("SIGTERM");
    assertEquals((await program.end()).code, 0);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "without a file SIGHUP says that there is nothing to read, and the proxy goes on",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using upstream = scriptedUpstream((_, to) =>
      to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'))
    );
    const program = startProgram(["serve", "--listen", "127.0.0.1:0", "--upstream", upstream.url]);
    const { origin } = new URL((await program.first).slice("listening ".length));
    program.child.kill("SIGHUP");
    await times(program, REFUSED, 1);
    assertMatch(String(told(program.err, REFUSED)[0]!.problems), /no config file to read again/);
    assertEquals(await status(origin, "mcp"), 200);
    program.child.kill("SIGTERM");
    const { code, err } = await program.end();
    assertEquals(code, 0);
    assert(err.includes('"stopped"'));
  },
});

Deno.test({
  name:
    "SIGHUP that comes before the start is done has the file read again behind it, and ends nothing",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using upstream = scriptedUpstream((_, to) =>
      to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'))
    );
    const folder = await Deno.makeTempDir();
    const file = `${folder}/switchyard.json`;
    // The module has the start wait for this server.
    const asked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    await using gate = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
      asked.resolve();
      await goOn.promise;
      return new Response();
    });
    await Deno.writeTextFile(
      `${folder}/slow.ts`,
      `await (await fetch("http://127.0.0.1:${gate.addr.port}/")).text();
      export default { name: "slow", clientMessage() {} };`,
    );
    const more = { interceptors: [{ module: "./slow.ts" }], watchConfig: false };
    await Deno.writeTextFile(file, configText(upstream.url, "a", more));
    const program = startProgram(["serve", "--config", file]);
    await asked.promise;
    await Deno.writeTextFile(file, configText(upstream.url, "b", more));
    program.child.kill("SIGHUP");
    goOn.resolve();
    const { origin } = new URL((await program.first).slice("listening ".length));
    await times(program, RELOADED, 1);
    assertEquals([await status(origin, "a"), await status(origin, "b")], [404, 200]);
    program.child.kill("SIGTERM");
    assertEquals((await program.end()).code, 0);
    await Deno.remove(folder, { recursive: true });
  },
});
