/**
 * The recording of the running proxy, and where recordings are written.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { readFixture } from "../../fixtures/format/mod.ts";
import { hashOfKey } from "../auth/mod.ts";
import { ConfigError } from "../config/mod.ts";
import * as messages from "../testing/messages.ts";
import { testProxy } from "../testing/proxy.ts";
import { postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { checkFile, checkFolder, RecordingError, refuseFixture, save } from "./save.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
}

Deno.test("the proxy records what clients send and get at its door, a folder for each run", () =>
  withFolder(async (dir) => {
    const answer = jsonAnswer(messages.initializeResult(), {
      "mcp-session-id": "upstream-session-1",
    });
    await using upstream = scriptedUpstream((_, to) => to.write(answer));
    let sessionId = "";
    for (let run = 0; run < 2; run++) {
      const proxy = await testProxy({ upstream: upstream.url, config: { record: { dir } } });
      const response = await postText(proxy.origin, messages.initialize(), {
        authorization: "Bearer canary-123456",
      });
      assertEquals(response.status, 200);
      sessionId = response.headers.get("mcp-session-id") ?? "";
      await postText(proxy.origin, "{");
      await Promise.all([proxy.stop(), proxy.stop()]);
    }
    const runs = await names(dir);
    assertEquals(runs.length, 2);
    for (const run of runs) {
      assertMatch(run, /^run-\d{8}-\d{6}-[0-9a-f]{8}$/);
      const { meta, entries } = await readFixture(`${dir}/${run}`);
      assertEquals([meta.name, meta.revision], [run, "2025-11-25"]);
      // What the client got: the proxy's own session, and its own refusal.
      const statuses = entries.flatMap((entry) => entry.type === "response" ? entry.status : []);
      assertEquals(statuses, [200, 400]);
      const text = JSON.stringify(entries);
      for (const gone of [sessionId, "canary", "upstream-session"]) assert(!text.includes(gone));
    }
  }));

Deno.test("R96 the key for the proxy is not in a recording, whatever field holds it and whoever echoes it", () =>
  withFolder(async (dir) => {
    const key = "canary-1234567890";
    const answer = jsonAnswer(`{"jsonrpc":"2.0","id":1,"result":{"echo":"you are ${key}"}}`);
    await using upstream = scriptedUpstream((_, to) => to.write(answer));
    const auth = { header: "X-Caller", keys: [{ name: "ci", sha256: hashOfKey(key) }] };
    const proxy = await testProxy({ upstream: upstream.url, config: { record: { dir }, auth } });
    const fields = { "x-caller": key };
    assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    // The second is too short to be looked for everywhere: its field alone gives it away.
    for (const wrong of ["canary-wrong-1", "canary"]) {
      const { status } = await postText(proxy.origin, messages.ping(), { "x-caller": wrong });
      assertEquals(status, 401);
    }
    await proxy.stop();
    const { entries } = await readFixture(`${dir}/${(await names(dir))[0]}`);
    const text = JSON.stringify(entries);
    assert(!text.includes("canary"), text);
    assert(text.includes('["x-caller","{{redacted}}"]'), text);
  }));

Deno.test("the recording ends with the stop: a stream that the stop ends has no end in it", () =>
  withFolder(async (dir) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    await using upstream = scriptedUpstream((_, to) => to.write(`${head}data: 1\n\n`));
    const proxy = await testProxy({ upstream: upstream.url, config: { record: { dir } } });
    const response = await fetch(proxy.endpoint, { headers: { accept: "text/event-stream" } });
    const reader = response.body!.getReader();
    await reader.read();
    await proxy.stop();
    await reader.read().catch(() => {});
    await reader.cancel().catch(() => {});
    const { entries } = await readFixture(`${dir}/${(await names(dir))[0]}`);
    assertEquals(entries.map(({ from, type }) => `${from} ${type}`), [
      "client request",
      "client end",
      "server response",
      "server data",
    ]);
  }));

Deno.test("the proxy writes nothing where nobody called, and says so", () =>
  withFolder(async (dir) => {
    const proxy = await testProxy({
      upstream: "http://127.0.0.1:9/mcp",
      config: { record: { dir } },
    });
    await proxy.stop();
    assertEquals(await names(dir), []);
    assert(proxy.logs.some((line) => line.includes("Nothing was recorded")));
  }));

Deno.test("the proxy does not start where it cannot record", () =>
  withFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const error = await assertRejects(() =>
      testProxy({
        upstream: "http://127.0.0.1:9/mcp",
        config: { record: { dir: `${dir}/file/sub` } },
      }), ConfigError);
    assertMatch(error.message, /^record\.dir: found .*, wanted a folder that can be written to$/);
  }));

Deno.test("the proxy records up to its limit and goes on", () =>
  withFolder(async (dir) => {
    await using upstream = scriptedUpstream((_, to) =>
      to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'))
    );
    const record = { dir, maxBytes: 1_000 };
    const proxy = await testProxy({ upstream: upstream.url, config: { record } });
    for (let count = 0; count < 5; count++) {
      assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    }
    await proxy.stop();
    const { meta } = await readFixture(`${dir}/${(await names(dir))[0]}`);
    assertEquals(meta.truncated, true);
    assertEquals(proxy.logs.filter((line) => line.includes("the recording is full")).length, 1);
  }));

Deno.test("refuseFixture(), checkFile() and checkFolder() tell what stands in the way", () =>
  withFolder(async (dir) => {
    await refuseFixture(dir, "--out");
    await checkFolder(`${dir}/a/b`, "--out");
    assertEquals(await names(dir), ["a"]);
    assertEquals(await names(`${dir}/a/b`), []);
    await checkFile(`${dir}/x.har`, "--har", false);
    await Deno.writeTextFile(`${dir}/x.har`, "old");
    await Deno.writeTextFile(`${dir}/exchange.ndjson`, "");
    const refused = (work: () => Promise<void>) => assertRejects(work, ConfigError, "--force");
    await refused(() => checkFile(`${dir}/x.har`, "--har", false));
    await refused(() => refuseFixture(dir, "--out"));
    await checkFile(`${dir}/x.har`, "--har", true);
    assertEquals(await Deno.readTextFile(`${dir}/x.har`), "old");
  }));

Deno.test("save() refuses an empty recording, and tells where it cannot write", () =>
  withFolder(async (dir) => {
    const empty = { entries: [], truncated: false, startedAt: new Date(), hosts: [], secrets: [] };
    await assertRejects(() => save(empty, { name: "x", out: dir }), RecordingError, "no client");
    const common = { at: 0, exchange: 1, from: "client" } as const;
    const one = {
      ...empty,
      entries: [{ ...common, type: "request" as const, method: "GET", target: "/", fields: [] }],
    };
    await Deno.writeTextFile(`${dir}/file`, "");
    await assertRejects(
      () => save(one, { name: "x", out: `${dir}/file/x` }),
      RecordingError,
      "could not be written",
    );
    await save(one, { name: "x", har: `${dir}/x.har` });
    assertEquals(await names(dir), ["file", "x.har"]);
  }));
