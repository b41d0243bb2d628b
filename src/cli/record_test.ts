/**
 * The `record` command: its flags, and the process as a user starts it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { readFixture } from "../../fixtures/format/mod.ts";
import * as messages from "../testing/messages.ts";
import { postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import type { CommandIo } from "./io.ts";
import { run } from "./run.ts";

const ROOT = new URL("../../", import.meta.url);

function silentIo(): { io: CommandIo; err: string[] } {
  const err: string[] = [];
  const io: CommandIo = {
    out: () => {},
    err: (line) => void err.push(line),
    env: () => undefined,
    stderrIsTerminal: false,
    isStandalone: false,
    messages: () => ({
      input: new ReadableStream(),
      output: { write: (b) => Promise.resolve(b.length) },
    }),
    stopSignal: () => ({
      received: Promise.resolve("SIGTERM"),
      repeated: new Promise(() => {}),
      dispose: () => {},
    }),
    onHangup: () => () => {},
  };
  return { io, err };
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** `main.ts record` as a process; `permissions` as in deno.json. */
async function recordProcess(
  args: readonly string[],
  talk: (endpoint: string) => Promise<void>,
  { signal = "SIGTERM" as Deno.Signal, permissions = "-P=record", first = "record" } = {},
): Promise<{ code: number; out: string[]; err: string }> {
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", permissions, "--frozen", "main.ts", first, "--listen", "127.0.0.1:0", ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const err = new Response(child.stderr).text();
  const out: string[] = [];
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    out.push(line);
    await talk(line.slice("listening ".length));
    child.kill(signal);
  }
  return { code: (await child.status).code, out, err: await err };
}

const ANSWER = jsonAnswer(messages.initializeResult(), { "mcp-session-id": "secret-session-1" });

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`record writes the fixture and the archive on ${signal}, and ends with 0`, () =>
    withFolder(async (folder) => {
      await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
      const out = `${folder}/first-case`;
      const args = ["--upstream", upstream.url, "--out", out, "--har", `${folder}/x.har`];
      const result = await recordProcess(args, async (endpoint) => {
        assertMatch(endpoint, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
        const { origin } = new URL(endpoint);
        const { status } = await postText(origin, messages.initialize(), {
          host: new URL(origin).host,
          authorization: "Bearer canary-123456",
        });
        assertEquals(status, 200);
      }, { signal });
      assertEquals([result.code, result.out.length], [0, 1], result.err);
      const { meta, entries } = await readFixture(out);
      assertEquals([meta.name, meta.title], ["first-case", "test with test, 2025-11-25"]);
      assertEquals(meta.truncated, undefined);
      assertEquals(entries.map(({ from, type }) => `${from} ${type}`), [
        "client request",
        "client data",
        "client end",
        "server response",
        "server data",
        "server end",
      ]);
      const modes = [out, `${out}/meta.json`, `${out}/exchange.ndjson`, `${folder}/x.har`]
        .map((path) => (Deno.statSync(path).mode! & 0o777).toString(8));
      // What was said is for nobody but who recorded it.
      assertEquals(modes, ["700", "600", "600", "600"]);
      const har = await Deno.readTextFile(`${folder}/x.har`);
      assertEquals(JSON.parse(har).log.entries.length, 1);
      for (const text of [har, JSON.stringify(entries), result.err]) {
        assert(!text.includes("canary") && !text.includes("secret-session"), text);
      }
    }));
}

Deno.test("record without a client writes nothing and ends with 1", () =>
  withFolder(async (folder) => {
    const args = ["--upstream", "http://127.0.0.1:9/mcp", "--out", `${folder}/x`];
    const { code, err } = await recordProcess(args, () => Promise.resolve());
    assertEquals(code, 1);
    assertStringIncludes(err, "Nothing was recorded");
    assertEquals(await Array.fromAsync(Deno.readDir(`${folder}/x`)), []);
  }));

Deno.test("record without the permission to write says so at the start", () =>
  withFolder(async (folder) => {
    const args = ["--upstream", "http://127.0.0.1:9/mcp", "--out", `${folder}/x`];
    const { code, err } = await recordProcess(args, () => Promise.resolve(), {
      permissions: "-P",
    });
    assertEquals(code, 2);
    assertStringIncludes(err, "run with -P=record");
  }));

Deno.test("serve --record writes the run in a folder of its own", () =>
  withFolder(async (folder) => {
    await using upstream = scriptedUpstream((_, to) => to.write(ANSWER));
    const args = ["--upstream", upstream.url, "--record", folder];
    const { code } = await recordProcess(args, async (endpoint) => {
      assertEquals((await postText(new URL(endpoint).origin, messages.initialize())).status, 200);
    }, { first: "serve" });
    assertEquals(code, 0);
    const [run] = await Array.fromAsync(Deno.readDir(folder));
    assertEquals((await readFixture(`${folder}/${run!.name}`)).meta.client.name, "test");
  }));

