/**
 * A config file that is read again and again, whatever stands in its place.
 *
 * @module
 */

import { dirname } from "node:path";
import { assertEquals, assertRejects } from "@std/assert";
import { ConfigError, loadConfig } from "../config/mod.ts";
import { ConfigSource, MAX_CONFIG_BYTES } from "./config_source.ts";

/** Of three bytes each, so that they lie across the places at which a file is read. */
const LETTERS = "€".repeat(100_000);

const TEXT = JSON.stringify({
  interceptors: [{ module: "/x.ts", options: { letters: LETTERS } }],
  routes: [{ path: "/mcp", upstream: { url: "http://127.0.0.1:1/" } }],
});

function sourceOf(file: string): ConfigSource {
  return new ConfigSource(
    file,
    (readTextFile) => loadConfig({ file, needsRoutes: true, readTextFile }),
  );
}

async function withFile(test: (file: string, source: ConfigSource) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.json`;
  try {
    await test(file, sourceOf(file));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ConfigSource reads a file of the largest size to its end, and none that is larger", () =>
  withFile(async (file, source) => {
    const rest = MAX_CONFIG_BYTES - new TextEncoder().encode(TEXT).length;
    await Deno.writeTextFile(file, TEXT + " ".repeat(rest));
    assertEquals((await source.load()).interceptors[0]!.options, { letters: LETTERS });
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, TEXT + " ".repeat(rest + 1));
    // It is told once.
    assertEquals(await source.hasChanged(), true);
    await assertRejects(() => source.load(), Error, `more than ${MAX_CONFIG_BYTES} bytes`);
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, TEXT);
    assertEquals(await source.hasChanged(), true);
    assertEquals((await source.load()).routes.length, 1);
  }));

Deno.test({
  name: "ConfigSource waits for no pipe and reads no device or folder, and says what it found",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFile(async (file, source) => {
      await Deno.symlink("/dev/zero", file);
      const odd = (file: string) =>
        `${file}: found a file that cannot be read (it is a pipe or a device)`;
      await assertRejects(() => source.load(), ConfigError, odd(file));
      const pipe = `${file}.pipe`;
      assertEquals((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
      await assertRejects(() => sourceOf(pipe).load(), ConfigError, odd(pipe));
      const folder = dirname(file);
      await assertRejects(() => sourceOf(folder).load(), ConfigError, "(it is a folder)");
    }),
});

Deno.test("ConfigSource: a file that is gone is no change, and neither is one that is back as it was", () =>
  withFile(async (file, source) => {
    await Deno.writeTextFile(file, TEXT);
    await source.load();
    await Deno.remove(file);
    assertEquals(await source.hasChanged(), false);
    await Deno.mkdir(file);
    assertEquals(await source.hasChanged(), false);
    await Deno.remove(file);
    await Deno.writeTextFile(file, TEXT);
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, `${TEXT} `);
    assertEquals(await source.hasChanged(), true);
  }));
