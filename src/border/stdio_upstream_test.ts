/**
 * Programs on stdio behind the whole proxy: crashes, starts that fail, and that nothing is left behind.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { createApp } from "../app.ts";
import { ConfigError } from "../config/mod.ts";
import { configSchema } from "../config/schema.ts";
import * as messages from "../testing/messages.ts";
import * as processes from "../testing/processes.ts";
import { startProgram } from "../testing/program.ts";
import { withProxy } from "../testing/proxy.ts";
import { postText, type RawResponse } from "../testing/raw_client.ts";
import { SessionCaller } from "../testing/session_caller.ts";

interface About {
  readonly pid: number;
  readonly parent: number;
}

function codeOf({ text }: RawResponse): number {
  return JSON.parse(text).error.code;
}

async function about(caller: SessionCaller): Promise<About> {
  return JSON.parse((await caller.ask("about")).text).result;
}

function stdio(...args: readonly string[]) {
  return { upstreamConfig: { stdio: { ...processes.stdioServer(...args), closeMs: 100 } } };
}

Deno.test("R64 a program that crashes fails the call that it had, and the next one finds it anew", async () => {
  await withProxy(stdio(), async (proxy) => {
    const caller = await new SessionCaller(proxy).ready();
    const { pid } = await about(caller);
    const crashed = await caller.ask("crash");
    assertEquals([crashed.status, codeOf(crashed)], [502, -31502]);
    const anew = await about(caller);
    assertNotEquals(anew.pid, pid);
    assert(processes.runs(anew.pid) && !processes.runs(pid));
    assertEquals((await caller.end()).status, 200);
    assertEquals((await caller.ask("about")).status, 404);
  });
});

Deno.test("R66 a shared program that crashes is started anew for all its clients", async () => {
  const { stdio: server } = stdio().upstreamConfig;
  await withProxy({ upstreamConfig: { stdio: server, sessions: "shared" } }, async (proxy) => {
    const [one, other] = [
      await new SessionCaller(proxy).ready(),
      await new SessionCaller(proxy).ready(),
    ];
    const { pid } = await about(one);
    assertEquals((await about(other)).pid, pid);
    assertEquals((await one.ask("crash")).status, 502);
    const anew = await about(other);
    assertNotEquals(anew.pid, pid);
    assertEquals((await about(one)).pid, anew.pid);
  });
});

Deno.test("a program that does not start is a 502, and one too many a 503", async () => {
  const none = { upstreamConfig: { stdio: { command: "/no/such/program" } } };
  await withProxy(none, async ({ origin }) => {
    const answer = await postText(origin, messages.initialize());
    assertEquals([answer.status, codeOf(answer)], [502, -31502]);
  });
  const { upstreamConfig } = stdio();
  const one = { upstreamConfig: { stdio: { ...upstreamConfig.stdio, maxProcesses: 1 } } };
  await withProxy(one, async (proxy) => {
    await new SessionCaller(proxy).ready();
    assertEquals((await postText(proxy.origin, messages.initialize())).status, 503);
  });
});

Deno.test("R82 programs in stock for modern clients leave room for clients with sessions", async () => {
  const { upstreamConfig } = stdio();
  const four = { stdio: { ...upstreamConfig.stdio, maxProcesses: 4 }, era: "session" };
  await withProxy({ upstreamConfig: four }, async (proxy) => {
    const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
    for (const authorization of ["a", "b", "c"]) {
      await postText(proxy.origin, messages.modern("tools/list"), { ...fields, authorization });
    }
    let opened = 0;
    const untilMs = performance.now() + 5_000;
    while (opened < 3 && performance.now() < untilMs) {
      const { status } = await postText(proxy.origin, messages.initialize());
      if (status === 200) opened++;
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertEquals(opened, 3);
  });
});

Deno.test("a proxy that stops ends its programs, those too that do not want to", async () => {
  const pids: number[] = [];
  for (const args of [[], ["stubborn"], ["nested", "stubborn"]]) {
    await withProxy(stdio(...args), async (proxy) => {
      const { pid, parent } = await about(await new SessionCaller(proxy).ready());
      pids.push(pid, ...args.includes("nested") ? [parent] : []);
      for (const one of pids.slice(-1)) assert(processes.runs(one));
    });
  }
  await processes.noneLeft(() => pids.filter(processes.runs));
});

/** A proxy in a process of its own, with one session, and what its programs are known by. */
async function program(...args: readonly string[]) {
  const marker = `SWITCHYARD_TEST_MARK=${crypto.randomUUID()}`;
  const [name, value] = marker.split("=") as [string, string];
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.json`;
  const server = processes.stdioServer(...args);
  const config = {
    listen: "127.0.0.1:0",
    drainTimeoutMs: 60_000,
    routes: [{
      path: "/mcp",
      upstream: { stdio: { ...server, env: { ...server.env, [name]: value }, closeMs: 60_000 } },
    }],
  };
  await Deno.writeTextFile(file, JSON.stringify(config));
  const running = startProgram(["serve", "--config", file], "-P=stdio");
  const { origin } = new URL((await running.first).slice("listening ".length));
  assertEquals((await postText(origin, messages.initialize())).status, 200);
  assert(processes.marked(marker).length > 0);
  return { running, marker, remove: () => Deno.remove(folder, { recursive: true }) };
}

Deno.test("a proxy that is killed leaves no program behind that heeds the end of its stdin", async () => {
  const { running, marker, remove } = await program();
  running.child.kill("SIGKILL");
  await running.end();
  await processes.noneLeft(() => processes.marked(marker));
  await remove();
});

Deno.test("a proxy that ends in a hurry leaves no program behind at all", async () => {
  const { running, marker, remove } = await program("nested", "stubborn");
  running.child.kill("SIGTERM");
  await running.logged("stopping");
  await running.hurry("SIGTERM");
  assertEquals((await running.end()).code, 0);
  await processes.noneLeft(() => processes.marked(marker));
  await remove();
});

Deno.test("--stdio is enough for one server", async () => {
  const { command, args } = processes.stdioServer();
  const line = [command, ...args].join(" ");
  const running = startProgram(["serve", "--listen", "127.0.0.1:0", "--stdio", line], "-P=stdio");
  const first = await running.first;
  assertMatch(first, /^listening /);
  const { origin } = new URL(first.slice("listening ".length));
  const { status, text } = await postText(origin, messages.initialize());
  assertEquals([status, JSON.parse(text).result.serverInfo.name], [200, "scripted"]);
  running.child.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});

Deno.test({
  name: "without the permission to run programs the proxy does not start, and says what to do",
  permissions: { run: false, read: true, env: true },
  fn() {
    const config = configSchema.parse({
      routes: [{ path: "/mcp", upstream: { stdio: { command: "x" } } }],
    });
    assertThrows(() => createApp({ config }), ConfigError, "-P=stdio");
  },
});

Deno.test("an upstream without url and stdio is refused where no loader has looked", () => {
  const config = configSchema.parse({ routes: [{ path: "/mcp", upstream: {} }] });
  assertThrows(() => createApp({ config }), ConfigError, "upstream.url");
});