for (const command of ["record", "serve"] as const) {
  Deno.test(`${command} that is killed leaves what it has recorded, up to the last event`, () =>
    withFolder(async (folder) => {
      const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
      await using upstream = scriptedUpstream((request, to) =>
        to.write(request.line.startsWith("GET") ? `${head}data: 1\n\ndata: half` : ANSWER)
      );
      const out = `${folder}/case`;
      const more = command === "record" ? ["--out", out] : ["--record", folder];
      const args = ["--upstream", upstream.url, ...more];
      let where = out;
      const { code } = await recordProcess(args, async (endpoint) => {
        const { origin } = new URL(endpoint);
        const fields = { host: new URL(origin).host, authorization: "Bearer canary-123456" };
        const answer = await postText(origin, messages.initialize(), fields);
        const session = answer.headers.get("mcp-session-id")!;
        const client = await RawClient.connect(origin);
        await client.write(
          `GET /mcp HTTP/1.1\r\nhost: ${fields.host}\r\naccept: text/event-stream\r\n` +
            `mcp-session-id: ${session}\r\n\r\n`,
        );
        await client.readHead();
        // Nothing tells when the file has grown but the file.
        for (let tries = 0; tries < 500; tries++) {
          const [run] = [...Deno.readDirSync(folder)];
          where = `${folder}/${run?.name}`;
          const text = await Deno.readTextFile(`${where}/exchange.ndjson`).catch(() => "");
          if (text.includes("data: 1")) break;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        client.close();
      }, { signal: "SIGKILL", first: command });
      assertEquals(code, 137);
      const { meta, entries } = await readFixture(where);
      assertEquals([meta.truncated, meta.revision, meta.client.name], [true, "2025-11-25", "test"]);
      const told = entries.map(({ from, type }) => `${from} ${type}`);
      assertEquals(told.slice(0, 6), [
        "client request",
        "client data",
        "client end",
        "server response",
        "server data",
        "server end",
      ]);
      assert(told.includes("server data"), told.join());
      const texts = [JSON.stringify(entries), await Deno.readTextFile(`${where}/meta.json`)].join();
      assert(!/canary|secret-session/.test(texts), texts);
      const modes = [where, `${where}/meta.json`, `${where}/exchange.ndjson`]
        .map((path) => (Deno.statSync(path).mode! & 0o777).toString(8));
      assertEquals(modes, ["700", "600", "600"]);
    }));
}

Deno.test("record tells everything that is wrong with its flags", () =>
  withFolder(async (folder) => {
    const upstream = ["--upstream", "http://127.0.0.1:9/mcp"];
    const out = ["--out", `${folder}/x`];
    await Deno.mkdir(`${folder}/full`);
    await Deno.writeTextFile(`${folder}/full/meta.json`, "{}");
    const cases: [string[], RegExp][] = [
      [upstream, /^--out: found nothing, wanted --out DIR, --har FILE, or both$/],
      [out, /^routes: found nothing, wanted .*--upstream URL/],
      [[...upstream, ...out, "--name", "No Such"], /^--name: found "No Such", wanted lower-case/],
      [[...upstream, "--out", `${folder}/No Such`], /^--name: found "No Such"/],
      [[...upstream, ...out, "--max-bytes", "1e9"], /^--max-bytes: found "1e9", wanted a whole/],
      [[...upstream, ...out, "--title", "x".repeat(121)], /^--title: .*120 characters/],
      [[...upstream, ...out, "--listen", "0.0.0.0:0"], /^--listen: .*other machines/],
      [[...upstream, "--out", `${folder}/full`], /^--out: .*holds meta\.json already.*--force/],
      [[...upstream, ...out, "--path", "/x"], /^--path: found a flag that record does not have/],
      [[...upstream, ...out, "--allow-public-bind"], /^--allow-public-bind: found a flag that/],
    ];
    for (const [args, message] of cases) {
      const { io, err } = silentIo();
      assertEquals(await run(["record", ...args], io), 2, args.join(" "));
      assertMatch(err[0]!, message);
    }
    const { io, err } = silentIo();
    assertEquals(await run(["serve", ...upstream, "--out", "x", "--force"], io), 2);
    assertMatch(err[0]!, /^--out: found a flag of record alone/);
    assertMatch(err[1]!, /^--force: found a flag of record alone/);
  }));

Deno.test("record replaces a fixture only with --force", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/meta.json`, "{}");
    const args = ["--upstream", "http://127.0.0.1:9/mcp", "--out", folder, "--name", "x"];
    const { io, err } = silentIo();
    const listen = ["--listen", "127.0.0.1:0", "--log-level", "silent"];
    // Nobody calls, so there is nothing to write: but it started.
    assertEquals(await run(["record", ...args, ...listen, "--force"], io), 1);
    assertStringIncludes(err.join(), "Nothing was recorded");
  }));
