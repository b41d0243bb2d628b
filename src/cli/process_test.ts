/**
 * The program as a user starts it: a process of its own, signals, exit codes, what it prints.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { startProgram as spawn } from "../testing/program.ts";
import { jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

Deno.test("serve prints one line, answers, and ends with 0 on SIGTERM and on SIGINT", async () => {
  const answer = jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}');
  await using upstream = scriptedUpstream((_, to) => to.write(answer));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const program = spawn(["serve", "--listen", "127.0.0.1:0", "--upstream", upstream.url]);
    const line = await program.first;
    assertMatch(line, /^listening http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    const { origin } = new URL(line.slice("listening ".length));
    assertEquals((await postText(origin, messages.ping())).status, 200);
    program.child.kill(signal);
    const { code, out, err } = await program.end();
    assertEquals([code, out], [0, [line]]);
    const logged = err.split("\n").filter((text) => text.startsWith("{"))
      .map((text) => JSON.parse(text).message);
    assertEquals(logged, ["started", "request", "stopping", "stopped"]);
  }
});

Deno.test("a second signal does not wait for what is in flight", async () => {
  await using upstream = scriptedUpstream(() => {});
  const program = spawn(["serve", "--listen", "127.0.0.1:0", "--upstream", upstream.url]);
  const { origin } = new URL((await program.first).slice("listening ".length));
  using client = await RawClient.connect(origin);
  await client.write(jsonPost(messages.ping()));
  await upstream.received(0);
  program.child.kill("SIGINT");
  await program.logged("stopping");
  await program.hurry("SIGINT");
  assertEquals((await program.end()).code, 0);
});

Deno.test("a request body that does not arrive is answered with 408 at its deadline", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/switchyard.jsonc`;
  await Deno.writeTextFile(
    file,
    `{ // short, for this test
      "limits": { "requestBodyTimeoutMs": 50 }, "drainTimeoutMs": 0, "logLevel": "silent",
      "routes": [{ "path": "/mcp", "upstream": { "url": "http://127.0.0.1:9/mcp" } }] }`,
  );
  const program = spawn(["serve", "--listen", "127.0.0.1:0", "--config", file]);
  const { origin } = new URL((await program.first).slice("listening ".length));
  for (const length of ["5", "70000"]) {
    using client = await RawClient.connect(origin);
    await client.write(jsonPost("", { "content-length": length }));
    const response = await client.readResponse();
    assertEquals([response.status, JSON.parse(response.text).error.code], [408, -31408]);
  }
  program.child.kill("SIGTERM");
  assertEquals((await program.end()).code, 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a wrong config ends with 2, every problem on stderr and nothing on stdout", async () => {
  const { code, out, err } = await spawn(["serve", "--listen", "nowhere", "--log-level", "loud"])
    .end();
  assertEquals([code, out], [2, []]);
  assertMatch(err, /--listen: found "nowhere", wanted host:port/);
  assertMatch(err, /--log-level: found "loud", wanted debug/);
  assertMatch(err, /routes: found nothing, wanted at least one route/);
});

/** The processes whose parent is `pid`, where /proc tells. */
async function childrenOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid) {
      found.push(Number(name));
    }
  }
  return found;
}

async function isAlive(pid: number): Promise<boolean> {
  return await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
}

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test({
    name: `start runs the reference server, and ${signal} ends both`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const args = ["start", "--listen", "127.0.0.1:0", "--log-level", "warn"];
      const program = spawn(args, "-P=start");
      const endpoint = (await program.first).slice("listening ".length);
      const response = await postText(new URL(endpoint).origin, messages.initialize());
      assertEquals(response.status, 200);
      assertMatch(response.text, /"serverInfo":\{"name":"mcp-servers?\/everything"/);
      const children = await childrenOf(program.child.pid);
      assertEquals(children.length, 1);
      program.child.kill(signal);
      const { code, err } = await program.end();
      assertEquals(code, signal === "SIGINT" ? 0 : 137);
      assertMatch(err, /Try it:\n {2}curl -i http/);
      // After SIGKILL nobody waits for the child; it notices the end of its stdin by itself.
      for (let tries = 0; tries < 100 && await isAlive(children[0]!); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert(!await isAlive(children[0]!), "the reference server outlived the proxy");
    },
  });
}
